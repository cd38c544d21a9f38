"""History is bounded, of each machine and in all. What is too old goes a little at a time, with rows that are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from pxed.status.records import Row, Write
from pxed.status.store.rows import Key
from pxed.status.store.statements import TIMES
from pxed.status.store.tables import NAMES, TABLES

PER_MACHINE = 50
IN_ALL = 200_000  # about 60 MB of boots
EVERY = 16  # rows of a machine between two looks at its oldest
STEP = 1_000  # rows in all between two looks, and at most this many go at once


class Retention:
    """Counts what is added, and removes what is too old."""

    def __init__(self, per_machine: int = PER_MACHINE, in_all: int = IN_ALL, step: int = STEP) -> None:
        self._step = step
        self._per_machine = {kind: _beyond_machine(kind, per_machine) for kind in TIMES}
        self._in_all = {kind: _beyond_all(kind, in_all, 2 * step) for kind in TIMES}
        self._added: dict[tuple[type[Row], str], int] = {}
        self._total = dict.fromkeys(TIMES, step)  # the first write of a daemon looks

    def added(self, connection: Connection, kind: type[Row], writes: Mapping[Key, Write]) -> None:
        """These were written in the transaction that is open: remove in it what they push out."""
        if kind not in TIMES:
            return
        full: list[dict[str, Any]] = []
        for write in writes.values():
            machine = getattr(write, "machine", "")
            if not machine:
                continue
            count = self._added.get((kind, machine), 0) + 1
            if count >= EVERY:
                full.append({"of": machine})
                del self._added[kind, machine]
            else:
                self._added[kind, machine] = count
        if full:
            connection.execute(self._per_machine[kind], full)
        self._total[kind] += len(writes)
        if self._total[kind] >= self._step:
            self._total[kind] = 0
            self._added = {} if len(self._added) > IN_ALL else self._added
            connection.execute(self._in_all[kind])


def _beyond_machine(kind: type[Row], most: int) -> Any:
    table = TABLES[kind]
    when = table.c[TIMES[kind]]
    oldest = select(when).where(table.c.machine == bindparam("of")).order_by(when.desc()).limit(1).offset(most - 1)
    return delete(table).where(table.c.machine == bindparam("of"), when < oldest.scalar_subquery())


def _beyond_all(kind: type[Row], most: int, step: int) -> Any:
    table = TABLES[kind]
    when = table.c[TIMES[kind]]
    oldest = select(when).order_by(when.desc()).limit(1).offset(most - 1).scalar_subquery()
    key = [table.c[name] for name in NAMES[kind][1]]
    if len(key) > 1:
        return delete(table).where(when < oldest)
    return delete(table).where(key[0].in_(select(key[0]).where(when < oldest).order_by(when).limit(step)))
