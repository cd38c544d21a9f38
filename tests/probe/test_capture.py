"""pxed.probe.capture against the captures of real firmware and files made by hand."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from scapy.layers.dhcp import BOOTP
from scapy.utils import PcapReader

from pxed.errors import PxedError
from pxed.probe.capture import ETHERNET, LINUX_SLL, LINUX_SLL2, RAW_IP, RAW_IPV4, Datagram, Segment, packets, read

CAPTURES = sorted((Path(__file__).parent.parent / "data" / "captures").glob("*.pcap"))
MAC = bytes.fromhex("525400770001")


def ip(body: bytes, *, ident: int = 7, offset: int = 0, more: bool = False, protocol: int = 17) -> bytes:
    where = offset // 8 | (0x2000 if more else 0)
    return struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, where, 64, protocol, 0, b"\n\x4d\x00\x02", b"\xff" * 4
    ) + body  # fmt: skip


def udp(payload: bytes) -> bytes:
    return struct.pack("!HHHH", 67, 68, 8 + len(payload), 0) + payload


def ethernet(packet: bytes, tags: bytes = b"", ethertype: int = 0x0800) -> bytes:
    return b"\xff" * 6 + MAC + tags + struct.pack("!H", ethertype) + packet


def pcap(
    *frames: bytes, linktype: int = ETHERNET, magic: int = 0xA1B2C3D4, order: str = "<", fraction: int = 5
) -> bytes:
    head = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, linktype)
    return head + b"".join(struct.pack(order + "IIII", 9, fraction, len(f), len(f)) + f for f in frames)


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng(*frames: bytes, linktype: int = ETHERNET, options: bytes = b"") -> bytes:
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", linktype, 0, 0) + options)
    packets = (block(6, struct.pack("<IIIII", 0, 0, 9_000_005, len(f), len(f)) + f) for f in frames)
    statistics = block(5, struct.pack("<III", 0, 0, 0))
    return section + interface + b"".join(packets) + statistics


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "some.pcap"
    path.write_bytes(data)
    return path


EXPECTED = Datagram(9.000005, "10.77.0.2", 67, "255.255.255.255", 68, "52:54:00:77:00:01", b"hello")


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.stem)
def test_real_captures_read_as_scapy_dissects_them(path: Path) -> None:
    skipped: Counter[str] = Counter()
    ours = list(read(path, skipped))
    with PcapReader(str(path)) as packets:
        theirs = [p for p in packets if "IP" in p and "UDP" in p]
        assert [(d.src, d.dst, d.sport, d.dport, d.mac) for d in ours] == [
            (p["IP"].src, p["IP"].dst, p["UDP"].sport, p["UDP"].dport, p.src) for p in theirs
        ]
        assert [d.payload for d in ours] == [bytes(p["UDP"].payload) for p in theirs]
        assert [d.time for d in ours] == pytest.approx([float(p.time) for p in theirs])
    assert set(skipped) <= {"packets that are not IPv4"}


def test_there_are_captures_with_dhcp_in_them() -> None:
    datagrams = [d for path in CAPTURES for d in read(path) if 67 in (d.sport, d.dport)]
    assert len(datagrams) > 50
    assert all(BOOTP(d.payload).hlen == 6 for d in datagrams)


FRAMES = {
    "Ethernet": (ETHERNET, ethernet(ip(udp(b"hello")))),
    "Ethernet with a VLAN tag": (ETHERNET, ethernet(ip(udp(b"hello")), tags=b"\x81\x00\x00\x07")),
    "Ethernet with two VLAN tags": (ETHERNET, ethernet(ip(udp(b"hello")), tags=b"\x88\xa8\x00\x01\x81\x00\x00\x07")),
    "Ethernet with a trailer": (ETHERNET, ethernet(ip(udp(b"hello"))) + bytes(20)),
    "Linux cooked": (LINUX_SLL, struct.pack("!HHH6sxxH", 4, 1, 6, MAC, 0x0800) + ip(udp(b"hello"))),
    "Linux cooked v2": (LINUX_SLL2, struct.pack("!HHIHBB6sxx", 0x0800, 0, 2, 1, 4, 6, MAC) + ip(udp(b"hello"))),
}


@pytest.mark.parametrize(("linktype", "frame"), FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("form", [pcap, pcapng])
def test_a_datagram_is_found_in_every_link_layer(form, linktype: int, frame: bytes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert list(read(write(tmp_path, form(frame, linktype=linktype)))) == [EXPECTED]


@pytest.mark.parametrize("linktype", [RAW_IP, RAW_IPV4])
def test_raw_ip_has_no_mac(linktype: int, tmp_path: Path) -> None:
    [datagram] = read(write(tmp_path, pcap(ip(udp(b"hello")), linktype=linktype)))
    assert (datagram.mac, datagram.payload) == ("", b"hello")


@pytest.mark.parametrize(
    ("order", "magic", "fraction"),
    [("<", 0xA1B2C3D4, 5), (">", 0xA1B2C3D4, 5), ("<", 0xA1B23C4D, 5000), (">", 0xA1B23C4D, 5000)],
    ids=["little endian", "big endian", "little endian, nanoseconds", "big endian, nanoseconds"],
)
def test_every_classic_header(order: str, magic: int, fraction: int, tmp_path: Path) -> None:
    data = pcap(ethernet(ip(udp(b"hello"))), order=order, magic=magic, fraction=fraction)
    assert list(read(write(tmp_path, data))) == [EXPECTED]


def test_pcapng_with_nanoseconds(tmp_path: Path) -> None:
    resolution = struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0)
    [datagram] = read(write(tmp_path, pcapng(ethernet(ip(udp(b"hello"))), options=resolution)))
    assert datagram.time == pytest.approx(0.009000005)


def test_a_gzipped_capture(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(pcap(ethernet(ip(udp(b"hello"))))))
    assert list(read(path)) == [EXPECTED]


def test_fragments_in_any_order_make_one_datagram(tmp_path: Path) -> None:
    body = udp(bytes(range(256)) * 8)
    pieces = [
        ethernet(ip(body[start : start + 800], offset=start, more=start + 800 < len(body)))
        for start in range(0, len(body), 800)
    ]
    assert len(pieces) == 3
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 0, 1, 2]):
        skipped: Counter[str] = Counter()
        [datagram] = read(write(tmp_path, pcap(*(pieces[i] for i in order))), skipped)
        assert datagram.payload == body[8:]
        assert not skipped


def test_a_missing_fragment_is_counted(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    lonely = ethernet(ip(udp(bytes(792)), more=True))
    assert not list(read(write(tmp_path, pcap(lonely)), skipped))
    assert skipped == {"fragments without the rest of their datagram": 1}


def test_first_fragments_without_end_are_bounded(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    many = [ethernet(ip(udp(bytes(8)), more=True, ident=i)) for i in range(1000)]
    whole = ethernet(ip(udp(b"hello")))
    assert list(read(write(tmp_path, pcap(*many, whole)), skipped)) == [EXPECTED]
    assert skipped == {"fragments without the rest of their datagram": 1000}


SKIPPED = {
    "packets that are not IPv4": ethernet(bytes(40), ethertype=0x86DD),
    "packets that are not UDP": ethernet(ip(bytes(20), protocol=1)),
    "packets with a wrong IPv4 header": ethernet(b"\x55" + ip(udp(b"x"))[1:]),
    "packets that the capture kept only in part": ethernet(ip(udp(b"hello"))[:-2]),
    "packets with a wrong UDP length": ethernet(ip(struct.pack("!HHHH", 67, 68, 90, 0) + b"hello")),
    "packets that end inside a header": ethernet(b"")[:13],
}


@pytest.mark.parametrize(("reason", "frame"), SKIPPED.items(), ids=SKIPPED)
def test_what_is_skipped_is_counted(reason: str, frame: bytes, tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    assert list(read(write(tmp_path, pcap(frame, ethernet(ip(udp(b"hello"))))), skipped)) == [EXPECTED]
    assert skipped == {reason: 1}


def test_an_unknown_link_type_is_counted(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    assert not list(read(write(tmp_path, pcap(b"xyz", linktype=147)), skipped))
    assert skipped == {"packets of link type 147, which is not understood": 1}


@pytest.mark.parametrize("form", [pcap, pcapng])
def test_a_capture_cut_at_any_byte_gives_what_is_whole_and_then_says_so(form, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    frame = ethernet(ip(udp(b"hello")))
    data = form(frame, frame)
    for cut in range(len(data)):
        path = write(tmp_path, data[:cut])
        found, message = [], "none"
        try:
            for datagram in read(path):
                found.append(datagram)
        except PxedError as error:
            message = str(error)
        assert found == [EXPECTED] * len(found)
        at_a_record = list_of_boundaries(form, frame)
        assert (message == "none") == (cut in at_a_record), f"cut at {cut}: {message}"


def list_of_boundaries(form, frame: bytes) -> set[int]:  # type: ignore[no-untyped-def]
    if form is pcap:
        return {24, 24 + 16 + len(frame)}
    packet = len(block(6, bytes(20) + frame))
    return {28, 48, 48 + packet, 48 + 2 * packet}


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"not a capture at all", bytes(100), b"\x1f\x8b\x08 not gzip", b"\n\r\r\n" + bytes(40)],
    ids=["empty", "one byte", "text", "zeros", "broken gzip", "broken pcapng"],
)
def test_no_capture_is_a_plain_error(data: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    with pytest.raises(PxedError, match=str(path)):
        list(read(path))


def test_a_missing_file_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(PxedError, match="No such file"):
        list(read(tmp_path / "none.pcap"))


@pytest.mark.fuzz
def test_damaged_captures_raise_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(2131)
    seeds = [path.read_bytes()[:4000] for path in CAPTURES] + [pcapng(*[ethernet(ip(udp(b"hello")))] * 3)] * 9
    for _ in range(5000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = write(tmp_path, bytes(data[: rng.randrange(1, len(data) + 1)]))
        try:
            assert all(isinstance(d, Datagram) for d in read(path))
        except PxedError as error:
            assert str(path) in str(error)


def test_importing_the_module_does_not_import_scapy() -> None:
    code = "import sys, pxed.probe.capture; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SEGMENT = struct.pack("!HHIIBBHHH", 40000, 8080, 7, 9, 0x50, 0x18, 100, 0, 0) + b"GET / HTTP/1.1\r\n"


def test_segments_are_given_beside_datagrams_and_counted_by_a_reader_of_datagrams(tmp_path: Path) -> None:
    path = write(tmp_path, pcap(ethernet(ip(SEGMENT, protocol=6)), ethernet(ip(udp(b"hello")))))
    segment, datagram = packets(path)
    assert segment == Segment(
        9.000005, "10.77.0.2", 40000, "255.255.255.255", 8080, "52:54:00:77:00:01", 0x18, 7, 9, b"GET / HTTP/1.1\r\n"
    )
    assert datagram == EXPECTED
    skipped: Counter[str] = Counter()
    assert list(read(path, skipped)) == [EXPECTED]
    assert skipped == {"packets that are not UDP": 1}


def test_what_the_capture_kept_in_part_tells_how_much_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, pcap(ethernet(ip(udp(b"hello")))[:-2], ethernet(ip(SEGMENT, protocol=6))[:-6]))
    datagram, segment = packets(path)
    assert (datagram.payload, datagram.lost) == (b"hel", 2)
    assert isinstance(segment, Segment)
    assert (segment.payload, segment.size) == (b"GET / HTTP", 16)


def test_a_wrong_tcp_header_is_counted(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    assert not list(packets(write(tmp_path, pcap(ethernet(ip(bytes(20), protocol=6)))), skipped))
    assert skipped == {"packets with a wrong TCP header": 1}
