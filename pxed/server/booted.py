"""What each machine last booted of the mirror, and which releases are being booted now. Both survive a restart.

data_dir/booted.json has, by machine: image, version, the SHA-512 of kernel and initrd, and when the initrd was sent.
data_dir/mirror/booting.json has, by channel/arch/version: when a script or a file of it was last given out. Whatever
prunes the mirror leaves alone what is younger than an hour there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from pxed.errors import PxedError
from pxed.events import Emit, Event, Kind, Level
from pxed.server.saver import Saver

BOOTED = "booted.json"
BOOTING = "mirror/booting.json"
MAX_MACHINES = 100_000  # names come from the inventory or are MACs of groups; the one that booted first goes first
MAX_RELEASES = 1_000
SAVE_SECONDS = 3.0  # 400 machines that boot together are a few writes
IN_USE_SECONDS = 3600.0
RENEW_SECONDS = 60.0  # a release that keeps being booted is written once a minute


class BootedError(PxedError):
    """The record could not be read."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One machine's last boot of a mirrored release."""

    image: str
    version: str
    kernel: str  # SHA-512, hexadecimal
    initrd: str
    time: float  # seconds since 1970


def read_boots(data_dir: Path) -> dict[str, Boot]:
    """The record as it is on disk; an absent one is empty. Raises BootedError."""
    path = data_dir / BOOTED
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(machine): _boot(entry) for machine, entry in content.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BootedError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, KeyError):
        raise BootedError(f"{path} does not map machines to their boots: repair it or remove it") from None


class Booted:
    """The record of last boots."""

    def __init__(self, data_dir: Path, emit: Emit) -> None:
        self._data_dir = data_dir
        self._emit = emit
        self._boots: dict[str, Boot] = {}
        self._saver = Saver(data_dir / BOOTED, SAVE_SECONDS, self._take, partial(_warn, emit))

    def load(self) -> None:
        """Read the file; one that is broken is warned about and written anew."""
        try:
            self._boots = read_boots(self._data_dir)
        except BootedError as error:
            _warn(self._emit, f"{error}; what machines booted before is not known")

    def last(self, machine: str) -> Boot | None:
        """What a machine (its name, or its MAC) booted last."""
        return self._boots.get(machine)

    def mark(self, machine: str, boot: Boot) -> None:
        """A machine has got the last file of a release."""
        self._boots.pop(machine, None)
        self._boots[machine] = boot
        while len(self._boots) > MAX_MACHINES:
            del self._boots[next(iter(self._boots))]
        self._saver.changed()

    async def close(self) -> None:
        """Write what is not written yet."""
        await self._saver.close()

    def _take(self) -> partial[bytes]:
        return partial(_by_machine, dict(self._boots))


class Booting:
    """The releases that machines are booting."""

    def __init__(self, data_dir: Path, emit: Emit) -> None:
        self._path = data_dir / BOOTING
        self._used: dict[str, float] = {}
        self._written: dict[str, float] = {}
        self._saver = Saver(self._path, 0, self._take, partial(_warn, emit))

    def load(self) -> None:
        """Read the file. One that cannot be read is as good as none: it only ever spans an hour."""
        try:
            content = json.loads(self._path.read_bytes())
            self._used = {str(key): float(when) for key, when in content.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return

    def use(self, channel: str, arch: str, version: str) -> None:
        """A script or a file of the release is being given out."""
        key, now = f"{channel}/{arch}/{version}", time.time()
        self._used.pop(key, None)
        self._used[key] = now
        if len(self._used) > MAX_RELEASES:
            del self._used[next(iter(self._used))]
        if not 0 <= now - self._written.get(key, 0.0) < RENEW_SECONDS:
            self._written[key] = now
            self._saver.changed()

    async def close(self) -> None:
        """Write what is not written yet, with the last times."""
        if self._used:
            self._saver.changed()
        await self._saver.close()

    def _take(self) -> partial[bytes]:
        now = time.time()
        self._used = {key: when for key, when in self._used.items() if now - when < IN_USE_SECONDS}
        self._written = dict(self._used)
        return partial(_as_json, dict(self._used))


def _boot(entry: Mapping[str, object]) -> Boot:
    image, version, kernel, initrd = (str(entry[name]) for name in ("image", "version", "kernel", "initrd"))
    when = entry["time"]
    if not isinstance(when, int | float):
        raise TypeError(when)
    return Boot(image, version, kernel, initrd, float(when))


def _by_machine(boots: Mapping[str, Boot]) -> bytes:
    """One line for each machine. Line by line, so that other threads run while 10,000 are written."""
    entries = (f"{json.dumps(name)}: {json.dumps(asdict(boot))}" for name, boot in boots.items())
    return ("{\n" + ",\n".join(entries) + "\n}\n").encode()


def _as_json(content: Mapping[str, float]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _warn(emit: Emit, text: str) -> None:
    emit(Event(Kind.NOTICE, time.time(), text=text, level=Level.WARNING))
