"""The stages of a boot as pxed's events tell them, and the story of one that stopped."""

from __future__ import annotations

from collections.abc import Iterable

from tests.lab.daemon import Happening

STAGES = ("discover", "offer", "bootserver", "loader", "ipxe", "script", "kernel", "initrd", "ignition", "running")
# What each client goes through: a BIOS ROM that is iPXE begins at the stage ipxe, HTTP Boot does not ask on port 4011.
NEEDED = ("ipxe", "script", "kernel", "initrd", "ignition", "running")
_NEXT = {
    "": "its first DHCP DISCOVER (does the machine start? is its interface on the bridge?)",
    "discover": "an offer from pxed",
    "offer": "its request on port 4011, or for a boot loader",
    "bootserver": "its boot loader by TFTP",
    "loader": "DHCP by the boot loader (iPXE)",
    "ipxe": "its request for /boot.ipxe",
    "script": "its request for the kernel",
    "kernel": "its request for the initrd",
    "initrd": "its request for its Ignition config",
    "ignition": "its report that it runs",
    "running": "its own print-out",
}


def reached(events: Iterable[Happening], machine: str) -> list[str]:
    """The stages of a machine, each once, in their order."""
    kinds = {event["kind"] for event in events if event.get("machine") == machine}
    return [stage for stage in STAGES if stage in kinds]


def missing(events: Iterable[Happening], machine: str) -> list[str]:
    """The stages that every boot goes through and this one did not."""
    there = set(reached(events, machine))
    return [stage for stage in NEEDED if stage not in there]


def stop_sentence(events: Iterable[Happening], machine: str) -> str:
    """Where a boot stopped and what should have come next."""
    stages = reached(events, machine)
    last = stages[-1] if stages else ""
    where = f"stopped after the stage {last!r}" if last else "never reached pxed"
    return f"{machine} {where}; missing: {_NEXT[last]}"
