"""The state store as the event loop sees it: what is committed is durable before the caller goes on, in one thread.

Commits that come while others are being written are written together, in one transaction (group commit). What is only
history is written soon. Nothing here waits in the loop, so DHCP is answered whatever the disk does.

A commit that fails is undone: it may have reached the disk before the connection broke, so the rows as they were before
it are written again as soon as the store works.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pxed.events import Emit, Event, Kind, Level
from pxed.server.backlog import Backlog, Item
from pxed.server.histogram import Histogram
from pxed.server.keeping import Fault
from pxed.status.records import FirstBoot, Forget, Row, Setting, Standing, Timeline, Token, Write
from pxed.status.store.contents import Contents, History
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.retention import KEEP_TIMELINES, Keep
from pxed.status.store.rows import key_of
from pxed.status.store.store import Store, open_store
from pxed.status.store.timelines import Ours

LATER_SECONDS = 0.2  # history waits so long for company
COMMIT_SECONDS = 5.0  # a machine is told to ask again rather than kept waiting
RETRY_SECONDS = 2.0  # between two tries of a store that fails
LAST_FAULT = "last-fault"  # the setting that has its time
BATCH = 2_000  # items of one transaction
COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds, as it is measured
_Result = TypeVar("_Result")


class StateStore:
    """An open store and its thread."""

    def __init__(self, store: Store, contents: Contents, thread: ThreadPoolExecutor, emit: Emit) -> None:
        self.contents = contents
        self._store = store
        self._thread = thread
        self._emit = emit
        self._backlog = Backlog()
        self._accepted = Accepted(contents)
        self.fault: Fault | None = None
        self.commits = Histogram(COMMIT_BOUNDS)
        self._closed = False
        self._writing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, state: str, data_dir: Path, emit: Emit, timelines: Keep = KEEP_TIMELINES) -> StateStore:
        """Open the store of `server.state` and read it. Raises StoreError."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "state")
        try:
            store, contents = await loop.run_in_executor(thread, _opened, state, data_dir, timelines)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        opened = cls(store, contents, thread, emit)
        for notice in contents.notices:
            opened._say(notice, Level.WARNING)
        return opened

    async def commit(self, *writes: Write) -> None:
        """Keep them, all or none; durable when it returns, which is soon or never. Raises StoreError."""
        if self._closed:
            raise StoreError("pxed is stopping", Trouble.AWAY)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        item = Item(writes, done)
        self._backlog.add(item)
        late = loop.call_later(COMMIT_SECONDS, self._too_late, item)
        self._begin()
        try:
            await done
        finally:
            late.cancel()

    def later(self, *writes: Write) -> None:
        """Keep them soon, in order with what is committed."""
        if not writes or self._closed:
            return
        self._accepted.add(writes)
        self._backlog.add(Item(writes))
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(LATER_SECONDS, self._begin)

    async def history(self, machine: str) -> History:
        """What is known of one machine's past. Raises StoreError."""
        return await self._read(lambda: self._store.history(machine))

    async def timelines(self, machine: str, macs: Collection[str], most: int, ours: Ours) -> list[Timeline]:
        """One machine's newest boots, newest first. Raises StoreError."""
        return await self._read(lambda: self._store.timelines(machine, macs, most, ours))

    async def timeline(self, boot: str) -> Timeline | None:
        """One boot. Raises StoreError."""
        return await self._read(lambda: self._store.timeline(boot))

    async def close(self) -> None:
        """Write what is left, and let the store go. Nothing the second time."""
        if self._closed:
            return
        self._closed = True
        self._cancel_timer()
        if self._writing is not None:
            await self._writing
            self._cancel_timer()
        await self._write_waiting()
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
        try:
            await self._write_waiting()
        finally:
            self._writing = None
            if self._backlog:
                self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._begin)

    async def _write_waiting(self) -> None:
        """Write until nothing is left; while the store fails, what nobody waits for is left for the next try."""
        while items := self._backlog.take(BATCH):
            await self._write(items)
            if self.fault and not self._backlog.awaited:
                return

    async def _write(self, items: Sequence[Item]) -> None:
        """One transaction; where the store does not take a row, as many as it needs to keep all others."""
        try:
            await self._in_thread([write for item in items for write in item.writes])
        except StoreError as error:
            if error.trouble is Trouble.ROW and len(items) > 1:
                await self._write(items[: len(items) // 2])
                await self._write(items[len(items) // 2 :])
            elif error.trouble is Trouble.ROW:
                self._say(f"{error}: it is left out", Level.WARNING)
                items[0].settle(error)
            else:
                self._failed(items, error)
        else:
            self._written(items)

    async def _read(self, read: Callable[[], _Result]) -> _Result:
        """In the store's thread, after what is being written. Raises StoreError when that takes too long."""
        if self._closed:
            raise StoreError("pxed is stopping", Trouble.AWAY)
        reading = asyncio.get_running_loop().run_in_executor(self._thread, read)
        try:
            return await asyncio.wait_for(reading, COMMIT_SECONDS)
        except TimeoutError:
            raise StoreError(
                f"{self._store.where} did not answer in {COMMIT_SECONDS:.0f} seconds", Trouble.AWAY
            ) from None

    async def _in_thread(self, writes: Sequence[Write]) -> None:
        began = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.write, writes)
        except StoreError:
            raise
        except Exception as error:  # whatever a driver raises: the machine is told to ask again
            raise StoreError(f"the state store failed: {error!r}") from error
        finally:
            self.commits.observe(time.monotonic() - began)

    def _written(self, items: Sequence[Item]) -> None:
        if self.fault:
            lost = f"; {self._backlog.lost} rows of history were lost" if self._backlog.lost else ""
            self.fault, self._backlog.lost = None, 0
            self._say(f"the state store works again{lost}", Level.INFO)
        for item in items:
            if item.told():
                self._backlog.hold(self._accepted.before(item.writes))
            elif item.done is not None:
                self._accepted.add(item.writes)
                item.settle(None)

    def _failed(self, items: Sequence[Item], error: StoreError) -> None:
        """Who waits is told, and what it wanted is undone; what nobody waits for is tried again."""
        fault = self._note(error)
        for item in items:
            self._backlog.hold(item.writes if item.done is None else self._accepted.before(item.writes))
            item.settle(error)
        if not self._backlog:  # something has to be written, or nobody learns that it works again
            self._backlog.hold([Setting(LAST_FAULT, f"{fault.since:.0f}")])

    def _too_late(self, item: Item) -> None:
        error = StoreError(f"{self._store.where} did not answer in {COMMIT_SECONDS:.0f} seconds", Trouble.AWAY)
        self._note(error)
        item.settle(error)

    def _note(self, error: StoreError) -> Fault:
        """The fault from now on, if there was none; it is said once."""
        if self.fault is None:
            self.fault = Fault(time.time(), str(error))
            self._say(f"{error}; machines are told to ask again until it works", Level.WARNING)
        return self.fault

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


class Accepted:
    """The rows that decide about machines, as whoever wrote them knows them: with all that has not failed."""

    def __init__(self, contents: Contents) -> None:
        self._rows: dict[type[Row], dict[str, Row]] = {
            Standing: dict(contents.standings),
            Token: dict(contents.tokens),
            FirstBoot: dict(contents.first_boots),
            Setting: dict(contents.settings),
        }

    def add(self, writes: Sequence[Write]) -> None:
        """These count from now on."""
        for write in writes:
            kind, key = key_of(write)
            rows = self._rows.get(kind)
            if rows is None:
                continue
            if isinstance(write, Forget):
                rows.pop(key[0], None)
            else:
                rows[key[0]] = write

    def before(self, writes: Sequence[Write]) -> list[Write]:
        """What undoes these; history is left as it is."""
        keys = [key_of(write) for write in writes]
        return [self._rows[kind].get(key[0]) or Forget(kind, key) for kind, key in keys if kind in self._rows]


def _opened(state: str, data_dir: Path, timelines: Keep) -> tuple[Store, Contents]:
    store = open_store(state, data_dir)
    try:
        store.keep(timelines)
        store.expire(time.time())
        return store, store.load()
    except BaseException:
        store.close()
        raise
