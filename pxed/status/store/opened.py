"""An open store: everything is read at the start, rows are written in transactions. Synchronous, for one thread."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, delete
from sqlalchemy.exc import SQLAlchemyError

from pxed.status.records import Alert, Attempt, Booted, BootRecord, FirstBoot, Setting, Standing, Timeline, Token, Write
from pxed.status.store.backend import Backend
from pxed.status.store.contents import Contents, History
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.retention import PER_MACHINE, Keep, Retention
from pxed.status.store.rows import by_kind
from pxed.status.store.statements import Statements, newest, newest_and_open, of_machine, rows
from pxed.status.store.tables import TABLES
from pxed.status.store.timelines import Ours, newest_timelines, one_timeline

LOADED_PER_MACHINE = 20
LOADED_IN_ALL = 4_000  # 3 MB in the daemon; those of installations under way besides
ALERTS_LOADED = 1_000
_Result = TypeVar("_Result")
_Kind = TypeVar("_Kind")


class Store:
    """An open store. Every method raises StoreError."""

    def __init__(self, backend: Backend, connection: Connection, notices: Sequence[str] = ()) -> None:
        self.where = backend.where
        self._backend = backend
        self._connection: Connection | None = connection
        self._notices = tuple(notices)
        self._statements = Statements(backend.upsert)
        self._retention = Retention()

    def load(self) -> Contents:
        """All that is kept; of boots, attempts and alerts the newest, oldest first. Expired tokens are left out."""
        collecting = gc.isenabled()
        gc.disable()  # no garbage is made, and what is there would be walked again and again: half of the time
        try:
            return self._again(self._loaded)
        finally:
            if collecting:
                gc.enable()

    def write(self, writes: Sequence[Write]) -> None:
        """Put and forget rows, all or none, as if in this order. They are durable when this returns."""
        if writes:
            self._again(lambda connection: self._written(connection, writes))

    def expire(self, now: float) -> None:
        """Delete the tokens that are of no use any more."""
        table = TABLES[Token]
        self._again(lambda connection: connection.execute(delete(table).where(table.c.expires <= now)))

    def history(self, machine: str) -> History:
        """What is known of one machine's past, newest first."""

        def found(connection: Connection, kind: type[_Kind]) -> tuple[_Kind, ...]:
            return tuple(rows(connection, kind, of_machine(kind, machine, PER_MACHINE)))

        return self._again(
            lambda connection: History(
                found(connection, Attempt), found(connection, BootRecord), found(connection, Alert)
            )
        )

    def keep(self, timelines: Keep) -> None:
        """So much is kept of timelines from now on."""
        self._retention = Retention(timelines=timelines)

    def timelines(self, machine: str, macs: Collection[str], most: int, ours: Ours) -> list[Timeline]:
        """One machine's newest boots, newest first (newest_timelines)."""
        return self._again(lambda connection: newest_timelines(connection, machine, macs, most, ours))

    def timeline(self, boot: str) -> Timeline | None:
        """One boot."""
        return self._again(lambda connection: one_timeline(connection, boot))

    def booted(self) -> dict[str, Booted]:
        """What each machine booted last of the mirror, by machine."""
        found: Sequence[Booted] = self._again(lambda connection: rows(connection, Booted))
        return {row.machine: row for row in sorted(found, key=lambda row: row.time)}

    def close(self) -> None:
        """Let the database go."""
        self._drop()
        self._backend.close()

    def _loaded(self, connection: Connection) -> Contents:
        now = time.time()
        attempts = newest_and_open(connection, Attempt, LOADED_IN_ALL, LOADED_PER_MACHINE)
        boots = newest_and_open(connection, BootRecord, LOADED_IN_ALL, LOADED_PER_MACHINE)
        alerts = rows(connection, Alert, newest(Alert, ALERTS_LOADED))[::-1]
        first_boots = sorted(rows(connection, FirstBoot), key=lambda row: row.time)
        return Contents(
            {row.machine: row for row in rows(connection, Standing)},
            {row.hash: row for row in rows(connection, Token) if row.expires > now},
            {row.machine: row for row in first_boots},
            {row.name: row for row in rows(connection, Setting)},
            attempts,
            boots,
            alerts,
            self._notices,
        )

    def _written(self, connection: Connection, writes: Sequence[Write]) -> None:
        for kind, last in by_kind(writes).items():
            self._statements.write(connection, kind, last)
            self._retention.added(connection, kind, last)

    def _again(self, work: Callable[[Connection], _Result]) -> _Result:
        """One transaction; on a connection that was lost, once more: rows are put as a whole, so twice is as once."""
        fresh = self._connection is None
        try:
            return self._once(work)
        except StoreError as error:
            if fresh or error.trouble is not Trouble.AWAY:
                raise
        return self._once(work)

    def _once(self, work: Callable[[Connection], _Result]) -> _Result:
        try:
            with sentences(self._backend):
                if self._connection is None:
                    self._connection = self._backend.connect()
                with self._connection.begin():
                    return work(self._connection)
        except StoreError as error:
            if error.trouble is not Trouble.ROW:
                self._drop()  # after a failed flush only the file itself says what is on the disk
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()
            with contextlib.suppress(SQLAlchemyError):
                connection.close()


@contextlib.contextmanager
def sentences(backend: Backend) -> Iterator[None]:
    """Errors of the database come out as StoreError."""
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, *backend.errors)
    try:
        yield
    except StoreError:
        raise
    except errors as error:
        raise backend.trouble(error) from None
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        text = f"{backend.where} has, or is to take, a row that this pxed does not understand: {error!r}"
        raise StoreError(text, Trouble.ROW) from None
