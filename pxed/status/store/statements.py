"""The statements of a store, made once: one of each for a kind of row, executed with many rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Executable, bindparam, delete, func, select, tuple_

from pxed.status.records import Alert, Attempt, Booted, BootRecord, Forget, Row, Standing, Timeline, Write
from pxed.status.store.rows import DECODE, ENCODE, Key, key_of
from pxed.status.store.tables import NAMES, TABLES

TIMES: dict[type[Row], str] = {
    Attempt: "began",
    BootRecord: "began",
    Alert: "time",
    Booted: "time",
    Timeline: "began",
}  # history, and what it is sorted by
_Kind = TypeVar("_Kind")


class Statements:
    """Those of one dialect."""

    def __init__(self, insert: Callable[..., Any]) -> None:
        self._upserts = {kind: _upsert(insert, kind) for kind in TABLES}
        self._deletes = {kind: _delete(kind) for kind in TABLES}

    def write(self, connection: Connection, kind: type[Row], writes: dict[Key, Write]) -> None:
        """Put and remove rows of one kind."""
        rows = [ENCODE[kind](write) for write in writes.values() if not isinstance(write, Forget)]
        if rows:
            connection.execute(self._upserts[kind], rows)
        names = NAMES[kind][1]
        keys = [
            {f"k_{name}": part for name, part in zip(names, key, strict=True)}
            for key, write in writes.items()
            if isinstance(write, Forget)
        ]
        if keys:
            connection.execute(self._deletes[kind], keys)


def rows(connection: Connection, kind: type[_Kind], statement: Executable | None = None) -> list[_Kind]:
    """All rows of a kind, or those of a SELECT of its columns. Raises the driver's errors too."""
    table: Any = TABLES[kind]  # type: ignore[index]
    found = connection.execute(select(table) if statement is None else statement)
    decode: Callable[[Sequence[Any]], Any] = DECODE[kind]  # type: ignore[index]
    with found:  # straight from the driver's cursor, without SQLAlchemy's Row: a third of the time
        return [decode(columns) for columns in cast("Any", found).cursor]


def newest(kind: type[Row], in_all: int, per_machine: int | None = None) -> Executable:
    """SELECT the newest rows of history, in all and of each machine; newest first."""
    table = TABLES[kind]
    latest = select(table).order_by(table.c[TIMES[kind]].desc()).limit(in_all)
    if per_machine is None:
        return latest
    found = latest.subquery()
    place = func.row_number().over(partition_by=found.c.machine, order_by=found.c[TIMES[kind]].desc()).label("place")
    placed = select(found, place).subquery()
    columns = [placed.c[column.name] for column in table.columns]
    return select(*columns).where(placed.c.place <= per_machine).order_by(placed.c[TIMES[kind]].desc())


def newest_and_open(connection: Connection, kind: type[_Kind], in_all: int, per_machine: int) -> list[_Kind]:
    """The newest rows of history and those of the attempts under way, oldest first."""
    table: Any = TABLES[kind]  # type: ignore[index]
    standings = TABLES[Standing].c
    when = TIMES[kind]  # type: ignore[index]
    columns = (table.c.machine, table.c.id if kind is BootRecord else table.c.boot)
    under_way = select(standings.machine, standings.boot).where(standings.deadline > 0)
    opened = rows(connection, kind, select(table).where(tuple_(*columns).in_(under_way)))
    latest = rows(connection, kind, newest(kind, in_all, per_machine))  # type: ignore[arg-type]
    every = {key_of(row): row for row in (*opened, *latest)}  # type: ignore[arg-type]
    return sorted(every.values(), key=attrgetter(when))


def of_machine(kind: type[Any], machine: str, most: int) -> Executable:
    """SELECT one machine's newest rows of history, newest first."""
    table = TABLES[kind]
    return select(table).where(table.c.machine == machine).order_by(table.c[TIMES[kind]].desc()).limit(most)


def _upsert(insert: Callable[..., Any], kind: type[Row]) -> Any:
    table, key = TABLES[kind], NAMES[kind][1]
    statement = insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=others)


def _delete(kind: type[Row]) -> Executable:
    table = TABLES[kind]
    return delete(table).where(*(table.c[name] == bindparam(f"k_{name}") for name in NAMES[kind][1]))
