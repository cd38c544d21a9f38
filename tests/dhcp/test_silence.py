"""What pxed leaves unanswered on the DHCP ports: everything that is not a network boot, not ours, or not allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pxed.errors import DecodeError
from pxed.inventory.model import Inventory
from pxed.probe.oracles import clients
from pxed.probe.oracles.clients import Client, Option, address, message
from pxed.probe.oracles.wire import HEADER, Datagram
from tests.dhcp.responder import SERVER, STRANGER, inventory, pxed

LISTED = inventory()
EFI, ROM, IPXE, HTTP = clients.efi(7), clients.bios_rom(), clients.ipxe(7), clients.efi_http(16)
BOOTS = (EFI, ROM, IPXE, HTTP)
TYPES = {"DECLINE": 4, "ACK": 5, "NAK": 6, "RELEASE": 7, "INFORM": 8, "LEASEQUERY": 10, "an unknown type": 77}


def on_67(client: Client, *options: Option, **header: object) -> Datagram:
    """A broadcast to port 67; `options` go before the client's own."""
    payload = message((*options, *client.options), mac=client.mac, **header)  # type: ignore[arg-type]
    return Datagram("0.0.0.0", 68, "255.255.255.255", 67, payload)


def on_4011(client: Client, *options: Option) -> Datagram:
    payload = message((*options, *client.options), mac=client.mac, ciaddr=clients.LEASE)
    return Datagram(clients.LEASE, client.boot_port, SERVER, 4011, payload)


DISCOVER, REQUEST = (53, b"\1"), (53, b"\3")
OTHER = (54, address("10.0.0.1"))
SILENT: dict[str, Datagram] = {
    "an operating system's DISCOVER": clients.plain_dhcp().discover(),
    "a DISCOVER without option 60": clients.plain_dhcp(None).discover(),
    "U-Boot's own class": clients.plain_dhcp(b"U-Boot.armv8").discover(),
    "a class that only ends in PXEClient": clients.plain_dhcp(b"NotPXEClient").discover(),
    "PXEClient in lower case": clients.plain_dhcp(b"pxeclient").discover(),
    "an operating system's REQUEST": on_67(clients.plain_dhcp(), REQUEST),
    "a REQUEST to the DHCP server": on_67(EFI, REQUEST, OTHER, (50, address(clients.LEASE))),
    "iPXE's REQUEST to the DHCP server": on_67(IPXE, REQUEST, OTHER, (50, address(clients.LEASE))),
    "HTTP Boot's REQUEST to the DHCP server": on_67(HTTP, REQUEST, OTHER),
    "a REQUEST that names nobody (INIT-REBOOT)": on_67(EFI, REQUEST, (50, address(clients.LEASE))),
    "a renewal": on_67(EFI, REQUEST, ciaddr=clients.LEASE),
    "a REQUEST on 4011 that names another server": on_4011(IPXE, REQUEST, OTHER),
    "a DISCOVER on 4011": on_4011(EFI, DISCOVER),
    "an OFFER sent to port 67": on_67(EFI, (53, b"\2")),
    "no message type (BOOTP)": on_67(EFI),
    "an empty message type": on_67(EFI, (53, b"")),
    "a message type of two bytes": on_67(EFI, (53, b"\1\1")),
    "a BOOTREPLY": on_67(EFI, DISCOVER, op=2),
    "op 0": on_67(EFI, DISCOVER, op=0),
    "a boot item that wants credentials (BIS)": on_4011(ROM, REQUEST, (43, b"\x47\4\x80\0\x80\0\xff")),
    "an unlisted machine": replace(EFI, mac=STRANGER).discover(),
    "an unlisted machine on 4011": replace(EFI, mac=STRANGER).ask(SERVER),
    "an unlisted iPXE": replace(IPXE, mac=STRANGER).discover(),
    "no hardware address": on_67(EFI, DISCOVER, hlen=0),
    "a hardware address of 5 bytes": on_67(EFI, DISCOVER, hlen=5),
    "only architectures that have no boot loader": EFI.changed(93, b"\0\2\0\x1f", "odd").discover(),
    **{f"{name} on 67": on_67(EFI, (53, bytes([kind]))) for name, kind in TYPES.items()},
    **{f"{name} on 4011": on_4011(EFI, (53, bytes([kind]))) for name, kind in TYPES.items() if name != "INFORM"},
}


@pytest.mark.parametrize("datagram", SILENT.values(), ids=SILENT)
def test_silence(datagram: Datagram) -> None:
    assert pxed(LISTED)(datagram) is None


@pytest.mark.parametrize("client", BOOTS, ids=lambda c: c.name)
def test_the_same_clients_are_answered_when_they_are_meant(client: Client) -> None:
    """Else the silence above would prove nothing."""
    assert pxed(LISTED)(client.discover()) is not None
    assert pxed(LISTED)(client.ask(SERVER)) is not None


UNDECODABLE = {
    "another magic cookie": lambda raw: raw[:HEADER] + b"\x63\x82\x53\x64" + raw[HEADER + 4 :],
    "BOOTP's header alone": lambda raw: raw[:HEADER],
    "nothing": lambda raw: b"",
    "one byte": lambda raw: raw[:1],
    "hlen 17": lambda raw: raw[:2] + b"\x11" + raw[3:],
    "hlen 255": lambda raw: raw[:2] + b"\xff" + raw[3:],
    "an option longer than the message": lambda raw: raw[: HEADER + 4] + b"\x3c\xff" + raw[HEADER + 6 :][:60],
    "a tag at the very end": lambda raw: raw[: HEADER + 4] + b"\x35",
    "option 52 with value 4": lambda raw: raw[: HEADER + 4] + b"\x34\1\4" + raw[HEADER + 4 :],
}


@pytest.mark.parametrize("spoil", UNDECODABLE.values(), ids=UNDECODABLE)
def test_what_is_no_dhcp_message_raises_decode_error(spoil) -> None:  # type: ignore[no-untyped-def]
    discover = EFI.discover()
    with pytest.raises(DecodeError):
        pxed(LISTED)(replace(discover, payload=spoil(discover.payload)))


@pytest.mark.parametrize("client", BOOTS, ids=lambda c: c.name)
def test_its_own_replies_looped_back_are_not_answered(client: Client) -> None:
    responder = pxed(LISTED)
    for request in (client.discover(), client.ask(SERVER)):
        reply = responder(request)
        assert reply is not None
        for port in (67, 4011):
            assert responder(replace(reply, dst=SERVER, dport=port)) is None


@pytest.mark.parametrize("client", BOOTS, ids=lambda c: c.name)
def test_colocated_answers_4011_only(client: Client) -> None:
    responder = pxed(inventory(dhcp="colocated"))
    assert responder(client.discover()) is None
    assert responder(client.ask(SERVER)) is not None


@pytest.mark.parametrize(
    "known", [inventory(dhcp="off"), inventory(dhcp="off", unknown="hold")], ids=["ignore", "hold"]
)
def test_off_answers_nothing(known: Inventory) -> None:
    for client in BOOTS:
        assert pxed(known)(client.discover()) is None
        assert pxed(known)(client.ask(SERVER)) is None


def test_the_data_of_these_tests_is_read_without_a_disk() -> None:
    """The inventory names a directory that is not there: an answer opens no file."""
    assert not Path("/nowhere").exists()
    assert pxed(LISTED)(EFI.discover()) is not None
