"""The store itself: rows in, rows out, durable when a write returns. For one thread; one daemon has it at a time.

A store that cannot be read is an error and never an empty store: that would install every machine again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Delete, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from pxed.status.records import (
    Alert,
    Attempt,
    Booted,
    BootRecord,
    FirstBoot,
    Forget,
    Row,
    Setting,
    Standing,
    Token,
    Write,
)
from pxed.status.store.backends import Backend, Session, backend_of
from pxed.status.store.contents import Contents, History
from pxed.status.store.errors import StoreError
from pxed.status.store.legacy import import_files
from pxed.status.store.migrations import migrate, require_current
from pxed.status.store.rows import DECODE, ENCODE, by_kind
from pxed.status.store.tables import NAMES, TABLES

KEPT: dict[type[Row], int] = {BootRecord: 20, Attempt: 20, Alert: 50}  # rows of history of one machine
KEPT_IN_ALL: dict[type[Row], int] = {BootRecord: 200_000, Attempt: 200_000, Alert: 20_000}
LOADED_IN_ALL: dict[type[Row], int] = {BootRecord: 50_000, Attempt: 50_000, Alert: 1_000}
PRUNED_EVERY = 2_000  # rows of history that were written
_TIMES: dict[type[Row], str] = {BootRecord: "began", Attempt: "began", Alert: "time"}
_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_R = TypeVar("_R")
_T = TypeVar("_T")


def open_store(state: str, data_dir: Path, *, read_only: bool = False) -> Store:
    """The store of `server.state`: "sqlite" is data_dir/state.db, else a postgresql:// URL. Raises StoreError."""
    return Store(backend_of(state, data_dir, read_only=read_only), data_dir)


class Store:
    """An open store."""

    def __init__(self, backend: Backend, data_dir: Path) -> None:
        self._backend = backend
        self._session: Session | None = None
        self._upserts: dict[type[Row], Any] = {}
        self._deletes: dict[type[Row], Delete] = {}
        self._since_pruned = 0
        self._touched: set[str] = set()  # machines with new history
        self._notices: tuple[str, ...] = ()
        try:
            self._try(self._prepare, data_dir)
        except BaseException:
            self.close()
            raise

    def load(self) -> Contents:
        """All rows that count. Raises StoreError."""
        return self._try(self._load)

    def write(self, writes: Sequence[Write]) -> None:
        """All of them or none, durable when it returns. Raises StoreError."""
        self._try(self._write, writes)
        self._prune_when_due()

    def history(self, machine: str) -> History:
        """What is known of one machine's past. Raises StoreError."""
        return self._try(self._history, machine)

    def close(self) -> None:
        """Let it go."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._backend.close()

    def _prepare(self, connection: Connection, data_dir: Path) -> None:
        if self._backend.read_only:
            require_current(connection, self._backend.where)
            return
        is_new = migrate(connection, self._backend.where)
        self._backend.own(connection)
        if is_new:
            rows, self._notices = import_files(data_dir)
            if rows:
                self._write(connection, rows)

    def _try(self, act: Callable[..., _T], *arguments: object) -> _T:
        """Act within the session, which is opened anew where it was lost. Raises StoreError."""
        try:
            if self._session is None:
                self._session = self._backend.open()
            return act(self._session.connection, *arguments)
        except StoreError:
            raise
        except SQLAlchemyError as error:
            raise self._explained(error) from None

    def _explained(self, error: SQLAlchemyError) -> StoreError:
        """What went wrong; a lost connection is let go."""
        lost = isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(error, OperationalError))
        session = self._session
        if session is not None:
            if lost and self._backend.reconnects:
                self._session = None
                session.close()
            else:
                session.roll_back()
        return self._backend.explain(error)

    def _write(self, connection: Connection, writes: Sequence[Write]) -> None:
        with connection.begin():
            for kind, last in by_kind(writes).items():
                rows = [ENCODE[kind](write) for write in last.values() if not isinstance(write, Forget)]
                gone = [write.key for write in last.values() if isinstance(write, Forget)]
                if gone:
                    names = NAMES[kind][1]
                    keys = [{f"key_{name}": value for name, value in zip(names, key, strict=True)} for key in gone]
                    connection.execute(self._delete(kind), keys)
                if rows:
                    connection.execute(self._upsert(kind, connection), rows)
                if kind in KEPT:
                    self._since_pruned += len(rows)
                    self._touched.update(row["machine"] for row in rows)

    def _upsert(self, kind: type[Row], connection: Connection) -> Any:
        known = self._upserts.get(kind)
        if known is None:
            table, key = TABLES[kind], NAMES[kind][1]
            insert = _INSERTS[connection.dialect.name](table)
            others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in key}
            known = self._upserts[kind] = insert.on_conflict_do_update(index_elements=list(key), set_=others)
        return known

    def _delete(self, kind: type[Row]) -> Delete:
        known = self._deletes.get(kind)
        if known is None:
            table, key = TABLES[kind], NAMES[kind][1]
            known = self._deletes[kind] = delete(table).where(
                *(table.c[name] == bindparam(f"key_{name}") for name in key)
            )
        return known

    def _load(self, connection: Connection) -> Contents:
        tokens = TABLES[Token]
        now = time.time()
        with connection.begin():
            if not self._backend.read_only:
                connection.execute(delete(tokens).where(tokens.c.expires <= now))
            return Contents(
                standings={row.machine: row for row in _rows(connection, Standing)},
                tokens={row.hash: row for row in _rows(connection, Token) if row.expires > now},
                booted={row.machine: row for row in _rows(connection, Booted)},
                first_boots={row.machine: row for row in _rows(connection, FirstBoot)},
                settings={row.name: row for row in _rows(connection, Setting)},
                attempts=_newest(connection, Attempt),
                boots=_newest(connection, BootRecord),
                alerts=_newest(connection, Alert),
                notices=self._notices,
            )

    def _history(self, connection: Connection, machine: str) -> History:
        with connection.begin():
            return History(
                tuple(_of(connection, Attempt, machine)),
                tuple(_of(connection, BootRecord, machine)),
                tuple(_of(connection, Alert, machine)),
            )

    def _prune_when_due(self) -> None:
        """Keep history bounded, in steps that are small because they come often."""
        if self._since_pruned < PRUNED_EVERY:
            return
        touched, self._touched, self._since_pruned = self._touched, set(), 0
        self._try(_prune, sorted(touched))


def _rows(connection: Connection, kind: type[_R]) -> list[_R]:
    table, decode = _shape(kind)
    return [decode(row) for row in connection.execute(select(table))]


def _shape(kind: type[_R]) -> tuple[Any, Callable[[Any], _R]]:
    """The table of a row type, and what makes rows of its columns."""
    row_kind = cast("type[Row]", kind)
    return TABLES[row_kind], cast("Callable[[Any], _R]", DECODE[row_kind])


def _newest(connection: Connection, kind: type[_R]) -> list[_R]:
    """The newest rows of history, oldest first."""
    table, decode = _shape(kind)
    when, most = table.c[_TIMES[cast("type[Row]", kind)]], LOADED_IN_ALL[cast("type[Row]", kind)]
    rows = connection.execute(select(table).order_by(when.desc()).limit(most)).all()
    return [decode(row) for row in reversed(rows)]


def _of(connection: Connection, kind: type[_R], machine: str) -> list[_R]:
    table, decode = _shape(kind)
    when = table.c[_TIMES[cast("type[Row]", kind)]]
    query = select(table).where(table.c.machine == machine).order_by(when.desc())
    return [decode(row) for row in connection.execute(query)]


def _prune(connection: Connection, machines: Sequence[str]) -> None:
    with connection.begin():
        for kind, kept in KEPT.items():
            table, key = TABLES[kind], [TABLES[kind].c[name] for name in NAMES[kind][1]]
            when = table.c[_TIMES[kind]]
            for start in range(0, len(machines), 500):
                place = func.row_number().over(partition_by=table.c.machine, order_by=when.desc()).label("place")
                some = table.c.machine.in_(machines[start : start + 500])
                ranked = select(*key, place).where(some).subquery()
                _delete_ranked(connection, table, ranked, [column.name for column in key], kept)
            oldest = select(when).order_by(when.desc()).offset(KEPT_IN_ALL[kind]).limit(1).scalar_subquery()
            connection.execute(delete(table).where(when <= oldest))


def _delete_ranked(connection: Connection, table: Table, ranked: Any, names: list[str], kept: int) -> None:
    old = select(*(ranked.c[name] for name in names)).where(ranked.c.place > kept)
    columns = [table.c[name] for name in names]
    connection.execute(delete(table).where((tuple_(*columns) if len(columns) > 1 else columns[0]).in_(old)))
