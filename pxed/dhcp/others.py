"""What another server's DHCP reply says: does it give addresses, does it offer a network boot. RFC 2131, PXE 2.1."""

from __future__ import annotations

from typing import NamedTuple

from pxed.dhcp.codes import MessageType, Op, Option
from pxed.dhcp.message import ZERO_ADDRESS, decode
from pxed.dhcp.pxe import HTTP_CLIENT, PXE_CLIENT
from pxed.dhcp.reply import dotted
from pxed.errors import DecodeError

LONGEST_FILE, LONGEST_VENDOR = 200, 32  # characters that are kept
_FILE_IN_OVERLOAD = 1
_NAMES = {bytes((kind,)): kind.name for kind in (MessageType.OFFER, MessageType.ACK, MessageType.NAK)}


class OtherReply(NamedTuple):
    """One reply. Addresses are dotted, "" for none."""

    server: str  # option 54, else where it came from
    message: str  # "OFFER" | "ACK" | "NAK"; "" for plain BOOTP
    mac: str
    xid: bytes
    given: str  # the client's new address; a ProxyDHCP gives none
    vendor: str  # option 60
    file: str  # boot file name or URL
    next: str  # siaddr

    @property
    def is_boot(self) -> bool:
        """It offers firmware a network boot."""
        return self.vendor.encode().startswith((PXE_CLIENT, HTTP_CLIENT)) or bool(self.file)


def other_reply(datagram: bytes, source: str) -> OtherReply | None:
    """The reply in a datagram from `source`; None for anything else."""
    try:
        message = decode(datagram)
    except DecodeError:
        return None
    if message.op != Op.BOOTREPLY:
        return None
    options = message.options
    kind, server = options.get(Option.MESSAGE_TYPE, b""), options.get(Option.SERVER_IDENTIFIER, b"")
    overload = options.get(Option.OVERLOAD, b"\0")[0]
    file = options.get(Option.BOOTFILE_NAME) or (b"" if overload & _FILE_IN_OVERLOAD else message.file)
    return OtherReply(
        _address(server) or source,
        _NAMES.get(kind, ""),
        message.mac,
        datagram[4:8],
        _address(message.yiaddr),
        _text(options.get(Option.VENDOR_CLASS, b""), LONGEST_VENDOR),
        _text(file, LONGEST_FILE),
        _address(message.siaddr),
    )


def _address(value: bytes) -> str:
    return dotted(value) if len(value) == len(ZERO_ADDRESS) and value != ZERO_ADDRESS else ""


def _text(value: bytes, longest: int) -> str:
    """Up to its NUL, made printable."""
    text = value.partition(b"\0")[0][:longest].decode("ascii", "replace")
    return "".join(char if char.isprintable() and char.isascii() else "?" for char in text)
