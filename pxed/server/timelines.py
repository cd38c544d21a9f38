"""The boots that are over: the store keeps them in the background, and they are read when somebody asks.

A boot belongs to the machine that has its MAC now, whatever the machine was called then: one that is renamed, listed,
or swapped with another keeps its own.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from pxed.inventory.lookup import Identity, find
from pxed.inventory.model import HistorySettings
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.orders import Machines
from pxed.status.archive import View, timeline_of, view_of
from pxed.status.boots import Boot
from pxed.status.records import Timeline
from pxed.status.store.retention import KEEP_TIMELINES, Keep
from pxed.status.store.timelines import Ours

_DAY = 86400.0


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

    def keep(self, boot: Boot) -> None:
        """It is over: the store has it soon."""
        self._keeper.later(timeline_of(boot))

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

    def _owner(self, mac: str) -> str:
        """The listed machine that has this MAC now."""
        machine = find(self._live.snapshot.inventory, Identity(mac=mac)) if mac else None
        return machine.name if machine is not None else ""
