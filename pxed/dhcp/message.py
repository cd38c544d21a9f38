"""A DHCP message, as bytes and as a value. RFC 2131 2 (fields), RFC 2132 3, 9.3 (options, overload), RFC 3396 (joins).

`decode` returns a Message or raises DecodeError, for all bytes, and nothing else. Left out: authentication (RFC 3118).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from pxed.dhcp.codes import MAGIC_COOKIE, Option
from pxed.errors import DecodeError

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
HEADER_SIZE = _HEADER.size  # 240, magic cookie included
MINIMUM_SIZE = 300  # RFC 951: clients and relays drop a BOOTP message that is shorter
MAX_HARDWARE_ADDRESS = 16
SHARED_OPTION_AREAS = 2048  # option areas remembered; a fleet sends a few dozen
REMEMBERED_AREA = 1024  # bytes of the longest one
_MACHINE_IDENTIFIER = b"\x61\x11"  # option 97, 17 bytes
_FILE_IN_OVERLOAD, _SNAME_IN_OVERLOAD = 1, 2
ZERO_ADDRESS = bytes(4)


class Options(dict[int, bytes]):
    """The options of a message. Equal `shape` means that all but option 97 is equal: what they say can be shared."""

    __slots__ = ("shape",)

    shape: tuple[bytes, bytes] | None


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
    fields = _HEADER.unpack_from(datagram)
    if fields[14] != MAGIC_COOKIE:
        raise DecodeError(f"the magic cookie is {fields[14].hex()}, not {MAGIC_COOKIE.hex()}")
    if fields[2] > MAX_HARDWARE_ADDRESS:
        raise DecodeError(f"hlen {fields[2]} is more than {MAX_HARDWARE_ADDRESS}")
    options = _options(datagram[HEADER_SIZE:])
    if 52 in options:
        options.shape = None  # sname and file have options too
        _parse_overload(fields[12], fields[13], options)
    return Message._make((*fields[:14], options))


def _options(area: bytes) -> Options:
    """The options of a message. Machines of one firmware differ in option 97 alone, so the rest is parsed once.

    The place where option 97 seems to begin is one indeed when the bytes before it are whole options, and that depends
    on those bytes only: so what is remembered under (bytes before, bytes after) holds for every value between them.
    """
    start = area.find(_MACHINE_IDENTIFIER)
    end = start + 19
    if start >= 0 and end <= len(area) <= REMEMBERED_AREA:
        shape = area[:start], area[end:]
        parts = options_around(shape)
        if parts is not None:
            options = Options(parts)
            options[97] = area[start + 2 : end]
            options.shape = shape
            return options
    options = Options()
    options.shape = None
    parse_options(area, 0, options)
    return options


@lru_cache(maxsize=SHARED_OPTION_AREAS)
def options_around(shape: tuple[bytes, bytes]) -> Mapping[int, bytes] | None:
    """What stands before and after option 97, together.

    None when the first part is not whole options, or option 97 comes twice, so that order matters.
    """
    before, after = shape
    options: dict[int, bytes] = {}
    try:
        parse_options(before, 0, options)
    except DecodeError:
        return None
    if _has_end(before) or 97 in options:
        return None
    parse_options(after, 0, options)
    return None if 97 in options else options


def _has_end(area: bytes) -> bool:
    """Whether an End option is among whole options."""
    position = 0
    while position < len(area):
        if area[position] == 255:
            return True
        position += 1 if area[position] == 0 else 2 + area[position + 1]
    return False


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
