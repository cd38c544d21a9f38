"""The boots that are over: the store keeps them in the background, and they are read when somebody asks.

A boot belongs to the machine that has its MAC now, whatever the machine was called then: one that is renamed, listed,
or swapped with another keeps its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Protocol

from pxed.inventory.lookup import Identity, find
from pxed.inventory.model import HistorySettings
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.orders import Machines
from pxed.status.archive import View, timeline_of, view_of
from pxed.status.boots import Boot, Note
from pxed.status.records import Timeline
from pxed.status.store.retention import KEEP_TIMELINES, Keep
from pxed.status.store.timelines import Ours

STOPPED = "pxed was stopped: what came after this is not known"
AT_ONCE = 8  # boots made JSON in one turn of the event loop: 2.5 ms
PAUSE_SECONDS = 0.01  # between two turns
_DAY = 86400.0


class Boots(Protocol):
    """The boots in memory (pxed.server.tracker)."""

    def tick(self, now: float) -> None: ...
    def names(self) -> Iterable[str]: ...
    def current(self, name: str) -> Boot | None: ...


class Past(Protocol):
    """The state store as it is read (pxed.server.state)."""

    async def timelines(self, machine: str, macs: Collection[str], most: int, ours: Ours) -> list[Timeline]: ...
    async def timeline(self, boot: str) -> Timeline | None: ...


def keep_of(history: HistorySettings) -> Keep:
    """How much of timelines the inventory wants kept."""
    return KEEP_TIMELINES._replace(per_machine=history.boots, seconds=history.days * _DAY)


class TimelineHistory:
    """Past boots by machine and by id."""

    def __init__(self, live: Live, keeper: Keeper, past: Past, machines: Machines) -> None:
        self._live = live
        self._keeper = keeper
        self._past = past
        self._machines = machines
        self._waiting: deque[Boot] = deque()
        self._timer: asyncio.Handle | None = None

    def keep(self, boot: Boot) -> None:
        """It is over: the store has it soon."""
        self._waiting.append(boot)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._turn)

    def flush(self) -> None:
        """Give all that were kept to the store now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            self._write_some()

    def stop(self, boots: Boots, now: float) -> None:
        """pxed ends: keep those that go on too, as far as they were seen."""
        boots.tick(now)
        for boot in filter(None, map(boots.current, boots.names())):
            if not boot.ended:
                self.keep(replace(boot, ended=now, notes=[*boot.notes, Note(now, STOPPED)]))
        self.flush()

    async def recent(self, name: str, limit: int) -> list[View]:
        """The last boots of a machine that the store knows, newest first. Raises StoreError."""
        inventory = self._live.snapshot.inventory
        machine = inventory.machines.get(name)
        listed = machine.macs if machine is not None else (name,)
        booted = (boot.mac for boot in self._machines.boots(name) if self._owner(boot.mac) in ("", name))
        macs = {*listed, *filter(None, booted)}
        rows = await self._past.timelines(name, macs, limit, lambda mac: self._owner(mac) in ("", name))
        return [view for row in rows if (view := view_of(row, name))]

    async def one(self, boot: str) -> View | None:
        """A boot by its id; None for one that is not known, or not any more. Raises StoreError."""
        row = await self._past.timeline(boot)
        return (view_of(row, self._owner(row.mac) or row.machine) or None) if row is not None else None

    def _turn(self) -> None:
        """Datagrams are answered between two turns when a hall has come up."""
        self._write_some()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PAUSE_SECONDS, self._turn) if self._waiting else None

    def _write_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        self._keeper.later(*map(timeline_of, some))

    def _owner(self, mac: str) -> str:
        """The listed machine that has this MAC now."""
        machine = find(self._live.snapshot.inventory, Identity(mac=mac)) if mac else None
        return machine.name if machine is not None else ""
