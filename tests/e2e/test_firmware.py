"""One machine of each kind of firmware boots through pxed beside an ordinary DHCP server, and prints what it got."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.capture import Dhcp
from tests.lab.daemon import HTTP_PORT, URL, Daemon
from tests.lab.guest import Printout
from tests.lab.inventory import document, sources
from tests.lab.laboratory import laboratory
from tests.lab.netns import PXE_ADDRESS
from tests.lab.stages import missing, reached
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 * 2)]

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def assert_booted(printout: Printout, daemon: Daemon, guest: Guest, mark: str) -> None:
    """The machine printed its profile's command line and its own Ignition config; pxed saw every stage."""
    assert printout.firmware == ("bios" if guest.firmware is Firmware.BIOS else "efi")
    assert {"console=ttyS0,115200n8", "panic=-1", f"pxed.lab={mark}"} <= set(printout.arguments)
    assert printout.ignition_url.split("?")[0] == f"{URL}/ignition/{guest.name}"
    assert sources(printout.config) == {"/etc/hostname": guest.name, "/etc/pxed-lab": mark}
    assert missing(daemon.events(), guest.name) == []


def from_pxed(messages: list[Dhcp]) -> list[Dhcp]:
    """pxed's own DHCP messages."""
    return [message for message in messages if message.frame.source == PXE_ADDRESS and message.op == 2]


def requested_loaders(daemon: Daemon, guest: Guest) -> list[str]:
    """The boot loaders that the machine was sent, in order."""
    return [event.get("file", "") for event in daemon.events("loader", guest.name)]


def test_a_bios_machine_with_an_ipxe_rom_needs_no_boot_loader(artifacts: Path) -> None:
    guest = Guest("bios", Firmware.BIOS)
    with laboratory(artifacts, document(artifacts, {guest: "plain"}), taps=1) as lab:
        printout = lab.finish(lab.boot(guest))
        assert_booted(printout, lab.daemon, guest, "plain")
        assert requested_loaders(lab.daemon, guest) == []
        offers = [message for message in from_pxed(lab.messages()) if message.type == OFFER]
        assert {offer.file for offer in offers} == {f"http://{PXE_ADDRESS}:{HTTP_PORT}/boot.ipxe"}


def test_a_bios_machine_with_a_rom_that_is_not_ipxe_boots_through_undionly(artifacts: Path) -> None:
    guest = Guest("bios", Firmware.BIOS)
    with laboratory(artifacts, document(artifacts, {guest: "chained"}), taps=1) as lab:
        printout = lab.finish(lab.boot(guest, plain_rom=True))
        assert_booted(printout, lab.daemon, guest, "chained")
        assert requested_loaders(lab.daemon, guest) == ["undionly.kpxe"]
        first = next(message for message in lab.messages() if message.type == DISCOVER)
        assert first.arch == 0
        assert first.options.keys().isdisjoint({77, 175}), "the ROM was to look like one that is not iPXE"


def test_a_uefi_machine_asks_on_port_4011_and_boots(artifacts: Path) -> None:
    guest = Guest("uefi", Firmware.UEFI)
    with laboratory(artifacts, document(artifacts, {guest: "efi"}), taps=1) as lab:
        printout = lab.finish(lab.boot(guest))
        assert_booted(printout, lab.daemon, guest, "efi")
        assert requested_loaders(lab.daemon, guest) == ["snponly.efi"]
        assert "bootserver" in reached(lab.daemon.events(), guest.name)
        assert_no_option_43_and_asked_on_4011(lab.messages())


def assert_no_option_43_and_asked_on_4011(messages: list[Dhcp]) -> None:
    """EDK2 of 2015 drops an offer with option 43; without it every EDK2 asks the boot server on port 4011."""
    answers = from_pxed(messages)
    offer = next(message for message in answers if message.type == OFFER)
    assert 43 not in offer.options
    request = next(message for message in messages if message.frame.dport == 4011 and message.op == 1)
    assert (request.type, request.arch, request.frame.target) == (REQUEST, 7, PXE_ADDRESS)
    answer = next(message for message in answers if message.xid == request.xid)
    assert (answer.type, answer.file, answer.frame.sport) == (ACK, "snponly.efi", 4011)
    assert (answer.frame.target, answer.frame.dport) == (request.frame.source, request.frame.sport)


def test_a_uefi_machine_boots_by_http_boot(artifacts: Path) -> None:
    guest = Guest("http", Firmware.UEFI_HTTP)
    with laboratory(artifacts, document(artifacts, {guest: "http"}), taps=1) as lab:
        printout = lab.finish(lab.boot(guest))
        assert_booted(printout, lab.daemon, guest, "http")
        assert requested_loaders(lab.daemon, guest) == ["snponly.efi"]
        messages = lab.messages()
        discover = next(message for message in messages if message.type == DISCOVER)
        assert (discover.arch, discover.options[60][:10]) == (16, b"HTTPClient")
        offer = next(message for message in from_pxed(messages) if message.xid == discover.xid)
        assert offer.options[60] == b"HTTPClient"
        assert not [message for message in messages if message.frame.dport == 69], "no TFTP in HTTP Boot"
