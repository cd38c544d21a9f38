"""Finished bodies, kept for the next request: the newest, up to a bound in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

# 10,000 machines with 5 KB each would be 50 MB; one that fell out is made again in a few milliseconds.
MAX_BYTES = 16 << 20
MAX_ENTRIES = 20_000


class _Sized(Protocol):
    @property
    def body(self) -> bytes: ...


V = TypeVar("V", bound=_Sized)


class Kept(Generic[V]):
    """A bounded cache. Keys may hold what clients say, so both bounds are needed."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES) -> None:
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._bytes = 0
        self._max_bytes = max_bytes
        self._max_entries = max_entries

    def get(self, key: Hashable) -> V | None:
        """The value, which is then the newest."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value and drop the oldest beyond the bounds."""
        old = self._values.pop(key, None)
        self._values[key] = value
        self._bytes += len(value.body) - (len(old.body) if old else 0)
        while self._bytes > self._max_bytes or len(self._values) > self._max_entries:
            self._bytes -= len(self._values.popitem(last=False)[1].body)
