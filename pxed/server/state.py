"""The state store as the event loop sees it: what is committed is durable before the caller goes on, in one thread.

Commits that come while others are being written are written together, in one transaction (group commit). What is only
history is written soon. Nothing here waits in the loop, so DHCP is answered whatever the disk does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pxed.events import Emit, Event, Kind, Level
from pxed.status.records import Alert, Attempt, Booted, BootRecord, Write
from pxed.status.store.contents import Contents, History
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.store import Store, open_store

LATER_SECONDS = 0.2  # history waits so long for company
RETRY_SECONDS = 2.0  # between two tries of a store that fails
BATCH = 2_000  # items of one transaction
MOST_LATER = 50_000  # items of history that wait while the store fails; the oldest are given up
_HISTORY = (Alert, Attempt, Booted, BootRecord)


class _Item(NamedTuple):
    writes: Sequence[Write]
    done: asyncio.Future[None] | None  # None: nobody waits


class StateStore:
    """An open store and its thread."""

    def __init__(self, store: Store, contents: Contents, thread: ThreadPoolExecutor, emit: Emit) -> None:
        self.contents = contents
        self._store = store
        self._thread = thread
        self._emit = emit
        self._items: deque[_Item] = deque()
        self._lost = 0
        self._failing = False
        self._writing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, state: str, data_dir: Path, emit: Emit) -> StateStore:
        """Open the store of `server.state` and read it. Raises StoreError."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "state")
        try:
            store, contents = await loop.run_in_executor(thread, _opened, state, data_dir)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        opened = cls(store, contents, thread, emit)
        for notice in contents.notices:
            opened._say(notice, Level.WARNING)
        return opened

    async def commit(self, *writes: Write) -> None:
        """Keep them, all or none; durable when it returns. Raises StoreError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items.append(_Item(writes, done))
        self._begin()
        await done

    def later(self, *writes: Write) -> None:
        """Keep them soon, in order with what is committed."""
        if not writes:
            return
        self._items.append(_Item(writes, None))
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(LATER_SECONDS, self._begin)

    async def history(self, machine: str) -> History:
        """What is known of one machine's past. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._store.history, machine)

    async def close(self) -> None:
        """Write what is left, once, and let the store go."""
        self._cancel_timer()
        if self._writing is not None:
            await self._writing
        if self._items:
            await self._write(self._taken())
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown()

    def _begin(self) -> None:
        self._cancel_timer()
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all(), name="state")

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write_all(self) -> None:
        """Write until nothing is left; while the store fails, history waits for the next try."""
        try:
            while self._items:
                await self._write(self._taken())
                if self._failing and all(item.done is None for item in self._items):
                    break
        finally:
            self._writing = None
            if self._items:
                self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._begin)

    def _taken(self) -> list[_Item]:
        return [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]

    async def _write(self, items: list[_Item]) -> None:
        writes = [write for item in items for write in item.writes]
        try:
            await self._in_thread(writes)
        except StoreError as error:
            if error.trouble is Trouble.ROW and len(items) > 1:
                for item in items:
                    await self._write([item])
                return
            self._failed(items, error)
        else:
            self._recovered()
            for item in items:
                _settle(item, None)

    async def _in_thread(self, writes: Sequence[Write]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.write, writes)
        except StoreError:
            raise
        except Exception as error:  # whatever a driver raises: the machine is told to ask again
            raise StoreError(f"the state store failed: {error!r}") from error

    def _failed(self, items: list[_Item], error: StoreError) -> None:
        """Who waits is told; history is tried again, but for a row that no store takes."""
        again = [item for item in items if item.done is None] if error.trouble is not Trouble.ROW else []
        self._items.extendleft(reversed(again))
        self._shed()
        if not self._failing:
            self._say(f"{error}; machines are told to ask again until it works", Level.WARNING)
        self._failing = error.trouble is not Trouble.ROW
        for item in items:
            _settle(item, error)

    def _recovered(self) -> None:
        if self._failing:
            lost = f"; {self._lost} rows of history were lost" if self._lost else ""
            self._failing, self._lost = False, 0
            self._say(f"the state store works again{lost}", Level.INFO)

    def _shed(self) -> None:
        """Give up the oldest history beyond the bound; what decides about machines stays."""
        if len(self._items) <= MOST_LATER:
            return
        kept: deque[_Item] = deque()
        surplus = len(self._items) - MOST_LATER
        for item in self._items:
            if surplus and item.done is None and all(isinstance(write, _HISTORY) for write in item.writes):
                surplus -= 1
                self._lost += 1
            else:
                kept.append(item)
        self._items = kept

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


def _opened(state: str, data_dir: Path) -> tuple[Store, Contents]:
    store = open_store(state, data_dir)
    try:
        return store, store.load()
    except BaseException:
        store.close()
        raise


def _settle(item: _Item, error: StoreError | None) -> None:
    if item.done is None or item.done.done():
        return
    if error is None:
        item.done.set_result(None)
    else:
        item.done.set_exception(error)
