"""What one boot of a machine does: its profile's `boot`, or what its installation or an operator made of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Way(StrEnum):
    """What happens after the boot loader."""

    MEMORY = "memory"
    INSTALL = "install"
    LOCAL = "local"
    WAIT = "wait"  # ask again after `seconds`
    HELD = "held"  # nothing until an operator acts
    ANNOUNCE = "announce"  # show yourself by DHCP first, then ask again: secrets go to boots that were seen only


UNSEEN = "this boot's DHCP was not seen"


class Detour(NamedTuple):
    """What changes the answer to a machine's DHCP: its disk is to boot in silence, or a profile is on for one boot."""

    disk: bool = False  # it boots its disk
    profile: str = ""  # the one-shot profile


class Course(NamedTuple):
    """What this boot does. `text` says why, where it is not the profile that says it."""

    way: Way
    text: str = ""
    seconds: int = 0
    boot: str = ""  # its id: the script says it when it asks again, so that no new boot is counted
    token: str = ""  # opens the Ignition config or the initrd of this boot
    report: str = ""  # opens /report
    secure: bool = False  # its config is fetched by HTTPS
    refused: bool = False  # who asks is not the machine that it names
