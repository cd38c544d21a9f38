"""What other servers' replies say."""

from __future__ import annotations

import pytest

from pxed.dhcp.codes import MessageType
from pxed.dhcp.message import Message, encode
from pxed.dhcp.others import OtherReply, other_reply

MAC = bytes.fromhex("525400000001")
SERVER = bytes((192, 0, 2, 1))


def reply(kind: int | None = MessageType.OFFER, *, op: int = 2, file: bytes = b"", **fields: object) -> bytes:
    options = {} if kind is None else {53: bytes((kind,)), 54: SERVER}
    options |= fields.pop("options", {})  # type: ignore[arg-type]
    empty = bytes(4)
    message = Message(
        op, 1, 6, 0, 0xABCD0001, 0, 0x8000, empty, empty, empty, empty, MAC.ljust(16, b"\0"), bytes(64),
        file.ljust(128, b"\0"), options,
    )  # fmt: skip
    return encode(message._replace(**fields))  # type: ignore[arg-type]


SAID: dict[str, tuple[bytes, OtherReply]] = {
    "an address": (
        reply(yiaddr=bytes((192, 0, 2, 50))),
        OtherReply("192.0.2.1", "OFFER", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "192.0.2.50", "", "", ""),
    ),
    "an address with a boot file in the header": (
        reply(MessageType.ACK, yiaddr=bytes((192, 0, 2, 50)), siaddr=SERVER, file=b"pxelinux.0\0rest"),
        OtherReply(
            "192.0.2.1", "ACK", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "192.0.2.50", "", "pxelinux.0", "192.0.2.1"
        ),
    ),
    "a ProxyDHCP": (
        reply(options={60: b"PXEClient", 67: b"boot/x.efi\0"}),
        OtherReply("192.0.2.1", "OFFER", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "", "PXEClient", "boot/x.efi", ""),
    ),
    "a refusal": (
        reply(MessageType.NAK),
        OtherReply("192.0.2.1", "NAK", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "", "", "", ""),
    ),
    "plain BOOTP, told by where it came from": (
        reply(None, yiaddr=bytes((192, 0, 2, 50))),
        OtherReply("192.0.2.9", "", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "192.0.2.50", "", "", ""),
    ),
    "options in the file field, which is then no name": (
        reply(options={52: b"\1"}, file=b"\x43\x05x.efi\xff"),
        OtherReply("192.0.2.1", "OFFER", "52:54:00:00:00:01", b"\xab\xcd\x00\x01", "", "", "x.efi", ""),
    ),
    "text that would forge a line": (
        reply(options={60: b"PXE\n\x1b[2J\xff" + b"x" * 90, 67: b"a\tb" + b"y" * 250}),
        OtherReply(
            "192.0.2.1",
            "OFFER",
            "52:54:00:00:00:01",
            b"\xab\xcd\x00\x01",
            "",
            "PXE??[2J?" + "x" * 23,
            "a?b" + "y" * 197,
            "",
        ),
    ),
}


@pytest.mark.parametrize(("datagram", "said"), SAID.values(), ids=SAID)
def test_a_reply_is_read(datagram: bytes, said: OtherReply) -> None:
    assert other_reply(datagram, "192.0.2.9") == said


@pytest.mark.parametrize(
    "datagram",
    [b"", bytes(300), reply(op=1), reply()[:239], reply()[:-60] + b"\x0c\xff", reply(options={52: b"\7"})],
    ids=["nothing", "zeros", "a request", "a part", "an option cut off", "an overload that is none"],
)
def test_what_is_no_reply_is_silence(datagram: bytes) -> None:
    assert other_reply(datagram, "192.0.2.9") is None


@pytest.mark.parametrize(
    ("options", "boots"),
    [({}, False), ({60: b"PXEClient"}, True), ({60: b"HTTPClient"}, True), ({67: b"x"}, True), ({60: b"MSFT"}, False)],
    ids=["plain", "PXE", "HTTP Boot", "a boot file", "another option 60"],
)
def test_whether_it_offers_a_boot(options: dict[int, bytes], boots: bool) -> None:
    said = other_reply(reply(options=options), "192.0.2.9")
    assert said is not None
    assert said.is_boot is boots
