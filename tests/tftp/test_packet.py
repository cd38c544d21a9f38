"""The codec of RFC 1350 and RFC 2347: tables, round trips, and bytes of any kind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.errors import DecodeError
from pxed.probe.capture import read
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack, OpCode, Packet, Rrq, Wrq, decode, encode

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
MUTATIONS = 250_000

WIRE = {
    "a plain read": (b"\0\1snponly.efi\0octet\0", Rrq("snponly.efi", "octet")),
    "a read with options": (
        b"\0\1x\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0",
        Rrq("x", "octet", (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4"))),
    ),
    "an option twice": (b"\0\1x\0octet\0a\x001\0A\x002\0", Rrq("x", "octet", (("a", "1"), ("A", "2")))),
    "an empty file name": (b"\0\1\0octet\0", Rrq("", "octet")),
    "a name that is not UTF-8": (b"\0\1undionly.kpxe\xff\0octet\0", Rrq("undionly.kpxe\udcff", "octet")),
    "a write": (b"\0\2x\0netascii\0", Wrq("x", "netascii")),
    "a block": (b"\0\3\1\2abc", Data(0x0102, b"abc")),
    "an empty block": (b"\0\3\xff\xff", Data(0xFFFF, b"")),
    "an acknowledgment": (b"\0\4\0\7", Ack(7)),
    "an error": (b"\0\5\0\1file not found\0", Error(ErrorCode.NOT_FOUND, "file not found")),
    "an error with a code that nobody registered": (b"\0\5\3\xe7\0", Error(999, "")),
    "an option acknowledgment": (b"\0\6tsize\x00100\0", Oack((("tsize", "100"),))),
}

LENIENT = {
    "an acknowledgment with padding": (b"\0\4\0\7\0\0\0", Ack(7)),
    "an error without the NUL": (b"\0\5\0\0gone", Error(0, "gone")),
    "a request padded with zeros": (b"\0\1x\0octet\0" + bytes(20), Rrq("x", "octet")),
    "an option without a value": (b"\0\1x\0octet\0blksize\0", Rrq("x", "octet")),
    "an option whose value has no NUL": (
        b"\0\1x\0octet\0tsize\x000\0blksize\x00512",
        Rrq("x", "octet", (("tsize", "0"),)),
    ),
}

BROKEN = {
    "nothing": b"",
    "three bytes": b"\0\4\0",
    "an opcode that is none": b"\0\7\0\0",
    "opcode 0": b"\0\0\0\0",
    "the opcode's bytes swapped": b"\1\0x\0octet\0",
    "a read without a mode": b"\0\1snponly.efi\0",
    "a read whose mode has no NUL": b"\0\1snponly.efi\0octet",
    "a read without any NUL": b"\0\1snponly.efi",
}


@pytest.mark.parametrize(("datagram", "packet"), WIRE.values(), ids=WIRE.keys())
def test_decodes_and_encodes(datagram: bytes, packet: Packet) -> None:
    assert decode(datagram) == packet
    assert encode(packet) == datagram


@pytest.mark.parametrize(("datagram", "packet"), LENIENT.values(), ids=LENIENT.keys())
def test_understands(datagram: bytes, packet: Packet) -> None:
    assert decode(datagram) == packet


@pytest.mark.parametrize("datagram", BROKEN.values(), ids=BROKEN.keys())
def test_does_not_decode(datagram: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(datagram)


def test_block_numbers_are_masked_at_the_edge() -> None:
    assert encode(Data(65536, b"x")) == b"\0\3\0\0x"
    assert encode(Ack(65537)) == b"\0\4\0\1"


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
options = st.lists(st.tuples(text.filter(bool), text), max_size=6).map(tuple)
numbers = st.integers(0, 0xFFFF)
packets = st.one_of(
    st.builds(Rrq, text, text, options),
    st.builds(Wrq, text, text, options),
    st.builds(Data, numbers, st.binary(max_size=600)),
    st.builds(Ack, numbers),
    st.builds(Error, numbers, text),
    st.builds(Oack, options.filter(lambda pairs: len(pairs) > 0)),
)


@given(packets)
def test_every_packet_survives_the_wire(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@given(
    st.binary(max_size=600) | st.builds(bytes.__add__, st.sampled_from([bytes((0, n)) for n in OpCode]), st.binary())
)
def test_all_bytes_decode_to_a_packet_or_a_decode_error(datagram: bytes) -> None:
    decodes(datagram)


def decodes(datagram: bytes) -> bool:
    """Decode what may be anything; whatever is understood can be encoded, and is then understood the same."""
    try:
        packet = decode(datagram)
    except DecodeError:
        return False
    # Two bytes of an OACK without options are too few for a packet.
    assert packet == Oack(()) or decode(encode(packet)) == packet
    return True


def captured() -> list[bytes]:
    """The TFTP requests of real firmware, and one packet of every other kind."""
    asked = {d.payload for path in sorted(CAPTURES.glob("*.pcap")) for d in read(path) if d.dport == 69}
    assert len(asked) >= 5
    return sorted(asked) + [datagram for datagram, _ in WIRE.values()]


@pytest.mark.parametrize("datagram", [d for d in captured() if d[1] == OpCode.RRQ])
def test_requests_of_real_firmware_decode(datagram: bytes) -> None:
    packet = decode(datagram)
    assert isinstance(packet, Rrq)
    assert packet.mode.lower() == "octet"
    assert encode(packet) == datagram


def mutate(rng: random.Random, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.choice((0, 1, 255, rng.randrange(256)))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case _:
                data[at:at] = data[: rng.randrange(len(data) + 1)]
    return bytes(data[:1500])


@pytest.mark.fuzz
def test_mutated_packets_decode_or_raise_decode_error() -> None:
    rng, seeds, understood = random.Random(1350), captured(), 0
    for _ in range(MUTATIONS):
        understood += decodes(mutate(rng, rng.choice(seeds)))
    assert MUTATIONS // 10 < understood < MUTATIONS
