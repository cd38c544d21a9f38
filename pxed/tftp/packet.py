"""TFTP packets as values: decode and encode.

RFC 1350 https://www.rfc-editor.org/rfc/rfc1350 (packets, error codes), RFC 2347 https://www.rfc-editor.org/rfc/rfc2347
(options, OACK, error 8). Left out: the "mail" mode, which RFC 1350 declares obsolete, is decoded and never served.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from pxed.errors import DecodeError


class OpCode(IntEnum):
    """RFC 1350 section 5, RFC 2347 (OACK)."""

    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


class ErrorCode(IntEnum):
    """RFC 1350 appendix I, RFC 2347 (8)."""

    UNDEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_NEGOTIATION = 8


Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rrq:
    """A read request. Names that are not UTF-8 keep their bytes as surrogates (PEP 383)."""

    filename: str
    mode: str  # as sent; RFC 1350: upper and lower case are the same
    options: Options = ()  # in the order of the packet, as sent, duplicates included


@dataclass(frozen=True, slots=True)
class Wrq:
    """A write request, which pxed always refuses."""

    filename: str
    mode: str
    options: Options = ()


@dataclass(frozen=True, slots=True)
class Data:
    """A block. `block` is the number on the wire, 0 to 65535."""

    block: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgment. `block` is the number on the wire, 0 to 65535."""

    block: int


@dataclass(frozen=True, slots=True)
class Error:
    """An error; it ends the transfer and is never acknowledged, nor answered by another error."""

    code: int  # an ErrorCode, or a number that nobody registered
    message: str


@dataclass(frozen=True, slots=True)
class Oack:
    """The options that the server grants, as the client spelt them."""

    options: Options


Packet = Rrq | Wrq | Data | Ack | Error | Oack

_U16 = struct.Struct(">H")
_TWO_U16 = struct.Struct(">HH")


def decode(datagram: bytes) -> Packet:
    """The packet in a datagram. Raises DecodeError, and nothing else, for everything that is none."""
    if len(datagram) < 4:
        raise DecodeError(f"a TFTP packet has 4 bytes at least, this one has {len(datagram)}")
    opcode, number = _TWO_U16.unpack_from(datagram)
    if opcode == OpCode.ACK:
        return Ack(number)  # bytes after the number are padding of some ROMs
    if opcode == OpCode.DATA:
        return Data(number, datagram[4:])
    if opcode == OpCode.ERROR:
        return Error(number, _text(datagram[4:].split(b"\0", 1)[0]))
    if opcode in (OpCode.RRQ, OpCode.WRQ):
        return _request(opcode, datagram)
    if opcode == OpCode.OACK:
        return Oack(_options(datagram[2:].split(b"\0")))
    raise DecodeError(f"there is no TFTP opcode {opcode}")


def encode(packet: Packet) -> bytes:
    """The datagram of a packet."""
    match packet:
        case Data(block, data):
            return _TWO_U16.pack(OpCode.DATA, block & 0xFFFF) + data
        case Ack(block):
            return _TWO_U16.pack(OpCode.ACK, block & 0xFFFF)
        case Error(code, message):
            return _TWO_U16.pack(OpCode.ERROR, code) + _strings(message)
        case Oack(options):
            return _U16.pack(OpCode.OACK) + _strings(*_flat(options))
        case Rrq(filename, mode, options):
            return _U16.pack(OpCode.RRQ) + _strings(filename, mode, *_flat(options))
        case Wrq(filename, mode, options):
            return _U16.pack(OpCode.WRQ) + _strings(filename, mode, *_flat(options))


def _request(opcode: int, datagram: bytes) -> Rrq | Wrq:
    fields = datagram[2:].split(b"\0")
    if len(fields) < 3:
        raise DecodeError("a TFTP request has a file name and a mode, each with a NUL at its end")
    kind = Rrq if opcode == OpCode.RRQ else Wrq
    return kind(_text(fields[0]), _text(fields[1]), _options(fields[2:]))


def _options(fields: list[bytes]) -> Options:
    """Pairs of name and value. A name without a value, and zeros up to a fixed size, are left out."""
    texts = [_text(field) for field in fields[:-1]]  # what follows the last NUL is not terminated
    return tuple((name, value) for name, value in zip(texts[::2], texts[1::2], strict=False) if name)


def _flat(options: Options) -> list[str]:
    return [text for option in options for text in option]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _strings(*texts: str) -> bytes:
    return b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts)
