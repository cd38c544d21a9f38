"""What the systems that booted from a machine's disk have printed (disk_init.sh), one value for each such boot."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.lab import guest

READY = "PXED-LAB installed-ready"  # the last line of such a boot
LIVE = "PXED-LAB live"  # the stand-in release has started systemd
WRITING = "Downloading, writing and verifying"  # flatcar-install has begun with the disk
SUCCESS = "Success! Flatcar Container Linux"  # flatcar-install is through


@dataclass(frozen=True, slots=True)
class Installed:
    """One boot of a disk."""

    version: str
    firmware: str = ""  # "efi" or "bios"
    digest: str = ""  # SHA-512 of config.ign on the OEM partition
    mode: str = ""  # its permissions, octal
    config: bytes | None = None  # its content; None: there is none
    ready: bool = False

    @property
    def whole(self) -> bool:
        """Whether the content came over the console as it is on the disk."""
        return self.config is not None and hashlib.sha512(self.config).hexdigest() == self.digest


def read(lines: Iterable[str]) -> list[Installed]:
    """The boots from the disk, in order."""
    boots: list[Installed] = []
    for name, value in filter(None, map(guest.said, lines)):
        if name == "installed-system":
            boots.append(Installed(value))
        elif boots and name.startswith("installed-"):
            boots[-1] = _with(boots[-1], name.removeprefix("installed-"), value)
    return boots


def _with(boot: Installed, name: str, value: str) -> Installed:
    if name == "config":
        return replace(boot, config=base64.b64decode(value))
    if name == "ready":
        return replace(boot, ready=True)
    return replace(boot, **{name: value}) if name in ("firmware", "digest", "mode") else boot
