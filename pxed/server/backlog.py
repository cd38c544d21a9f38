"""What waits to be written to the state store: in the order in which it came, and bounded while the store fails."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pxed.status.records import Alert, Attempt, Booted, BootRecord, Row, Timeline, Write
from pxed.status.store.errors import StoreError
from pxed.status.store.rows import key_of

MOST = 50_000  # rows that are held while the store fails; beyond it the oldest history is given up
_HISTORY = (Alert, Attempt, Booted, BootRecord, Timeline)


@dataclass(slots=True, eq=False)
class Item:
    """Rows that are written together."""

    writes: Sequence[Write]
    done: asyncio.Future[None] | None = None  # None: nobody waits

    def told(self) -> bool:
        """Whether who waited was told already that it failed: it took too long."""
        return self.done is not None and self.done.done() and not self.done.cancelled()

    def settle(self, error: StoreError | None) -> None:
        """Tell who waits."""
        if self.done is None or self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Backlog:
    """Items, and before them rows that failed once and for which nobody waits: of each key the last one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._held: dict[tuple[type[Row], tuple[str, ...]], Write] = {}
        self.lost = 0  # rows of history that were given up

    def __bool__(self) -> bool:
        return bool(self._items or self._held)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits."""
        return any(item.done is not None and not item.done.done() for item in self._items)

    def add(self, item: Item) -> None:
        """It is to be written after all that came before."""
        self._items.append(item)

    def take(self, most: int) -> list[Item]:
        """The next ones. Who was told that it took too long is left out: the row was never written."""
        held = [self._held.pop(key) for key in list(self._held)[:most]]
        taken = [Item((write,)) for write in held]
        while self._items and len(taken) < most:
            item = self._items.popleft()
            if not item.told():
                taken.append(item)
        return taken

    def hold(self, writes: Iterable[Write]) -> None:
        """These are to be written before all others, after those that are held already."""
        for write in writes:
            key = key_of(write)
            self._held.pop(key, None)
            self._held[key] = write
        surplus = len(self._held) - self._most
        if surplus <= 0:
            return
        old = [key for key, write in self._held.items() if isinstance(write, _HISTORY)][:surplus]
        for key in old:
            del self._held[key]
        self.lost += len(old)
