"""Which client speaks: RFC 4578, RFC 3004, option 175."""

import pytest

from pxed.dhcp.codes import IpxeOption
from pxed.dhcp.message import decode
from pxed.dhcp.pxe import BootRequest, Client, NoBootRequest, Stage, boot_request, classify, is_ipxe_user_class
from pxed.dhcp.simulate import discover
from tests.dhcp.test_message import message

PXE = b"PXEClient:Arch:00007:UNDI:003000"
FEATURES = bytes.fromhex("130101180101")

CLIENTS = {
    "a UEFI ROM": ((PXE, b"\0\7", b"", None), Client(Stage.PXE, (7,))),
    "a BIOS ROM": ((b"PXEClient:Arch:00000:UNDI:002001", b"\0\0", b"", None), Client(Stage.PXE, (0,))),
    "a bare PXEClient without an Arch part": ((b"PXEClient", b"\0\7", b"", None), Client(Stage.PXE, (7,))),
    "a text that lies about the architecture": (
        (b"PXEClient:Arch:00000", b"\0\13", b"", None),
        Client(Stage.PXE, (11,)),
    ),
    "a list of architectures": ((PXE, b"\0\x63\0\7\0\x10", b"", None), Client(Stage.PXE, (0x63, 7, 16))),
    "no option 93": ((PXE, b"", b"", None), Client(Stage.PXE, ())),
    "an odd option 93 loses its last byte": ((PXE, b"\0\7\0", b"", None), Client(Stage.PXE, (7,))),
    "UEFI HTTP Boot": ((b"HTTPClient:Arch:00016:UNDI:003000", b"\0\x10", b"", None), Client(Stage.HTTP, (16,))),
    "iPXE by a raw user class": ((PXE, b"\0\7", b"iPXE", None), Client(Stage.IPXE, (7,))),
    "iPXE by an RFC 3004 user class": ((PXE, b"\0\7", b"\x04iPXE", None), Client(Stage.IPXE, (7,))),
    "iPXE as the second RFC 3004 class": ((PXE, b"\0\7", b"\x02ab\x04iPXE", None), Client(Stage.IPXE, (7,))),
    "FlexBoot, by option 175 alone": ((PXE, b"\0\0", b"", FEATURES), Client(Stage.IPXE, (0,), frozenset({19, 24}))),
    "iPXE that inherited its parent's user class": (
        (b"PXEClient", b"\0\0", b"PXEClient", FEATURES),
        Client(Stage.IPXE, (0,), frozenset({19, 24})),
    ),
    "a cut off option 175": ((PXE, b"\0\7", b"", b"\x13\x01\x01\x18\x05"), Client(Stage.IPXE, (7,), frozenset({19}))),
    "a feature that is switched off": ((PXE, b"\0\7", b"", b"\x13\x01\x00"), Client(Stage.IPXE, (7,), frozenset())),
}


@pytest.mark.parametrize(("values", "client"), CLIENTS.values(), ids=CLIENTS)
def test_classified(values, client):
    assert classify(*values) == client


@pytest.mark.parametrize("vendor_class", [b"", b"udhcp 1.30", b"MSFT 5.0", b"U-Boot.armv8", b"PXEclient"])
def test_other_clients_ask_for_no_boot(vendor_class):
    client = classify(vendor_class, b"\0\7", b"iPXE", None)
    assert isinstance(client, NoBootRequest)
    assert "option 60" in client.reason


@pytest.mark.parametrize("user_class", [b"", b"ipxe", b"iPXE2", b"\x05iPXE", b"\x03iPX", b"\x00\x00", b"\xffiPXE"])
def test_no_ipxe_user_class(user_class):
    assert not is_ipxe_user_class(user_class)


def test_lacks_is_only_said_of_a_build_that_told_its_features():
    assert not Client(Stage.IPXE, (0,)).lacks(IpxeOption.HTTP)
    assert Client(Stage.IPXE, (0,), frozenset({24})).lacks(IpxeOption.HTTP)


def request(options: dict[int, bytes], port: int = 67, **fields: object) -> BootRequest | NoBootRequest:
    return boot_request(message({60: PXE, 93: b"\0\7", 53: b"\x01"} | options, **fields), port)


IDENTIFIERS = {
    "17 bytes of type 0": (b"\0" + bytes(range(16)), bytes(range(16))),
    "another type": (b"\1" + bytes(range(16)), None),
    "16 bytes": (bytes(range(16)), None),
    "18 bytes": (bytes(18), None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize(("value", "uuid"), IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_the_machine_identifier_counts_only_in_its_standard_form(value, uuid):
    found = request({97: value})
    assert isinstance(found, BootRequest)
    assert found.uuid == uuid


def test_a_request_without_option_97_still_boots():
    found = request({})
    assert isinstance(found, BootRequest)
    assert found.uuid is None


BOOT_ITEMS = {
    "a boot item": (b"\x47\x04\x80\x00\x00\x00\xff", b"\x80\0\0\0"),
    "a boot item among others": (b"\x06\x01\x08\x47\x04\0\1\0\0", b"\0\1\0\0"),
    "a boot item of a wrong length": (b"\x47\x02\x80\x00\xff", None),
    "no boot item": (b"\x06\x01\x08\xff", None),
    "a damaged option 43": (b"\x47\x09\x80", None),
}


@pytest.mark.parametrize(("value", "item"), BOOT_ITEMS.values(), ids=BOOT_ITEMS)
def test_boot_item(value, item):
    found = request({43: value})
    assert isinstance(found, BootRequest)
    assert found.boot_item == item


def test_a_reply_is_no_request():
    assert isinstance(request({}, op=2), NoBootRequest)


@pytest.mark.parametrize("kind", [b"", b"\x01\x01"])
def test_a_missing_or_long_message_type_is_none(kind):
    found = request({53: kind})
    assert isinstance(found, BootRequest)
    assert found.message_type == 0


PIS = {
    "a Pi's ROM": ("dc:a6:32:00:00:01", b"\0\0", True),
    "a Pi 5's ROM with its own architecture": ("2c:cf:67:00:00:01", b"\0\x29", True),
    "a Pi's UEFI": ("dc:a6:32:00:00:01", b"\0\x0b", False),
    "a PC": ("52:54:00:00:00:01", b"\0\0", False),
}


@pytest.mark.parametrize(("mac", "arch", "is_pi"), PIS.values(), ids=PIS)
def test_raspberry_pi(mac, arch, is_pi):
    chaddr = bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0")
    found = request({93: arch}, chaddr=chaddr)
    assert isinstance(found, BootRequest)
    assert found.is_raspberry_pi is is_pi


@pytest.mark.parametrize(("arch", "stage"), [(0, Stage.PXE), (7, Stage.PXE), (16, Stage.HTTP)])
def test_simulated_packets_are_read_as_what_they_simulate(arch, stage):
    found = boot_request(decode(discover("52:54:00:00:00:01", bytes(16), arch)), 67)
    assert isinstance(found, BootRequest)
    assert (found.client.stage, found.client.architectures, found.mac) == (stage, (arch,), "52:54:00:00:00:01")


def test_a_simulated_ipxe_lacks_nothing():
    found = boot_request(decode(discover("52:54:00:00:00:01", None, 0, ipxe=True)), 67)
    assert isinstance(found, BootRequest)
    assert found.client.stage is Stage.IPXE
    assert not any(found.client.lacks(feature) for feature in (IpxeOption.HTTP, IpxeOption.BZIMAGE, IpxeOption.EFI))
