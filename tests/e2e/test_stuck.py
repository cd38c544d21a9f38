"""Real firmware stands still on networks with one fault each, and pxed says why: OVMF and an iPXE ROM, at once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.faults.wires import plug, wires
from tests.lab import daemon, inventory
from tests.lab.inventory import document
from tests.lab.vm import Firmware, Guest, booting

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240 * 2)]

# Wire, machine, what must be said of it.
STUCK = (
    ("bare", Guest("uefi-bare", Firmware.UEFI, 0), "no-dhcp-server"),
    ("no4011", Guest("uefi-4011", Firmware.UEFI, 1), "bootserver-blocked"),
    ("opt60", Guest("uefi-60", Firmware.UEFI, 2), "dhcp-option-60"),
    ("cut", Guest("uefi-cut", Firmware.UEFI, 3), "tftp-blocked"),
    ("menu", Guest("bios-menu", Firmware.BIOS, 4), "rival-in-ipxe"),
)


def test_firmware_that_stands_still_is_told_why(artifacts: Path) -> None:
    names = tuple(dict.fromkeys(wire for wire, _, _ in STUCK))
    plan = document(artifacts, {guest: "worker" for _, guest, _ in STUCK})
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(wires(artifacts, names))
        plan["server"] |= {"interfaces": place.interfaces, "patience": 60}
        config = inventory.write(artifacts, plan)
        inventory.fill(artifacts)
        served = stack.enter_context(daemon.serving(place.network, config, artifacts))
        for wire, guest, _ in STUCK:
            plug(place, wire, guest.number)
            stack.enter_context(booting(guest, place.network, artifacts))
        said = {}
        for _, guest, fault in STUCK:
            served.program.output.wait(lambda line, g=guest, f=fault: _is(line, g.name, f), 120)
            said[guest.name] = [event["fault"] for event in served.events("stuck", guest.name)]
        assert all(fault in said[guest.name] for _, guest, fault in STUCK), said


def _is(line: str, machine: str, fault: str) -> bool | None:
    event = daemon.parse(line)
    return (
        True if event and (event["kind"], event["machine"], event.get("fault")) == ("stuck", machine, fault) else None
    )
