"""Files as DATA packets: block borders, block numbers, sharing and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.tftp import blocks as module
from pxed.tftp.blocks import Blocks, ChunkCache, wire
from pxed.tftp.packet import Ack, Data, decode


@given(st.binary(max_size=3000), st.integers(8, 600))
def test_the_blocks_of_a_file_are_the_file(content: bytes, blksize: int) -> None:
    blocks = Blocks(content, content, blksize, 0, ChunkCache())
    data = [decode(packet) for packet in blocks.packets(1, blocks.last + 1)]
    assert data == [Data(n + 1, content[n * blksize : (n + 1) * blksize]) for n in range(blocks.last)]
    assert len(data[-1].data) < blksize  # type: ignore[union-attr]


@pytest.mark.parametrize(("size", "last"), [(0, 1), (1, 1), (511, 1), (512, 2), (513, 2), (1024, 3)])
def test_a_multiple_of_the_block_size_ends_with_an_empty_block(size: int, last: int) -> None:
    assert Blocks(bytes(size), size, 512, 0, ChunkCache()).last == last


@pytest.mark.parametrize(
    ("rollover", "numbers"),
    [
        (0, {0: 0, 1: 1, 65535: 65535, 65536: 0, 65537: 1, 131071: 65535, 131072: 0}),
        (1, {0: 0, 1: 1, 65535: 65535, 65536: 1, 131070: 65535, 131071: 1}),
    ],
    ids=["to 0", "to 1"],
)
def test_the_block_number_rolls_over(rollover: int, numbers: dict[int, int]) -> None:
    assert {block: wire(block, rollover) for block in numbers} == numbers


@pytest.mark.parametrize("rollover", [0, 1])
def test_packets_and_acks_have_the_number_on_the_wire(rollover: int) -> None:
    blocks = Blocks(bytes(8 * 70_000), "zeros", 8, rollover, ChunkCache())
    for block in (1, 65535, 65536, 65537, 70_000):
        chunk = blocks.chunk(block)
        assert chunk.first <= block < chunk.end
        number = blocks.wire(block)
        assert decode(chunk.packets[block - chunk.first]) == Data(number, bytes(8))
        assert decode(chunk.acks[block - chunk.first]) == Ack(number)


def test_packets_may_lie_in_several_chunks() -> None:
    content = bytes(range(256)) * 4096
    blocks = Blocks(content, "a", 65464, 0, ChunkCache())
    assert blocks.chunk(1).end <= 3
    assert b"".join(packet[4:] for packet in blocks.packets(1, blocks.last + 1)) == content


def test_chunks_are_shared_and_told_apart() -> None:
    cache = ChunkCache()
    chunk = Blocks(b"x" * 2000, "a", 512, 0, cache).chunk(1)
    assert Blocks(b"x" * 2000, "a", 512, 0, cache).chunk(2) is chunk
    for other in (Blocks(b"y" * 2000, "b", 512, 0, cache), Blocks(b"x" * 2000, "a", 513, 0, cache)):
        assert other.chunk(1) is not chunk


def test_the_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    cache = ChunkCache(limit=10_000)  # three chunks of 3,000 bytes and what they cost beside

    def chunk(key: int) -> object:
        return Blocks(bytes([key]) * 3000, key, 1024, 0, cache).chunk(1)

    first, second, _ = chunk(0), chunk(1), chunk(2)
    assert chunk(0) is first
    chunk(3)
    assert chunk(0) is first
    assert chunk(1) is not second
    assert sum(chunk.cost for chunk in cache._chunks.values()) == cache._cost <= 10_000


@pytest.mark.parametrize("blksize", [8, 512, 1468, 65464])
def test_a_chunk_is_bounded_for_every_block_size(blksize: int) -> None:
    class Zeros:
        def __len__(self) -> int:
            return 1 << 40

        def __getitem__(self, piece: slice) -> bytes:
            return bytes(piece.stop - piece.start)

    chunk = Blocks(Zeros(), "zeros", blksize, 0, ChunkCache()).chunk(1 << 20)
    assert chunk.cost <= 2 * module.CHUNK_BYTES
