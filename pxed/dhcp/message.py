"""A DHCP message, as bytes and as a value. RFC 2131 2 (fields), RFC 2132 3 (options), RFC 3396 (long options), RFC 2132 9.3 (overload).

`decode` returns a Message or raises DecodeError, for all bytes, and nothing else. Left out: authentication (RFC 3118).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from pxed.dhcp.codes import MAGIC_COOKIE, Option
from pxed.errors import DecodeError

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
HEADER_SIZE = _HEADER.size  # 240, magic cookie included
MINIMUM_SIZE = 300  # RFC 951: clients and relays drop a BOOTP message that is shorter
MAX_HARDWARE_ADDRESS = 16
_FILE_IN_OVERLOAD, _SNAME_IN_OVERLOAD = 1, 2
ZERO_ADDRESS = bytes(4)


class Message(NamedTuple):
    """The fields of RFC 2131 figure 1. Addresses are 4 bytes. A tuple: one is built for each datagram of a flood."""

    op: int
    htype: int
    hlen: int
    hops: int
    xid: int
    secs: int
    flags: int
    ciaddr: bytes
    yiaddr: bytes
    siaddr: bytes
    giaddr: bytes
    chaddr: bytes  # 16 bytes, the padding included
    sname: bytes  # 64 bytes
    file: bytes  # 128 bytes
    options: Mapping[int, bytes]

    @property
    def hardware_address(self) -> bytes:
        """chaddr without its padding."""
        return self.chaddr[: self.hlen]

    @property
    def mac(self) -> str:
        """The Ethernet address in lower case with colons, or "" where chaddr holds none (InfiniBand: RFC 4390)."""
        return self.chaddr[:6].hex(":") if self.hlen == 6 else ""


def decode(datagram: bytes) -> Message:
    """The message in a datagram; DecodeError when it is none."""
    if len(datagram) < HEADER_SIZE:
        raise DecodeError(f"{len(datagram)} bytes are no DHCP message: the header alone has {HEADER_SIZE}")
    *fields, magic = _HEADER.unpack_from(datagram)
    if magic != MAGIC_COOKIE:
        raise DecodeError(f"the magic cookie is {magic.hex()}, not {MAGIC_COOKIE.hex()}")
    if fields[2] > MAX_HARDWARE_ADDRESS:
        raise DecodeError(f"hlen {fields[2]} is more than {MAX_HARDWARE_ADDRESS}")
    options: dict[int, bytes] = {}
    parse_options(datagram, HEADER_SIZE, options)
    if Option.OVERLOAD in options:
        _parse_overload(fields[12], fields[13], options)
    return Message(*fields, options)


def parse_options(data: bytes, start: int, into: dict[int, bytes]) -> None:
    """Read code, length, value until End or the end of `data`. A repeated option is joined (RFC 3396 7)."""
    position, end = start, len(data)
    while position < end:
        code = data[position]
        if code == 255:
            return
        if code == 0:
            position += 1
            continue
        value = position + 2
        if value > end:
            raise DecodeError(f"option {code} has no length")
        position = value + data[position + 1]
        if position > end:
            raise DecodeError(f"option {code} is longer than the message")
        into[code] = into[code] + data[value:position] if code in into else data[value:position]


def _parse_overload(sname: bytes, file: bytes, options: dict[int, bytes]) -> None:
    """Options that go on in `file`, then in `sname` (RFC 2131 4.1, RFC 3396 5)."""
    overload = options[Option.OVERLOAD]
    if len(overload) != 1 or overload[0] not in (1, 2, 3):
        raise DecodeError(f"option overload {overload.hex()} is not 01, 02 or 03")
    if overload[0] & _FILE_IN_OVERLOAD:
        parse_options(file, 0, options)
    if overload[0] & _SNAME_IN_OVERLOAD:
        parse_options(sname, 0, options)


def encode_option(code: int, value: bytes) -> bytes:
    """One option; a value over 255 bytes is split (RFC 3396 5)."""
    if not value:
        return bytes((code, 0))
    chunks = (value[i : i + 255] for i in range(0, len(value), 255))
    return b"".join(bytes((code, len(chunk))) + chunk for chunk in chunks)


def encode_header(message: Message) -> bytes:
    """The 240 bytes before the options, the magic cookie included."""
    return _HEADER.pack(*message[:14], MAGIC_COOKIE)


def encode(message: Message) -> bytes:
    """The datagram: options in the order of the mapping, End, zeros to 300 bytes."""
    options = b"".join(encode_option(code, value) for code, value in message.options.items())
    return (encode_header(message) + options + b"\xff").ljust(MINIMUM_SIZE, b"\0")
