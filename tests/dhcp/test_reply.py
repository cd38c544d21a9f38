"""The reply's bytes and its destination: RFC 2131 4.1, PXE 2.1, RFC 3046. scapy is the independent reader."""

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from pxed.dhcp.codes import MessageType
from pxed.dhcp.message import decode
from pxed.dhcp.pxe import HTTP_CLIENT, PXE_CLIENT
from pxed.dhcp.reply import BYPASS, Answer, destination, encode_reply, vendor_options
from tests.dhcp.test_message import message

US = bytes((10, 77, 0, 2))
OFFER = Answer(MessageType.OFFER, US, PXE_CLIENT, "snponly.efi")
UUID = b"\0" + bytes(range(16))


def options_of(datagram: bytes) -> list[tuple]:
    return [o for o in BOOTP(datagram)[DHCP].options if o not in ("pad", "end")]


def test_an_offer_has_the_options_of_the_matrix_in_their_order():
    assert options_of(encode_reply(message({53: b"\1", 97: UUID}), OFFER)) == [
        ("message-type", 2),
        ("server_id", "10.77.0.2"),
        ("vendor_class_id", b"PXEClient"),
        ("tftp_server_name", b"10.77.0.2"),
        ("pxe_client_machine_identifier", UUID),
    ]


def test_an_offer_has_the_fields_of_the_matrix():
    request = message({53: b"\1"}, giaddr=bytes((10, 1, 0, 1)), hops=3, secs=9)
    reply = BOOTP(encode_reply(request, OFFER))
    assert (reply.op, reply.xid, reply.hops, reply.secs, int(reply.flags)) == (2, 0x1234, 3, 0, 0x8000)
    assert (reply.ciaddr, reply.yiaddr, reply.siaddr, reply.giaddr) == ("0.0.0.0", "0.0.0.0", "10.77.0.2", "10.1.0.1")
    assert reply.chaddr == request.chaddr
    assert reply.sname == b"10.77.0.2".ljust(64, b"\0")
    assert reply.file == b"snponly.efi".ljust(128, b"\0")


def test_a_reply_has_at_least_300_bytes_and_ends_before_its_padding():
    datagram = encode_reply(message({}), OFFER)
    assert len(datagram) == 300
    assert datagram.rstrip(b"\0").endswith(b"\xff")


def test_an_acknowledgement_keeps_the_clients_own_address():
    ack = OFFER._replace(message_type=MessageType.ACK)
    reply = BOOTP(encode_reply(message({}, ciaddr=bytes((10, 77, 0, 9)), flags=0), ack))
    assert (reply.ciaddr, reply.yiaddr, int(reply.flags)) == ("10.77.0.9", "0.0.0.0", 0)
    assert ("message-type", 5) in options_of(bytes(reply))


@pytest.mark.parametrize("identifier", [b"", bytes(16), bytes(18), b"\1" + bytes(16)])
def test_a_malformed_machine_identifier_is_not_echoed(identifier):
    assert 97 not in decode(encode_reply(message({97: identifier}), OFFER)).options


def test_option_43_is_absent_unless_it_says_something():
    assert 43 not in decode(encode_reply(message({}), OFFER)).options
    bypass = OFFER._replace(vendor_options=vendor_options(BYPASS, None))
    assert decode(encode_reply(message({}), bypass)).options[43] == b"\x06\x01\x08\xff"


def test_a_boot_item_is_echoed_after_the_discovery_tags():
    assert vendor_options(BYPASS, b"\x80\0\0\0") == b"\x06\x01\x08\x47\x04\x80\0\0\0"
    assert vendor_options(b"", b"\x80\0\0\0") == b"\x47\x04\x80\0\0\0"


def test_relay_information_is_echoed_as_the_last_option():
    relay = b"\x01\x04abcd\x02\x02xy"
    url = Answer(MessageType.OFFER, US, HTTP_CLIENT, "http://10.77.0.2:8080/loaders/snponly.efi")
    datagram = encode_reply(message({82: relay, 97: UUID}), url)
    assert datagram.rstrip(b"\0").endswith(bytes((82, len(relay))) + relay + b"\xff")


def test_http_boot_gets_its_url_in_the_field_and_in_a_terminated_option_67():
    url = "http://10.77.0.2:8080/loaders/snponly.efi"
    reply = decode(encode_reply(message({}), Answer(MessageType.OFFER, US, HTTP_CLIENT, url)))
    assert reply.options[60] == b"HTTPClient"
    assert reply.options[67] == url.encode() + b"\0"
    assert list(reply.options)[-1] == 67
    assert reply.file.rstrip(b"\0") == url.encode()


def test_a_name_of_127_bytes_fits_the_field_with_its_nul():
    name = "a" * 127
    reply = decode(encode_reply(message({}), OFFER._replace(file=name)))
    assert reply.file == name.encode() + b"\0"
    assert 67 not in reply.options


def test_a_longer_name_goes_into_a_terminated_option_67_only():
    name = "a" * 128
    reply = decode(encode_reply(message({}), OFFER._replace(file=name)))
    assert reply.file == bytes(128)
    assert reply.options[67] == name.encode() + b"\0"


def addresses(ciaddr: str = "0.0.0.0", giaddr: str = "0.0.0.0") -> dict[str, bytes]:
    return {"ciaddr": bytes(map(int, ciaddr.split("."))), "giaddr": bytes(map(int, giaddr.split(".")))}


NOBODY, EDK2, IPXE = ("0.0.0.0", 68), ("10.77.0.9", 4011), ("10.77.0.9", 68)
DESTINATIONS = {
    "a client without an address: broadcast": (addresses(), NOBODY, 67, ("255.255.255.255", 68)),
    "a relayed request: the relay's server port": (
        addresses(giaddr="10.1.0.1"),
        ("10.1.0.1", 67),
        67,
        ("10.1.0.1", 67),
    ),
    "a relay that sends from another port": (addresses(giaddr="10.1.0.1"), ("10.9.9.9", 1067), 67, ("10.1.0.1", 67)),
    "a client with an address": (addresses(ciaddr="10.77.0.9"), IPXE, 67, ("10.77.0.9", 68)),
    "EDK2 on 4011: where it asked from": (addresses(ciaddr="10.77.0.9"), EDK2, 4011, EDK2),
    "iPXE on 4011: where it asked from": (addresses(ciaddr="10.77.0.9"), IPXE, 4011, IPXE),
    "4011 never broadcasts": (addresses(), ("10.77.0.9", 50000), 4011, ("10.77.0.9", 50000)),
}


@pytest.mark.parametrize(("fields", "source", "port", "wanted"), DESTINATIONS.values(), ids=DESTINATIONS)
def test_destination(fields, source, port, wanted):
    assert destination(message({}, **fields), source, port) == wanted
