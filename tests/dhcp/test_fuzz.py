"""Bytes of any kind: decoding gives a value or DecodeError, and the responder never answers with something undecodable.

Seeded: the same packets in every run. Seeds are the captures of real firmware and forged clients of every kind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pxed.boot.endpoint import Endpoint
from pxed.dhcp.message import Message, decode, encode
from pxed.dhcp.pxe import BootRequest, NoBootRequest, boot_request
from pxed.errors import DecodeError
from pxed.probe.capture import read
from pxed.probe.oracles import clients
from pxed.probe.oracles.wire import parse
from pxed.server.respond import respond
from tests.dhcp.responder import inventory

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
ROUNDS = 200_000
HELD = inventory(unknown="hold")
HERE = Endpoint("10.77.0.2")
SOURCES = ("0.0.0.0", 68), ("10.77.0.99", 68), ("10.77.0.99", 4011), ("10.9.0.1", 67)
Mutation = Callable[[random.Random, bytearray], None]


def seeds() -> list[bytes]:
    captured = {d.payload for path in CAPTURES.glob("*.pcap") for d in read(path) if {67, 4011} & {d.sport, d.dport}}
    kinds = (
        clients.bios_rom(),
        clients.efi(7),
        clients.efi_http(16),
        clients.ipxe(7),
        clients.ipxe(0, user_class=b"\4iPXE"),
    )
    forged = {request.payload for kind in kinds for request in (kind.discover(), kind.ask("10.77.0.2", item=1))}
    return sorted(captured | forged)


def flip(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] = rng.choice(
        (0, 1, 43, 52, 53, 60, 77, 82, 93, 97, 175, 254, 255, rng.randrange(256))
    )


def in_options(rng: random.Random, data: bytearray) -> None:
    """Tags and lengths are where a parser goes wrong."""
    if len(data) > 240:
        data[rng.randrange(240, len(data))] = rng.choice((0, 52, 255, rng.randrange(256)))


def cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(1, len(data) + 1) :]


def delete(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 9)]
    data.extend(b"\xff" if not data else b"")


def insert(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randrange(1, 9))


def insert_option(rng: random.Random, data: bytearray) -> None:
    """A well-formed option of any tag, first of all; overload and repetitions among them."""
    value = rng.randbytes(rng.choice((0, 1, 1, 4, 17, rng.randrange(64))))
    tag = rng.choice((43, 52, 53, 54, 60, 77, 82, 93, 97, 175, rng.randrange(1, 255)))
    data[240:240] = bytes((tag, len(value))) + value


MUTATIONS: tuple[Mutation, ...] = (flip, overwrite, in_options, in_options, cut, delete, insert, insert_option)


def mutants(seed: int, count: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    originals = seeds()
    for _ in range(count):
        data = bytearray(rng.choice(originals))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            rng.choice(MUTATIONS)(rng, data)
        yield bytes(data)


@pytest.mark.fuzz
def test_mutated_packets_decode_or_raise_decode_error() -> None:
    decoded = 0
    for datagram in mutants(1, ROUNDS):
        try:
            message = decode(datagram)
        except DecodeError:
            continue
        assert type(message) is Message
        assert isinstance(boot_request(message, 67), BootRequest | NoBootRequest)
        decoded += 1
    assert ROUNDS // 4 < decoded < ROUNDS  # both ways are taken


@pytest.mark.fuzz
def test_the_responder_never_raises_and_never_answers_something_undecodable() -> None:
    rng = random.Random(2)
    answers = 0
    for datagram in mutants(3, ROUNDS):
        try:
            outcome = respond(HELD, datagram, rng.choice((67, 4011)), rng.choice(SOURCES), HERE)
        except DecodeError:
            continue
        if outcome.reply is None:
            continue
        answers += 1
        reply = parse(outcome.reply)  # the oracles' parser is the stricter one
        assert decode(outcome.reply).xid == reply.xid == outcome.message.xid
        assert (reply.op, reply.chaddr) == (2, outcome.message.chaddr)
        assert outcome.destination[1] in (67, 68, 4011)
    assert answers > ROUNDS // 50


@pytest.mark.fuzz
def test_random_bytes_behind_a_good_header() -> None:
    rng = random.Random(4)
    header = clients.efi(7).discover().payload[:240]
    for _ in range(ROUNDS // 4):
        try:
            message = decode(header + rng.randbytes(rng.randrange(80)))
        except DecodeError:
            continue
        assert decode(encode(message)).options == message.options


@pytest.mark.fuzz
def test_random_bytes_without_any_structure() -> None:
    rng = random.Random(5)
    for _ in range(ROUNDS // 10):
        with pytest.raises(DecodeError):
            decode(rng.randbytes(rng.randrange(600)))
