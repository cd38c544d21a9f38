"""What went over a bridge: tcpdump beside the test, and a small reader of its file that shares no code with pxed.

File format: draft-ietf-opsawg-pcap. Only what tests ask of a capture is decoded: Ethernet, IPv4, UDP, DHCP (RFC 2132).
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.netns import Network
from tests.lab.process import LabError, Program, spawn

_MAGIC = b"\x63\x82\x53\x63"


@dataclass(frozen=True, slots=True)
class Frame:
    """One Ethernet frame; the UDP fields stay empty for anything else."""

    source_mac: str
    target_mac: str
    ethertype: int
    payload: bytes
    source: str = ""
    target: str = ""
    sport: int = 0
    dport: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Dhcp:
    """A DHCP message in a capture."""

    frame: Frame
    op: int
    xid: int
    yiaddr: str
    siaddr: str
    giaddr: str
    chaddr: str
    file: str
    options: dict[int, bytes] = field(default_factory=dict)

    @property
    def type(self) -> int:
        """Option 53; 0 if there is none."""
        return self.options.get(53, b"\0")[0]

    @property
    def arch(self) -> int | None:
        """The first of option 93."""
        raw = self.options.get(93, b"")
        return int.from_bytes(raw[:2], "big") if raw else None


def _mac(raw: bytes) -> str:
    return raw.hex(":")


def _dotted(raw: bytes) -> str:
    return ".".join(map(str, raw))


def _frame(raw: bytes) -> Frame:
    head = Frame(_mac(raw[6:12]), _mac(raw[:6]), int.from_bytes(raw[12:14], "big"), raw[14:])
    packet = head.payload
    if head.ethertype != 0x0800 or len(packet) < 28 or packet[9] != 17:
        return head
    udp = packet[(packet[0] & 15) * 4 :]
    sport, dport, length = struct.unpack_from("!HHH", udp)
    addresses = (_dotted(packet[12:16]), _dotted(packet[16:20]))
    return Frame(head.source_mac, head.target_mac, 0x0800, packet, *addresses, sport, dport, udp[8:length])


def frames(path: Path) -> Iterator[Frame]:
    """The frames of a capture, in order; a record that is not complete yet ends it."""
    raw = path.read_bytes()
    order = "<" if raw[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at = 24
    while at + 16 <= len(raw):
        (length,) = struct.unpack_from(f"{order}I", raw, at + 8)
        at += 16
        if at + length > len(raw):
            return
        yield _frame(raw[at : at + length])
        at += length


def _options(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(raw) and raw[at] != 255:
        if raw[at] == 0:
            at += 1
            continue
        length = raw[at + 1]
        found[raw[at]] = found.get(raw[at], b"") + raw[at + 2 : at + 2 + length]
        at += 2 + length
    return found


def _message(frame: Frame) -> Dhcp:
    data = frame.data
    return Dhcp(
        frame=frame,
        op=data[0],
        xid=int.from_bytes(data[4:8], "big"),
        yiaddr=_dotted(data[16:20]),
        siaddr=_dotted(data[20:24]),
        giaddr=_dotted(data[24:28]),
        chaddr=_mac(data[28:34]),
        file=data[108:236].split(b"\0")[0].decode("ascii", "replace"),
        options=_options(data[240:]),
    )


def messages(path: Path) -> list[Dhcp]:
    """Every DHCP message of a capture, whatever its ports."""
    ports = {67, 68, 4011}
    return [
        _message(frame)
        for frame in frames(path)
        if len(frame.data) >= 240 and frame.data[236:240] == _MAGIC and ports & {frame.sport, frame.dport}
    ]


def start(network: Network, bridge: str, path: Path) -> Program:
    """tcpdump on a bridge, each packet written at once; returns when it listens."""
    argv = ["tcpdump", "-i", bridge, "-U", "-n", "-s", "600", "-w", str(path), "-Z", "root"]
    program = spawn(argv, log=path.with_suffix(".tcpdump"), namespace=network.switch, name=f"tcpdump-{bridge}")
    if program.output.wait(lambda line: line if "listening on" in line else None, timeout=10) is None:
        program.stop()
        raise LabError(f"tcpdump did not start:\n{program.output.end()}")
    return program


@contextlib.contextmanager
def capturing(network: Network, bridge: str, path: Path) -> Iterator[Path]:
    """The capture file of a bridge, growing for the length of the block."""
    program = start(network, bridge, path)
    try:
        yield path
    finally:
        program.stop()
