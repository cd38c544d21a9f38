"""A file cut into DATA packets, made once per file and block size and shared by all transfers at the same place.

Packets are made in chunks, so that a transfer holds no more than one chunk of a big file. RFC 1350 section 2: the last
block is shorter than the block size, and empty when the size is a multiple of it.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from pxed.tftp.packet import OpCode

CHUNK_BYTES = 128 << 10  # of data in one chunk; 1,024 transfers of a hostile mix hold 128 MiB at the most
CHUNK_BLOCKS = 1024  # at most in one chunk: a packet costs 100 bytes beside its data
CACHE_BYTES = 16 << 20  # of chunks kept
PACKET_OVERHEAD = 100  # bytes of memory for a packet and its ACK, roughly

_HEADER = struct.Struct(">HH")
_ACK = OpCode.ACK.to_bytes(2, "big")


class Buffer(Protocol):
    """The bytes of a file: `bytes`, or whatever can be cut like it. May raise PxedError when the file is gone."""

    def __len__(self) -> int: ...
    def __getitem__(self, piece: slice, /) -> bytes: ...


def wire(block: int, rollover: int) -> int:
    """The number on the wire of a block counted from 0: after 65535 comes 0, or 1 for clients that expect it (T4)."""
    if rollover and block > 0xFFFF:
        return (block - 1) % 0xFFFF + 1
    return block & 0xFFFF


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive packets, `packets[0]` being block `first`, and the ACK datagram for each."""

    first: int
    packets: list[bytes]
    acks: list[bytes]

    @property
    def end(self) -> int:
        return self.first + len(self.packets)

    @property
    def cost(self) -> int:
        """Bytes of memory, roughly."""
        return sum(map(len, self.packets)) + PACKET_OVERHEAD * len(self.packets)


class ChunkCache:
    """Chunks by (file, block size, rollover, number), the least recently used dropped first."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._cost = 0
        self._chunks: OrderedDict[Hashable, Chunk] = OrderedDict()

    def get(self, key: Hashable) -> Chunk | None:
        chunk = self._chunks.get(key)
        if chunk is not None:
            self._chunks.move_to_end(key)
        return chunk

    def put(self, key: Hashable, chunk: Chunk) -> None:
        self._chunks[key] = chunk
        self._cost += chunk.cost
        while self._cost > self._limit:
            self._cost -= self._chunks.popitem(last=False)[1].cost


class Blocks:
    """One file at one block size. Blocks are counted from 1 without end; `last` is the final one."""

    __slots__ = ("_blksize", "_cache", "_content", "_key", "_per_chunk", "_rollover", "last", "size")

    def __init__(self, content: Buffer, key: Hashable, blksize: int, rollover: int, cache: ChunkCache) -> None:
        self.size = len(content)
        self.last = self.size // blksize + 1
        self._content = content
        self._key = (key, blksize, rollover)
        self._blksize = blksize
        self._rollover = rollover
        self._cache = cache
        blocks = max(1, min(CHUNK_BLOCKS, CHUNK_BYTES // blksize))
        self._per_chunk = blocks // 64 * 64 or blocks  # windows seldom straddle two chunks

    def wire(self, block: int) -> int:
        """The number of a block on the wire."""
        return wire(block, self._rollover)

    def chunk(self, block: int) -> Chunk:
        """The chunk that `block` (1 to `last`) is in. Raises what the content raises."""
        number = (block - 1) // self._per_chunk
        key = (self._key, number)
        chunk = self._cache.get(key)
        if chunk is None:
            chunk = self._make(number * self._per_chunk + 1)
            self._cache.put(key, chunk)
        return chunk

    def packets(self, first: int, end: int) -> list[bytes]:
        """The packets of blocks `first` to `end - 1`."""
        found: list[bytes] = []
        while first < end:
            chunk = self.chunk(first)
            found += chunk.packets[first - chunk.first : end - chunk.first]
            first = chunk.end
        return found

    def _make(self, first: int) -> Chunk:
        size, end = self._blksize, min(first + self._per_chunk, self.last + 1)
        data = self._content[(first - 1) * size : (end - 1) * size]
        numbers = [wire(block, self._rollover) for block in range(first, end)]
        pack, opcode = _HEADER.pack, int(OpCode.DATA)
        return Chunk(
            first,
            [pack(opcode, number) + data[at * size : (at + 1) * size] for at, number in enumerate(numbers)],
            [_ACK + number.to_bytes(2, "big") for number in numbers],
        )
