"""DHCP messages as oracles read them: a parser of its own, stricter than any firmware. RFC 2131 2, RFC 2132, RFC 3396.

Independent of pxed's codec and of scapy's, so that an error in one is no error in the other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = 236
COOKIE = bytes([99, 130, 83, 99])
PAD, END, OVERLOAD = 0, 255, 52
OVERLOAD_FILE, OVERLOAD_SNAME = 1, 2
BOOTP_MINIMUM = 300
IP_AND_UDP = 28
DEFAULT_MAXIMUM = 576  # RFC 2131 2: what a client without option 57 must take, IP and UDP headers included

Options = tuple[tuple[int, bytes], ...]


class MalformedError(ValueError):
    """Bytes that break the standards, with the rule."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram that is delivered."""

    src: str
    sport: int
    dst: str
    dport: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """A DHCP message. Options keep their order and repetitions; those of overloaded fields follow, `file` first."""

    op: int
    htype: int
    hlen: int
    hops: int
    xid: int
    secs: int
    flags: int
    ciaddr: str
    yiaddr: str
    siaddr: str
    giaddr: str
    chaddr: bytes
    sname: bytes
    file: bytes
    options: Options
    size: int

    def first(self, tag: int) -> bytes | None:
        """The first option of this tag: what EDK2 and iPXE look at."""
        return next((value for code, value in self.options if code == tag), None)

    def joined(self, tag: int) -> bytes | None:
        """All of them in one (RFC 3396 7)."""
        found = [value for code, value in self.options if code == tag]
        return b"".join(found) if found else None

    @property
    def kind(self) -> int:
        """Option 53; 0 for BOOTP."""
        value = self.first(53)
        return value[0] if value else 0

    @property
    def overload(self) -> int:
        value = self.first(OVERLOAD)
        return value[0] if value else 0

    @property
    def server(self) -> str:
        """Option 54; "" without one."""
        value = self.first(54)
        return dotted(value) if value and len(value) == 4 else ""

    @property
    def broadcast(self) -> bool:
        return bool(self.flags & 0x8000)


def dotted(address: bytes) -> str:
    return ".".join(str(byte) for byte in address)


def parse(raw: bytes) -> Packet:
    """Every field, or MalformedError. Nothing but zeros may follow the End of a field."""
    if len(raw) < HEADER + len(COOKIE):
        raise MalformedError(f"{len(raw)} bytes are less than the header")
    if raw[HEADER : HEADER + 4] != COOKIE:
        raise MalformedError("no magic cookie")
    options = options_in(raw[HEADER + 4 :], "the options field")
    sname, file = raw[44:108], raw[108:236]
    overload = next((value for code, value in options if code == OVERLOAD), b"\0")
    if len(overload) != 1 or overload[0] > 3:
        raise MalformedError("option 52 is not 1, 2 or 3")
    if overload[0] & OVERLOAD_FILE:
        options += options_in(file, "the file field")
    if overload[0] & OVERLOAD_SNAME:
        options += options_in(sname, "the sname field")
    op, htype, hlen, hops, xid, secs, flags = struct.unpack_from("!BBBBIHH", raw)
    ciaddr, yiaddr, siaddr, giaddr = (dotted(raw[at : at + 4]) for at in (12, 16, 20, 24))
    addresses = (ciaddr, yiaddr, siaddr, giaddr)
    return Packet(op, htype, hlen, hops, xid, secs, flags, *addresses, raw[28:44], sname, file, options, len(raw))


def options_in(field: bytes, where: str) -> Options:
    """The options of one field, which must have an End."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(field):
        tag = field[at]
        if tag == PAD:
            at += 1
            continue
        if tag == END:
            if any(field[at + 1 :]):
                raise MalformedError(f"something other than zeros after the End of {where}")
            return tuple(found)
        if at + 1 >= len(field) or at + 2 + field[at + 1] > len(field):
            raise MalformedError(f"option {tag} is cut short in {where}")
        found.append((tag, field[at + 2 : at + 2 + field[at + 1]]))
        at += 2 + field[at + 1]
    raise MalformedError(f"no End in {where}")


def text(field: bytes) -> str:
    """A C string: up to its NUL, or the whole field."""
    return field.split(b"\0", 1)[0].decode("latin-1")


def largest(asked: Packet) -> int:
    """The most bytes of UDP payload that the sender of `asked` takes (option 57 counts the IP and UDP headers too)."""
    value = asked.first(57)
    size = int.from_bytes(value, "big") if value and len(value) == 2 else DEFAULT_MAXIMUM
    return max(size, DEFAULT_MAXIMUM) - IP_AND_UDP


def flaw(reply: Packet, asked: Packet) -> str:
    """What RFC 951, 1542, 2131 and 4578 forbid in any reply to `asked`; "" when nothing is wrong.

    RFC 2131 4.3.1 table 3: op 2, xid, htype, hlen, chaddr, giaddr as in the request. RFC 1542 2.1: 300 bytes at least.
    """
    if reply.op != 2:
        return f"op is {reply.op}, not 2 (BOOTREPLY)"
    for name in ("htype", "hlen", "xid", "chaddr", "giaddr"):
        if getattr(reply, name) != getattr(asked, name):
            return f"{name} is not the request's"
    if reply.size < BOOTP_MINIMUM:
        return f"{reply.size} bytes are less than BOOTP's 300"
    if reply.size > largest(asked):
        return f"{reply.size} bytes are more than the client takes, {largest(asked)}"
    tags = [code for code, _ in reply.options]
    repeated = {tag for tag in tags if tags.count(tag) > 1 and len(reply.joined(tag) or b"") <= 255}
    if repeated:
        return f"option {min(repeated)} is there twice"
    echo = reply.joined(97)
    if echo is not None and echo != asked.joined(97):
        return "option 97 is not the request's"
    return ""
