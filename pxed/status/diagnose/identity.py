"""Who it is and where: two machines with one MAC, reboots without end, addresses that change or are taken."""

from __future__ import annotations

from pxed.status.boots import Stage
from pxed.status.diagnose.view import View, ago
from pxed.status.faults import Finding
from pxed.status.wordings import Fault

LOOP = 2  # boots that did not come up, just before this one
CLASH_SECONDS = 900.0
LOSSY = 0.05  # of a transfer's packets
_SMALLEST = 20  # packets


def mac_twice(view: View) -> Finding | None:
    """Firmware with another UUID speaks with the same MAC at the same time."""
    trail, boot = view.trail, view.boot
    if not trail.clash or view.now - trail.clash > CLASH_SECONDS:
        return None
    who = " and ".join(_dashed(uuid) for uuid in (boot.uuid, *trail.others)[:2])
    seen = f"firmware with different UUIDs (option 97) asked with it, last {ago(view.now, trail.clash)}"
    return view.found(Fault.MAC_TWICE, trail.clash, seen, who=who)


def reboot_loop(view: View) -> Finding | None:
    """Boots that follow each other, and none comes up."""
    if len(view.past) < LOOP:
        return None
    first = view.past[-1].began
    minutes = max(1, round((view.now - first) / 60))
    last = view.past[0]
    how = f"the last one came as far as {last.stage}" + (f": {last.finding.cause}" if last.finding else "")
    return view.found(Fault.REBOOT_LOOP, first, how, count=len(view.past) + 1, minutes=minutes)


def declined(view: View) -> Finding | None:
    """The address that it was given is in use."""
    address = view.trail.lease.declined
    if not address:
        return None
    return view.found(Fault.ADDRESS_IN_USE, view.boot.since, "it sent a DHCPDECLINE", address=address)


def address_changed(view: View) -> Finding | None:
    """Not the same address in all stages."""
    addresses = view.boot.addresses
    if len(addresses) < 2 or len(set(addresses)) < 2:
        return None
    seen = f"addresses in their order: {', '.join(addresses)}"
    return view.found(Fault.ADDRESS_CHANGED, view.boot.began, seen, before=addresses[-2], after=addresses[-1])


def retransmits(view: View) -> Finding | None:
    """A link that loses packets."""
    flow = view.trail.flow(Stage.LOADER)
    if flow is None or not flow.blksize or not flow.done:
        return None
    span = view.span(Stage.LOADER)
    if span is None:
        return None
    packets = flow.bytes // flow.blksize + 1
    if packets < _SMALLEST or span.retransmits < packets * LOSSY:
        return None
    sent = f"{flow.file} by TFTP"
    return view.found(Fault.RETRANSMITS, span.began, sent, count=span.retransmits, blocks=packets)


def _dashed(uuid: str) -> str:
    return "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
