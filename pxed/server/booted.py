"""Which releases are being booted now, also over a restart: data_dir/mirror/booting.json.

It has, by channel/arch/version: when a script or a file of it was last given out. Whatever prunes the mirror leaves
alone what is younger than an hour there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pxed.events import Emit, Event, Kind, Level
from pxed.server.saver import Saver

BOOTING = "mirror/booting.json"
MAX_RELEASES = 1_000
IN_USE_SECONDS = 3600.0
RENEW_SECONDS = 60.0  # a release that keeps being booted is written once a minute


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


def _as_json(content: Mapping[str, float]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _warn(emit: Emit, text: str) -> None:
    emit(Event(Kind.NOTICE, time.time(), text=text, level=Level.WARNING))
