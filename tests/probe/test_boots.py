"""Captures of whole boots of real firmware: told to their end without an alarm, and what is said of a part of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pxed.events import Event, Kind
from pxed.probe.capture import Packet, packets
from pxed.probe.watching import AFTER, Watcher
from pxed.status.boots import Outcome
from pxed.status.wordings import Severity

BOOTS = Path(__file__).parent.parent / "data" / "boots"
LOADS = ["script", "kernel", "initrd", "ignition", "running"]
STAGES = {
    "bios-ipxe-rom": ["ipxe", *LOADS],
    "bios-undionly": ["discover", "offer", "loader", "ipxe", *LOADS],
    "uefi": ["discover", "offer", "bootserver", "loader", "ipxe", *LOADS],
    "uefi-http": ["discover", "offer", "loader", "ipxe", *LOADS],
}
LOADER = {"bios-undionly": 74213, "uefi": 173792, "uefi-http": 173792}
KERNEL, INITRD = 8247232, 1232880


def boot_of(name: str) -> list[Packet]:
    return list(packets(BOOTS / f"{name}.pcap.gz"))


@pytest.mark.parametrize("name", STAGES)
def test_a_good_boot_is_told_to_its_end_without_an_alarm(name: str) -> None:
    watcher = Watcher()
    alarms = []
    for packet in boot_of(name):
        alarms += watcher.look(packet.time)[1]
        watcher.packet(packet)
    alarms += watcher.look(packet.time + AFTER)[1]
    [boot] = watcher.boots()
    assert [one.finding for one in alarms if one.finding and one.finding.severity is not Severity.INFO] == []
    assert (boot.outcome, [str(span.stage) for span in boot.spans]) == (Outcome.RUNNING, STAGES[name])
    sizes = {str(span.stage): span.bytes for span in boot.spans if span.stage in ("loader", "kernel", "initrd")}
    loader = {"loader": LOADER[name]} if name in LOADER else {}
    assert sizes == loader | {"kernel": KERNEL, "initrd": INITRD}


def begins(stage: str) -> Callable[[Event], bool]:
    """The first packet of a file."""
    return lambda event: event.kind is Kind.PROGRESS and event.data["stage"] == stage


def half_a_kernel(event: Event) -> bool:
    return (
        event.kind is Kind.PROGRESS and event.data["stage"] == "kernel" and int(str(event.data["bytes"])) > KERNEL / 2
    )


def ipxe_asks(event: Event) -> bool:
    return event.kind is Kind.DISCOVER and event.data["client"] == "iPXE"


CUTS = {
    "before its loader is asked for": ("uefi", begins("loader"), "tftp-unreached"),
    "after its loader": ("uefi", ipxe_asks, "loader-silent"),
    "after its script": ("uefi", begins("kernel"), "kernel-never"),
    "after its kernel": ("bios-undionly", begins("initrd"), "initrd-never"),
    "in the middle of its kernel": ("bios-undionly", half_a_kernel, "download-stalled"),
}


@pytest.mark.parametrize(("name", "cut", "fault"), CUTS.values(), ids=CUTS)
def test_a_boot_that_is_cut_off_gets_the_verdict_of_where_it_stands(
    name: str, cut: Callable[[Event], bool], fault: str
) -> None:
    """All up to the packet that tells the cut, and then nothing more."""
    watcher, ahead = Watcher(), Watcher()
    for packet in boot_of(name):
        ahead.look(packet.time)
        if any(map(cut, ahead.packet(packet))):
            break
        watcher.look(packet.time)
        watcher.packet(packet)
    watcher.look(packet.time + AFTER)
    [boot] = watcher.boots()
    found = watcher.told(boot, boot.finding)
    assert found is not None, watcher.verdict(boot)
    assert str(found.fault) == fault
