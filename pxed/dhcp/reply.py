"""From what was decided to the bytes of the reply. RFC 2131 4.1 (destination), 4.3; PXE 2.1 2.4; RFC 3046 2.2.

The boot file's name goes into the `file` field with its NUL: EDK2 writes a NUL past an option 67 that has none and so
destroys the next option's tag. Option 67 is used for HTTP Boot, and where a name is too long for the field.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from pxed.dhcp.codes import (
    BOOT_SERVER_PORT,
    BROADCAST_FLAG,
    CLIENT_PORT,
    MAGIC_COOKIE,
    SERVER_PORT,
    MessageType,
    Op,
    Option,
    PxeOption,
)
from pxed.dhcp.message import MINIMUM_SIZE, ZERO_ADDRESS, Message, encode_option
from pxed.dhcp.pxe import HTTP_CLIENT, is_machine_identifier

LONGEST_FILE = 127  # bytes in the `file` field, its NUL left out
SHARED_BLOCKS = 16384  # option blocks kept: one per distinct answer, whatever the number of requests
BROADCAST = "255.255.255.255"

# Discovery control, bit 3: "use the file of this offer, ask no boot server" (PXE 2.1 2.4).
BYPASS = bytes((PxeOption.DISCOVERY_CONTROL, 1, 8))
# What the boot ROM of a Raspberry Pi looks for: a prompt, and a menu entry of this very name (Q23: smee, ltsp 415).
RASPBERRY_PI = b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot"

_USUAL_FLAGS = frozenset((b"\0\0", b"\x80\0"))
_BROADCAST = b"\0\0\x80\0"  # secs 0, and the flag
_NO_ADDRESSES = bytes(8)  # ciaddr, yiaddr
_BEFORE_CIADDR = struct.Struct("!BBBBIHH")


class Answer(NamedTuple):
    """What a reply says. Equal answers share their encoded options."""

    message_type: MessageType
    address: bytes  # our own, 4 bytes
    vendor_class: bytes  # PXEClient, or HTTPClient for UEFI HTTP Boot: anything else is dropped by firmware
    file: str
    vendor_options: bytes = b""  # option 43 without its End; b"" for no option 43


class Block(NamedTuple):
    """The parts of a reply that do not depend on the request."""

    sname: bytes
    file: bytes
    head: bytes  # options before the echoed ones
    tail: bytes  # the bootfile option, which stays last but for option 82


def encode_reply(request: Message, answer: Answer) -> bytes:
    """The reply's datagram."""
    common = template(request, answer)
    is_ack = answer.message_type == MessageType.ACK
    # An offer without an address can only be broadcast; a relay goes by this flag and yiaddr (RFC 2131 4.1), and iPXE
    # does not set it. dnsmasq does the same.
    flags = request.flags if is_ack else request.flags | BROADCAST_FLAG
    echo = request.options.get(97, b"")
    return b"".join(
        (
            _BEFORE_CIADDR.pack(Op.BOOTREPLY, request.htype, request.hlen, request.hops, request.xid, 0, flags),
            request.ciaddr if is_ack else ZERO_ADDRESS,
            ZERO_ADDRESS,  # yiaddr: a ProxyDHCP server gives no addresses
            common.address,
            request.giaddr,
            request.chaddr,
            common.middle,
            b"\x61\x11" + echo if is_machine_identifier(echo) else b"",
            common.end,
        )
    ).ljust(MINIMUM_SIZE, b"\0")


class Template(NamedTuple):
    """A reply but for the header's first fields and what it echoes."""

    address: bytes
    middle: bytes  # sname, file, the options before option 97
    end: bytes  # the options after it


def template(request: Message, answer: Answer) -> Template:
    """What the replies to all requests have in common that differ from `request` in header and option 97 only."""
    block = _block(answer)
    relay = request.options.get(82)
    echoed = encode_option(Option.RELAY_AGENT_INFORMATION, relay) if relay is not None else b""
    middle = block.sname.ljust(64, b"\0") + block.file.ljust(128, b"\0") + MAGIC_COOKIE + block.head
    return Template(answer.address, middle, block.tail + echoed + b"\xff")


def fill(offer: Template, datagram: bytes, start: int, end: int) -> bytes:
    """The OFFER to the request in `datagram`, whose option 97 is at [start:end]. Equal to what encode_reply gives."""
    flags = datagram[10:12]
    return b"".join(
        (
            b"\2",
            datagram[1:8],  # htype, hlen, hops, xid
            _BROADCAST if flags in _USUAL_FLAGS else bytes((0, 0, flags[0] | 0x80, flags[1])),
            _NO_ADDRESSES,
            offer.address,
            datagram[24:44],  # giaddr, chaddr
            offer.middle,
            datagram[start:end],
            offer.end,
        )
    ).ljust(MINIMUM_SIZE, b"\0")


def destination(request: Message, source: tuple[str, int], port: int) -> tuple[str, int]:
    """Where the reply goes. A client without an address is reached by broadcast only (RFC 2131 4.1)."""
    if port == BOOT_SERVER_PORT:
        return source  # EDK2 asks from 4011 or 68 and listens there; dnsmasq 2.92 broke this
    if request.giaddr != ZERO_ADDRESS:
        return dotted(request.giaddr), SERVER_PORT
    if request.ciaddr != ZERO_ADDRESS:
        return dotted(request.ciaddr), CLIENT_PORT
    return BROADCAST, CLIENT_PORT


def vendor_options(discovery: bytes, boot_item: bytes | None) -> bytes:
    """Option 43's content: discovery tags, and the boot item of the request, echoed."""
    item = b"" if boot_item is None else bytes((PxeOption.BOOT_ITEM, len(boot_item))) + boot_item
    return discovery + item


def dotted(address: bytes) -> str:
    """4 bytes as text."""
    return f"{address[0]}.{address[1]}.{address[2]}.{address[3]}"


@lru_cache(maxsize=SHARED_BLOCKS)
def packed(address: str) -> bytes:
    """Dotted text as 4 bytes."""
    return bytes(map(int, address.split(".")))


@lru_cache(maxsize=SHARED_BLOCKS)
def _block(answer: Answer) -> Block:
    name = answer.file.encode()
    in_field = len(name) <= LONGEST_FILE
    server_name = dotted(answer.address).encode()
    head = (
        encode_option(Option.MESSAGE_TYPE, bytes((answer.message_type,)))
        + encode_option(Option.SERVER_IDENTIFIER, answer.address)
        + encode_option(Option.VENDOR_CLASS, answer.vendor_class)
        + (encode_option(Option.VENDOR_SPECIFIC, answer.vendor_options + b"\xff") if answer.vendor_options else b"")
        + encode_option(Option.TFTP_SERVER_NAME, server_name)
    )
    as_option = answer.vendor_class == HTTP_CLIENT or not in_field
    tail = encode_option(Option.BOOTFILE_NAME, name + b"\0") if as_option else b""
    return Block(server_name, name if in_field else b"", head, tail)
