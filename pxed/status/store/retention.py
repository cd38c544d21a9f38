"""History is bounded: of each machine, in all, and timelines by their age too. What is too old goes a little at a time,
with rows that are added."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from pxed.status.records import Row, Timeline, Write
from pxed.status.store.rows import Key
from pxed.status.store.statements import TIMES
from pxed.status.store.tables import NAMES, TABLES

PER_MACHINE = 50
IN_ALL = 200_000  # about 60 MB of boots
TIMELINES_IN_ALL = 100_000  # about 450 MB
EVERY = 16  # rows of a machine between two looks at its oldest
STEP = 1_000  # rows in all between two looks, and at most this many go at once
AGE_SECONDS = 3600.0  # between two looks at what is too old


class Keep(NamedTuple):
    """How much of a kind of history is kept."""

    per_machine: int = PER_MACHINE
    in_all: int = IN_ALL
    seconds: float = 0.0  # 0.0: however old it is


KEEP_TIMELINES = Keep(in_all=TIMELINES_IN_ALL)


class Retention:
    """Counts what is added, and removes what is too old."""

    def __init__(
        self,
        keep: Keep = Keep(),  # noqa: B008 -- a tuple
        timelines: Keep = KEEP_TIMELINES,
        step: int = STEP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._step = step
        self._clock = clock
        self._keep = {**dict.fromkeys(TIMES, keep), Timeline: timelines}
        self._per_machine = {kind: _beyond_machine(kind, kept.per_machine) for kind, kept in self._keep.items()}
        self._in_all = {kind: _beyond_all(kind, kept.in_all, 2 * step) for kind, kept in self._keep.items()}
        self._aged = {kind: _beyond_age(kind, 2 * step) for kind, kept in self._keep.items() if kept.seconds}
        self._added: dict[tuple[type[Row], str], int] = {}
        self._total = dict.fromkeys(TIMES, step)  # the first write of a daemon looks
        self._looked: dict[type[Row], float] = {}

    def added(self, connection: Connection, kind: type[Row], writes: Mapping[Key, Write]) -> None:
        """These were written in the transaction that is open: remove in it what they push out."""
        if kind not in TIMES:
            return
        if full := self._full(kind, writes):
            connection.execute(self._per_machine[kind], [{"of": machine} for machine in full])
        self._total[kind] += len(writes)
        many = self._total[kind] >= self._step
        if many:
            self._total[kind] = 0
            self._added = {} if len(self._added) > IN_ALL else self._added
            connection.execute(self._in_all[kind])
        if kind in self._aged:
            self._age(connection, kind, many)

    def _full(self, kind: type[Row], writes: Mapping[Key, Write]) -> list[str]:
        """The machines whose oldest rows are to be looked at."""
        full: list[str] = []
        for write in writes.values():
            machine = getattr(write, "machine", "")
            if not machine:
                continue
            count = self._added.get((kind, machine), 0) + 1
            if count >= EVERY:
                full.append(machine)
                del self._added[kind, machine]
            else:
                self._added[kind, machine] = count
        return full

    def _age(self, connection: Connection, kind: type[Row], many: bool) -> None:
        now = self._clock()
        if many or now - self._looked.get(kind, 0.0) >= AGE_SECONDS:
            self._looked[kind] = now
            connection.execute(self._aged[kind], {"before": now - self._keep[kind].seconds})


def _beyond_machine(kind: type[Row], most: int) -> Any:
    table = TABLES[kind]
    when = table.c[TIMES[kind]]
    oldest = select(when).where(table.c.machine == bindparam("of")).order_by(when.desc()).limit(1).offset(most - 1)
    return delete(table).where(table.c.machine == bindparam("of"), when < oldest.scalar_subquery())


def _beyond_all(kind: type[Row], most: int, step: int) -> Any:
    table = TABLES[kind]
    when = table.c[TIMES[kind]]
    oldest = select(when).order_by(when.desc()).limit(1).offset(most - 1).scalar_subquery()
    return _delete_before(kind, oldest, step)


def _beyond_age(kind: type[Row], step: int) -> Any:
    return _delete_before(kind, bindparam("before"), step)


def _delete_before(kind: type[Row], limit: Any, step: int) -> Any:
    table = TABLES[kind]
    when = table.c[TIMES[kind]]
    key = [table.c[name] for name in NAMES[kind][1]]
    if len(key) > 1:
        return delete(table).where(when < limit)
    return delete(table).where(key[0].in_(select(key[0]).where(when < limit).order_by(when).limit(step)))
