"""A machine on another segment: its DHCP requests come through a relay agent (RFC 2131 4.1, giaddr)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab import operator
from tests.lab.capture import messages
from tests.lab.inventory import document, sources
from tests.lab.laboratory import laboratory
from tests.lab.netns import PXE_ADDRESS, RELAY_ADDRESS
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 * 2)]


def inventory(artifacts: Path, guest: Guest, *relays: str) -> dict[str, Any]:
    described = document(artifacts, {guest: "remote"})
    described["server"]["relays"] = list(relays)
    return described


@pytest.mark.parametrize("firmware", [Firmware.UEFI, Firmware.BIOS], ids=["uefi", "bios"])
def test_a_machine_behind_a_relay_boots(artifacts: Path, firmware: Firmware) -> None:
    guest = Guest("remote", firmware)
    with laboratory(artifacts, inventory(artifacts, guest, RELAY_ADDRESS), taps=1, relayed=True) as lab:
        printout = lab.finish(lab.boot(guest))
        assert "pxed.lab=remote" in printout.arguments
        assert sources(printout.config) == {"/etc/hostname": guest.name, "/etc/pxed-lab": "remote"}
        assert printout.address.startswith("10.78.0.")
        offers = [m for m in messages(artifacts / "servers.pcap") if m.frame.source == PXE_ADDRESS and m.type == 2]
        sent = {(offer.frame.target, offer.frame.dport, offer.giaddr) for offer in offers}
        assert sent == {(RELAY_ADDRESS, 67, RELAY_ADDRESS)}


def test_a_machine_behind_a_relay_that_is_not_listed_shows_which_one_that_is(artifacts: Path) -> None:
    guest = Guest("remote", Firmware.BIOS)
    with laboratory(artifacts, inventory(artifacts, guest), taps=1, relayed=True) as lab:
        machine = lab.boot(guest)
        assert machine.wait_for(f"its DHCP came by relay {RELAY_ADDRESS}", timeout=60), lab.story(machine)
        (alert,) = operator.view(lab, guest.name)["alerts"]
        assert alert["what"] == "relay"
        assert f"its DHCP came by relay {RELAY_ADDRESS}, which is not in server.relays" in alert["text"]
        assert "token=" not in str(lab.daemon.events("script", guest.name))
