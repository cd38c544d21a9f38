"""What the systems that booted from a machine's disk have printed (disk_init.sh), one value for each such boot."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

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
    reported: bool = False  # pxed took its report
    ready: bool = False

    @property
    def whole(self) -> bool:
        """Whether the content came over the console as it is on the disk."""
        return self.config is not None and hashlib.sha512(self.config).hexdigest() == self.digest


def read(lines: Iterable[str]) -> list[Installed]:
    """The boots from the disk, in order."""
    boots: list[dict[str, str]] = []
    for name, value in filter(None, map(guest.said, lines)):
        if name == "installed-system":
            boots.append({})
        if boots:
            boots[-1][name.removeprefix("installed-")] = value
    return [_boot(facts) for facts in boots]


def _boot(facts: dict[str, str]) -> Installed:
    return Installed(
        version=facts["system"],
        firmware=facts.get("firmware", ""),
        digest=facts.get("digest", ""),
        mode=facts.get("mode", ""),
        config=base64.b64decode(facts["config"]) if "config" in facts else None,
        reported="reported" in facts,
        ready="ready" in facts,
    )
