"""The service as systemd runs it: its user, and what its sandbox hides (systemd.exec(5))."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

UNIT = "pxed.service"
_PLACES = tuple(Path(place) for place in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"))
_HOMES = tuple(Path(place) for place in ("/home", "/root", "/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 -- what PrivateTmp= hides
_SYSTEM = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc"), "strict": ("/",)}
_APART = tuple(Path(place) for place in ("/dev", "/proc", "/sys"))  # that ProtectSystem=strict leaves alone
_NAMES = (
    "LoadState", "User", "SupplementaryGroups", "ProtectHome", "ProtectSystem", "PrivateTmp", "InaccessiblePaths",
    "ReadWritePaths", "BindPaths", "BindReadOnlyPaths", "StateDirectory", "CacheDirectory", "LogsDirectory",
    "RuntimeDirectory", "ExecStart",
)  # fmt: skip
_DIRECTORIES = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}


@dataclass(frozen=True, slots=True)
class Service:
    """What the unit says. Words of systemd are kept as they are ("yes", "strict")."""

    user: str = "root"
    config: Path | None = None  # the inventory that it serves
    groups: tuple[str, ...] = ()
    protect_home: str = "no"
    protect_system: str = "no"
    private_tmp: str = "no"
    inaccessible: tuple[Path, ...] = ()
    bound: tuple[Path, ...] = ()  # seen in there whatever hides what is around them
    writable: tuple[Path, ...] = ()
    state: tuple[Path, ...] = ()  # of StateDirectory=: made and given to the user by systemd

    def hides(self, path: Path) -> str:
        """The directive that keeps the service from seeing a path; "" if it sees it."""
        if _below(path, self.bound):
            return ""
        if self.protect_home in ("yes", "tmpfs") and _below(path, _HOMES):
            return f"ProtectHome={self.protect_home}"
        if self.private_tmp in ("yes", "disconnected") and _below(path, _TEMPORARY):
            return f"PrivateTmp={self.private_tmp}"
        return "InaccessiblePaths=" if _below(path, self.inaccessible) else ""

    def protects(self, path: Path) -> str:
        """The directive that makes a path read-only for the service; "" if it may write there."""
        if _below(path, (*self.writable, *self.state, *self.bound)):
            return ""
        if self.protect_home == "read-only" and _below(path, _HOMES):
            return "ProtectHome=read-only"
        protected = tuple(Path(place) for place in _SYSTEM.get(self.protect_system, ()))
        apart = self.protect_system == "strict" and _below(path, _APART)
        return f"ProtectSystem={self.protect_system}" if _below(path, protected) and not apart else ""


def _below(path: Path, places: Iterable[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def service() -> Service | None:
    """The unit of this host, as systemd has it with its drop-ins, else as its files say; None when there is none."""
    words = ["systemctl", "show", UNIT, *(f"--property={name}" for name in _NAMES)]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=5)  # noqa: S603
        shown = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        if done.returncode == 0 and shown.get("LoadState") == "loaded":
            return parsed(shown)
    settings = _files()
    return parsed(settings) if settings else None


def parsed(settings: dict[str, str]) -> Service:
    """The service of directives and their values."""

    def paths(*names: str) -> tuple[Path, ...]:
        words = [word for name in names for word in settings.get(name, "").split()]
        return tuple(Path(word.lstrip("+-").split(":")[0]) for word in words)

    def directories(name: str) -> tuple[Path, ...]:
        return tuple(Path(_DIRECTORIES[name], word.split(":")[0]) for word in settings.get(name, "").split())

    others = [place for name in _DIRECTORIES if name != "StateDirectory" for place in directories(name)]
    return Service(
        settings.get("User") or "root",
        _config(settings.get("ExecStart", "")),
        tuple(settings.get("SupplementaryGroups", "").split()),
        _word(settings.get("ProtectHome", "no")),
        _word(settings.get("ProtectSystem", "no")),
        _word(settings.get("PrivateTmp", "no")),
        paths("InaccessiblePaths"),
        paths("BindPaths", "BindReadOnlyPaths"),
        (*paths("ReadWritePaths", "BindPaths"), *others),
        directories("StateDirectory"),
    )


def _config(command: str) -> Path | None:
    """The inventory that a command of `pxed serve` names."""
    words = command.split()
    for flag, value in pairwise(words):
        if flag in ("-c", "--config"):
            return Path(value)
    return None


def _word(value: str) -> str:
    return {"true": "yes", "on": "yes", "1": "yes", "false": "no", "off": "no", "0": "no", "": "no"}.get(value, value)


def _files() -> dict[str, str]:
    """The directives of the unit file and of its drop-ins: lists add up, of other values the last one counts."""
    main = next((place / UNIT for place in _PLACES if (place / UNIT).is_file()), None)
    dropins = {file.name: file for place in reversed(_PLACES) for file in (place / f"{UNIT}.d").glob("*.conf")}
    found: dict[str, str] = {}
    for file in [main, *(dropins[name] for name in sorted(dropins))] if main else []:
        for line in file.read_text().splitlines() if file else ():
            name, equals, value = line.partition("=")
            if equals and name in _NAMES:
                adds = value and (name.endswith(("Paths", "Directory")) or name == "SupplementaryGroups")
                found[name] = f"{found.get(name, '')} {value}".strip() if adds else value
    return found
