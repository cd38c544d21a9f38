"""The disguise of an iPXE ROM: what changes in its DHCP requests, and what must not."""

from __future__ import annotations

import struct

from tests.lab.plainrom import disguise, is_tftp_request

MARKS = bytes([77, 4]) + b"iPXE" + bytes([175, 3, 1, 2, 3])
PLAIN = bytes([53, 1, 1, 93, 2, 0, 0]) + bytes([60, 9]) + b"PXEClient"


def frame(sport: int, dport: int, data: bytes) -> bytes:
    """An Ethernet frame with a UDP datagram in it."""
    udp = struct.pack("!HHHH", sport, dport, 8 + len(data), 0xBEEF) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    return b"\xff" * 6 + b"\x52\x54\x00\x77\x00\x01" + b"\x08\x00" + ip + udp


def discover(options: bytes) -> bytes:
    return frame(68, 67, bytes(236) + b"\x63\x82\x53\x63" + options + b"\xff")


def test_ipxes_own_options_become_padding_and_all_else_stays() -> None:
    before, after = discover(PLAIN + MARKS + PLAIN), disguise(discover(PLAIN + MARKS + PLAIN))
    assert len(after) == len(before)
    assert after[42 + 240 :] == PLAIN + bytes(len(MARKS)) + PLAIN + b"\xff"
    assert after[40:42] == b"\0\0", "a stale checksum would make every receiver drop it"


def test_other_frames_pass_unchanged() -> None:
    arp = b"\xff" * 12 + b"\x08\x06" + bytes(28)
    answer = frame(67, 68, bytes(236) + b"\x63\x82\x53\x63" + MARKS)
    short = frame(68, 67, b"no DHCP")
    assert [disguise(raw) for raw in (arp, answer, short)] == [arp, answer, short]


def test_the_disguise_ends_at_the_first_tftp_request() -> None:
    assert is_tftp_request(frame(2070, 69, b"\0\x01undionly.kpxe\0octet\0"))
    assert not is_tftp_request(discover(PLAIN))
