"""Read the UDP datagrams and TCP segments of a packet capture: pcap and pcapng, plain or gzipped.

Link layers: Ethernet (with VLAN tags), Linux cooked v1 and v2, raw IP. IPv4 only (RFC 791), whose fragments are put
together again; everything else is counted under a reason. scapy reads the file formats, the few headers are unpacked
here. scapy is imported by the first `read()`, so importing this module costs nothing.
"""

from __future__ import annotations

import gzip
import logging
import struct
import zlib
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from pxed.errors import PxedError

ETHERNET, RAW_IP, LINUX_SLL, RAW_IPV4, LINUX_SLL2 = 1, 101, 113, 228, 276  # https://www.tcpdump.org/linktypes.html
_RAW_IP_OLD = 12  # DLT_RAW as some BSDs write it
IPV4 = 0x0800
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
UDP = 17
TCP = 6
MAX_PARTIAL = 256  # IP datagrams whose fragments are kept; a capture may hold any number of first fragments
NANOSECOND = 1_000_000_000
MICROSECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram as it was on the wire. `time`: seconds since 1970; `mac`: the sender's, "" where unknown."""

    time: float
    src: str
    sport: int
    dst: str
    dport: int
    mac: str
    payload: bytes
    lost: int = 0  # bytes at its end that the capture did not keep


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment (RFC 9293 3.1). `mac` as in Datagram."""

    time: float
    src: str
    sport: int
    dst: str
    dport: int
    mac: str
    flags: int
    sequence: int
    acknowledged: int
    payload: bytes
    lost: int = 0

    @property
    def size(self) -> int:
        """Bytes of payload on the wire."""
        return len(self.payload) + self.lost


Packet = Datagram | Segment


def read(path: Path | str, skipped: MutableMapping[str, int] | None = None) -> Iterator[Datagram]:
    """The capture's UDP datagrams in their order; `skipped` counts, by reason, the packets that are none.

    Raises PxedError, once everything whole has been given, for a file that is damaged, cut short or no capture.
    """
    for packet in _packets(Path(path), {} if skipped is None else skipped, _only_whole_datagrams):
        if isinstance(packet, Datagram):
            yield packet


def packets(path: Path | str, skipped: MutableMapping[str, int] | None = None) -> Iterator[Packet]:
    """As `read`, with the TCP segments, and with packets that the capture kept in part (`lost`)."""
    return _packets(Path(path), {} if skipped is None else skipped, lambda packet: packet)


def packet_of(time: float, linktype: int, frame: bytes, fragments: Fragments | None = None) -> Packet | None:
    """The packet in one frame; None for what is none, or is not whole yet."""
    try:
        return _dissect(time, linktype, frame, fragments or Fragments())
    except _Skip:
        return None


def _only_whole_datagrams(packet: Packet) -> Packet:
    if isinstance(packet, Segment):
        raise _Skip("packets that are not UDP")
    if packet.lost:
        raise _Skip("packets that the capture kept only in part")
    return packet


def _packets(path: Path, counts: MutableMapping[str, int], wanted: Callable[[Packet], Packet]) -> Iterator[Packet]:
    fragments = Fragments()
    for time, linktype, frame in _frames(path):
        try:
            packet = _dissect(time, linktype, frame, fragments)
            packet = packet and wanted(packet)
        except _Skip as reason:
            counts[str(reason)] = counts.get(str(reason), 0) + 1
        else:
            if packet is not None:
                yield packet
    if fragments.lost:
        counts["fragments without the rest of their datagram"] = fragments.lost


class _Skip(Exception):  # noqa: N818 -- not an error: a packet that is not ours, with the reason
    pass


# The file


class _Watched:
    """A file that is never read past its end and knows whether a record needed more than there was."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file = file
        self.left = size
        self.short = False
        self.fresh = False

    def begin(self) -> None:
        """A record begins: only here may the file end."""
        self.fresh = True

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else size
        data = self.file.read(min(wanted, self.left))
        self.left -= len(data)
        if len(data) < wanted and not (self.fresh and not data):
            self.short = True
        self.fresh = False
        return data

    def close(self) -> None:
        self.file.close()


def _frames(path: Path) -> Iterator[tuple[float, int, bytes]]:
    with _open(path) as file:
        watched = _Watched(file, _size(path, file))
        reader = _reader(path, watched)
        # A pcapng block that is no packet gives None, so that every step begins at the start of a record.
        step = getattr(reader, "_read_block", reader._read_packet)
        while (found := _record(path, watched, step)) is not _END:
            if found is not None:
                data, about = found
                yield _time(reader, about), getattr(about, "linktype", None) or reader.linktype, data


_END = object()


def _record(path: Path, watched: _Watched, step: Callable[[], Any]) -> Any:
    watched.begin()
    try:
        found = step()
    except EOFError:
        found = _END
    except Exception as error:  # scapy's readers raise whatever a damaged block leads to
        raise PxedError(f"{path}: the capture is damaged {_where(watched)}: {error}") from error
    if watched.short:
        raise PxedError(f"{path}: the capture ends inside a packet; it was cut short")
    if found is _END and watched.left:
        raise PxedError(f"{path}: the capture is damaged {_where(watched)}")
    return found


def _where(watched: _Watched) -> str:
    return f"{watched.left} bytes before its end"


def _open(path: Path) -> IO[bytes]:
    try:
        file = path.open("rb")
        if file.read(2) == b"\x1f\x8b":
            file.close()
            return cast("IO[bytes]", gzip.open(path, "rb"))
        file.seek(0)
    except OSError as error:
        raise PxedError(f"{path}: cannot be read: {error.strerror}") from error
    return file


def _size(path: Path, file: IO[bytes]) -> int:
    try:
        size = file.seek(0, 2)
        file.seek(0)
    except (OSError, EOFError, zlib.error) as error:
        raise PxedError(f"{path}: the gzip file is damaged: {error}") from error
    return size


def _reader(path: Path, file: _Watched) -> Any:
    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings say less than our one sentence
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader

    try:
        return RawPcapNgReader(cast("Any", file))  # its metaclass falls back to the classic reader
    except (Scapy_Exception, struct.error) as error:
        raise PxedError(f"{path}: not a packet capture (pcap or pcapng)") from error


def _time(reader: Any, about: Any) -> float:
    if hasattr(about, "tshigh"):
        if about.tshigh is None or about.tslow is None:  # simple packet blocks have no time
            return 0.0
        return float((about.tshigh << 32 | about.tslow) / about.tsresol)
    return float(about.sec + about.usec / (NANOSECOND if reader.nano else MICROSECOND))


# The headers


def _dissect(time: float, linktype: int, frame: bytes, fragments: Fragments) -> Packet | None:
    try:
        mac, packet = _link(linktype, frame)
        header, body = _ip(packet, fragments)
        if header is None:
            return None
        return (_udp if header.protocol == UDP else _tcp)(time, mac, header, body)
    except (struct.error, IndexError):
        raise _Skip("packets that end inside a header") from None


def _link(linktype: int, frame: bytes) -> tuple[str, bytes]:
    """The sender's MAC and the IPv4 packet."""
    if linktype in (RAW_IP, RAW_IPV4, _RAW_IP_OLD):
        if not frame or frame[0] >> 4 != 4:
            raise _Skip("packets that are not IPv4")
        return "", frame
    if linktype == ETHERNET:
        mac, offset = frame[6:12], 12
    elif linktype == LINUX_SLL:
        mac, offset = frame[6:12], 14
    elif linktype == LINUX_SLL2:
        mac, offset = frame[12:18], 0
    else:
        raise _Skip(f"packets of link type {linktype}, which is not understood")
    (ethertype,) = struct.unpack_from("!H", frame, offset)
    start = 20 if linktype == LINUX_SLL2 else offset + 2
    while ethertype in VLAN_TAGS:
        (ethertype,) = struct.unpack_from("!H", frame, start + 2)
        start += 4
    if ethertype != IPV4:
        raise _Skip("packets that are not IPv4")
    return mac.hex(":"), frame[start:]


@dataclass(frozen=True, slots=True)
class _Header:
    src: str
    dst: str
    protocol: int
    lost: int


def _ip(packet: bytes, fragments: Fragments) -> tuple[_Header | None, bytes]:
    """RFC 791 3.1. The header is None while fragments are still missing."""
    version_ihl, _, total, ident, where, _, protocol, _, src, dst = struct.unpack_from("!BBHHHBBH4s4s", packet)
    start = (version_ihl & 15) * 4
    if version_ihl >> 4 != 4 or start < 20 or total < start:
        raise _Skip("packets with a wrong IPv4 header")
    if protocol not in (UDP, TCP):
        raise _Skip("packets that are not UDP")
    body, lost = packet[start:total], max(total - len(packet), 0)
    offset, more = (where & 0x1FFF) * 8, bool(where & 0x2000)
    if offset or more:
        if lost:
            raise _Skip("packets that the capture kept only in part")
        whole = fragments.add((src, dst, ident), offset, more, body)
        if whole is None:
            return None, b""
        body = whole
    return _Header(".".join(map(str, src)), ".".join(map(str, dst)), protocol, lost), body


def _udp(time: float, mac: str, header: _Header, body: bytes) -> Datagram:
    sport, dport, length = struct.unpack_from("!HHH", body)
    if not 8 <= length <= len(body) + header.lost:
        raise _Skip("packets with a wrong UDP length")
    payload = bytes(body[8:length])
    return Datagram(time, header.src, sport, header.dst, dport, mac, payload, length - 8 - len(payload))


def _tcp(time: float, mac: str, header: _Header, body: bytes) -> Segment:
    sport, dport, sequence, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", body)
    start = (offset >> 4) * 4
    if start < 20 or start > len(body) + header.lost:
        raise _Skip("packets with a wrong TCP header")
    return Segment(
        time, header.src, sport, header.dst, dport, mac, flags, sequence, acknowledged, bytes(body[start:]), header.lost
    )


_Key = tuple[bytes, bytes, int]


@dataclass(slots=True)
class Fragments:
    """Puts IP datagrams together (RFC 791 3.2). Keeps the newest MAX_PARTIAL; `lost`: pieces that never fitted."""

    parts: dict[_Key, dict[int, bytes]] = field(default_factory=dict)
    ends: dict[_Key, int] = field(default_factory=dict)
    evicted: int = 0

    @property
    def lost(self) -> int:
        return self.evicted + sum(len(pieces) for pieces in self.parts.values())

    def add(self, key: _Key, offset: int, more: bool, body: bytes) -> bytes | None:
        if key not in self.parts and len(self.parts) >= MAX_PARTIAL:
            oldest = next(iter(self.parts))
            self.evicted += len(self.parts.pop(oldest))
            self.ends.pop(oldest, None)
        pieces = self.parts.setdefault(key, {})
        pieces.setdefault(offset, body)
        if not more:
            self.ends[key] = offset + len(body)
        return self._whole(key)

    def _whole(self, key: _Key) -> bytes | None:
        if key not in self.ends:
            return None
        whole = b""
        for offset, body in sorted(self.parts[key].items()):
            if offset > len(whole):
                return None
            whole = whole[:offset] + body
        if len(whole) != self.ends[key]:
            return None
        del self.parts[key], self.ends[key]
        return whole
