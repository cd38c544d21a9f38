"""Downloads in pieces: when has a client, through ranges and resumed transfers, got the whole of a file?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxed.assets.library import Asset

MAX_DELIVERIES = 4096  # unfinished ones; a client that asks for single bytes of many files could grow it otherwise
Key = tuple[str, Asset]  # the client's address, and the file
MAX_PIECES = 64  # gaps in one of them; beyond it the smallest offsets are given up


@dataclass(frozen=True, slots=True)
class Delivery:
    """A file that a client has now got all of. `began` is when its first piece was asked for."""

    began: float


@dataclass(slots=True)
class _Unfinished:
    began: float
    pieces: list[tuple[int, int]]  # [start, stop) in order, not touching


class Deliveries:
    """Pieces sent so far, by client and file."""

    def __init__(self) -> None:
        self._unfinished: OrderedDict[Key, _Unfinished] = OrderedDict()

    def add(self, key: Key, start: int, stop: int, size: int, began: float) -> Delivery | None:
        """Account for bytes [start, stop) of `size`; the delivery when they were the last ones missing."""
        if start <= 0 and stop >= size:
            self._unfinished.pop(key, None)
            return Delivery(began)
        known = self._unfinished.setdefault(key, _Unfinished(began, []))
        self._unfinished.move_to_end(key)
        known.pieces = _merged([*known.pieces, (start, stop)])[-MAX_PIECES:]
        if known.pieces == [(0, size)]:
            del self._unfinished[key]
            return Delivery(known.began)
        if len(self._unfinished) > MAX_DELIVERIES:
            self._unfinished.popitem(last=False)
        return None

    def written(self) -> object:
        """All of it as plain data."""
        return [[*key, one.began, one.pieces] for key, one in self._unfinished.items()]

    def read(self, content: Any) -> None:
        """Take what another process has written. Raises TypeError, ValueError or KeyError for anything else."""
        for address, asset, began, pieces in content:
            key = str(address), Asset(str(asset["name"]), Path(asset["path"]), asset["size"], asset["mtime_ns"])
            merged = _merged([(int(start), int(stop)) for start, stop in pieces])
            self._unfinished[key] = _Unfinished(float(began), merged[-MAX_PIECES:])


def _merged(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(piece for piece in pieces if piece[0] < piece[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
