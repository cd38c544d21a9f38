"""How long a short text is once Go has gzipped it: compress/gzip at BestCompression, up to Go 1.26.

Butane gzips contents if that makes their data URL shorter, so near the border its choice hangs on the exact length.
Go's matcher and its choice of block types differ from zlib's: it wants matches of four bytes, settles ties of the
Huffman codes in its own way, and ends every stream with an empty stored block. RFC 1951; golang.org, compress/flate.

Left out: the bytes themselves, which may be anybody's DEFLATE, and texts of more than one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

MAX_SIZE = 1 << 13  # bytes; a block holds 16,384 tokens, and a match reaches 32 KiB back

_WRAPPER = 18  # bytes of gzip around the stream: header, checksum and length
_LEAST, _LONGEST = 4, 258  # bytes of a match
_END = 256  # end of block
# First length of each length code from 257 on, and first distance of each distance code; bits that follow each code.
_LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
            227, 258]  # fmt: skip
_LENGTH_BITS = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0]
_DISTANCES = [1, 2, 3, 4, *(((2 + half) << bits) + 1 for bits in range(1, 14) for half in (0, 1))]
_DISTANCE_BITS = [0] * 4 + [bits for bits in range(1, 14) for _ in range(2)]
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)  # of the lengths of the code of lengths
_REPEAT_BITS = {16: 2, 17: 3, 18: 7}
_CODE = {length: max(i for i, first in enumerate(_LENGTHS) if first <= length) for length in range(3, 259)}

Match = tuple[int, int]  # length and distance


def gzip_length(text: bytes) -> int:
    """Bytes of the gzip file that Go makes of a text of at most MAX_SIZE bytes."""
    bits = _block_bits(text) if text else 0
    # The last block begins with three bits and goes on at the next byte's border.
    return _WRAPPER + (bits + 3 + 7) // 8 + 4


def _matches(text: bytes) -> Iterator[int | Match]:
    """Literals and matches, found with hash chains and put off while the next byte begins a longer one."""
    places: dict[bytes, list[int]] = {}
    at, length, distance, pending = 0, _LEAST - 1, 0, False
    while at < len(text):
        before, length, distance, last = length, _LEAST - 1, 0, distance
        chain = places.setdefault(text[at : at + _LEAST], [])
        if len(text) - at > before and before < _LONGEST:
            length, distance = _longest(text, at, chain)
        chain.append(at)
        if before >= _LEAST and length <= before:
            yield before, last
            end = at + before - 1
            for place in range(at + 1, end):
                places.setdefault(text[place : place + _LEAST], []).append(place)
            at, length, pending = end, _LEAST - 1, False
            continue
        if pending:
            yield text[at - 1]
        at, pending = at + 1, True
    if pending:
        yield text[at - 1]


def _longest(text: bytes, at: int, chain: list[int]) -> Match:
    """The longest match among earlier places, the nearest of equals."""
    best, distance, limit = _LEAST - 1, 0, min(_LONGEST, len(text) - at)
    for place in reversed(chain):
        length = best
        if text[place : place + best + 1] == text[at : at + best + 1]:
            length = best + 1
            while length < limit and text[place + length] == text[at + length]:
                length += 1
        if best < length <= limit and (length > _LEAST or at - place <= 4096):
            best, distance = length, at - place
            if best == limit:
                break
    return best, distance


def _block_bits(text: bytes) -> int:
    """Bits of the one block that holds the text, by the cheapest of the three types."""
    literals, distances, extra = [0] * (_END + 30), [0] * 30, 0
    for token in _matches(text):
        if isinstance(token, int):
            literals[token] += 1
            continue
        length, distance = _CODE[token[0]], max(i for i, first in enumerate(_DISTANCES) if first <= token[1])
        literals[_END + 1 + length] += 1
        distances[distance] += 1
        extra += _LENGTH_BITS[length] + _DISTANCE_BITS[distance]
    literals[_END] = 1
    spare = not any(distances)  # then Go counts one distance that it does not write
    distances[0] += spare
    fixed = 3 + sum(n * _fixed_bits(symbol) for symbol, n in enumerate(literals)) + 5 * sum(distances) + extra
    codes = _lengths(literals, 15), _lengths(distances, 15)
    dynamic = _header_bits(*codes) + _cost(literals, codes[0]) + _cost(distances, codes[1]) + extra
    if (len(text) + 5) * 8 < min(fixed, dynamic):
        return (len(text) + 5) * 8
    return dynamic - spare if dynamic < fixed else fixed - 5 * spare


def _fixed_bits(symbol: int) -> int:
    return 8 if symbol < 144 or symbol > 279 else 9 if symbol < _END else 7


def _cost(counts: Sequence[int], lengths: Sequence[int]) -> int:
    return sum(count * length for count, length in zip(counts, lengths, strict=True))


def _header_bits(literals: Sequence[int], distances: Sequence[int]) -> int:
    """Bits of what precedes a dynamic block: the lengths of both codes, run-length encoded and coded themselves."""
    counts, extra = [0] * 19, 0
    for symbol in _runs([*_used(literals), *_used(distances)]):
        counts[symbol] += 1
        extra += _REPEAT_BITS.get(symbol, 0)
    sent = max(4, *(place + 1 for place, symbol in enumerate(_ORDER) if counts[symbol]))
    return 3 + 5 + 5 + 4 + 3 * sent + _cost(counts, _lengths(counts, 7)) + extra


def _used(lengths: Sequence[int]) -> Sequence[int]:
    return lengths[: 1 + max(symbol for symbol, length in enumerate(lengths) if length)]


def _runs(lengths: Iterable[int]) -> Iterator[int]:
    for length, group in groupby(lengths):
        count = len(list(group))
        if length:
            yield length
            count -= 1
        for symbol, most, least in ((16, 6, 3),) if length else ((18, 138, 11), (17, 10, 3)):
            while count >= least:
                yield symbol
                count -= min(most, count)
        yield from [length] * count


def _lengths(counts: Sequence[int], limit: int) -> list[int]:
    """Lengths of an optimal prefix code with a limit (package-merge). Of equal weights a package goes before a leaf."""
    lengths = [0] * len(counts)
    leaves = sorted((count, symbol) for symbol, count in enumerate(counts) if count)
    if len(leaves) <= 2:
        for _, symbol in leaves:
            lengths[symbol] = 1
        return lengths
    for taken in _leaves_by_depth([count for count, _ in leaves], min(limit, len(leaves) - 1)):
        for _, symbol in leaves[:taken]:
            lengths[symbol] += 1
    return lengths


def _leaves_by_depth(weights: list[int], limit: int) -> Iterator[int]:
    """For each depth, how many of the lightest leaves lie at it or deeper."""
    rows: list[list[tuple[int, bool]]] = []  # weight, whether a leaf; packages sort first
    packages: list[tuple[int, bool]] = []
    for _ in range(limit):
        row = sorted([*packages, *((weight, True) for weight in weights)], key=itemgetter(0, 1))
        rows.append(row)
        packages = [(one[0] + two[0], False) for one, two in zip(row[::2], row[1::2], strict=False)]
    wanted = 2 * len(weights) - 2
    for row in reversed(rows):
        leaves = sum(leaf for _, leaf in row[:wanted])
        yield leaves
        wanted = 2 * (wanted - leaves)
