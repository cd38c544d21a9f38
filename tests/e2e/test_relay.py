"""A machine on another segment: its DHCP requests come through a relay agent (RFC 2131 4.1, giaddr)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.capture import messages
from tests.lab.inventory import document, sources
from tests.lab.laboratory import laboratory
from tests.lab.netns import PXE_ADDRESS, RELAY_ADDRESS
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.mark.parametrize("firmware", [Firmware.UEFI, Firmware.BIOS], ids=["uefi", "bios"])
def test_a_machine_behind_a_relay_boots(artifacts: Path, firmware: Firmware) -> None:
    guest = Guest("remote", firmware)
    with laboratory(artifacts, document(artifacts, {guest: "remote"}), taps=1, relayed=True) as lab:
        printout = lab.finish(lab.boot(guest))
        assert "pxed.lab=remote" in printout.arguments
        assert sources(printout.config) == {"/etc/hostname": guest.name, "/etc/pxed-lab": "remote"}
        assert printout.address.startswith("10.78.0.")
        offers = [m for m in messages(artifacts / "servers.pcap") if m.frame.source == PXE_ADDRESS and m.type == 2]
        sent = {(offer.frame.target, offer.frame.dport, offer.giaddr) for offer in offers}
        assert sent == {(RELAY_ADDRESS, 67, RELAY_ADDRESS)}
