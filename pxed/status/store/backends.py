"""SQLite and PostgreSQL: how each is opened, locked for one daemon, and what its errors mean in plain words.

SQLite: write-ahead log, synchronous FULL (https://www.sqlite.org/pragma.html#pragma_synchronous): a commit has reached
the disk when it returns. PostgreSQL: synchronous_commit on, whatever the database's default is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pxed.assets import durable
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.tables import SCHEMA

FILE_NAME = "state.db"
LOCK_NAME = "state.lock"
BUSY_SECONDS = 5.0  # another program that reads or backs up the file
# PostgreSQL: a server that is gone must not hold a machine's answer for longer.
CONNECT_SECONDS = 3
STATEMENT_MILLISECONDS = 5000
_LOCK_KEY = 0x70786564  # "pxed", of pg_try_advisory_lock


@dataclass(slots=True)
class Session:
    """An open connection."""

    connection: Connection

    def roll_back(self) -> None:
        """Leave nothing half done."""
        with contextlib.suppress(SQLAlchemyError):
            self.connection.rollback()

    def close(self) -> None:
        with contextlib.suppress(SQLAlchemyError):
            self.connection.invalidate()
            self.connection.close()


class Backend(ABC):
    """One kind of database. `where` names it for people; `reconnects`: a lost connection can come back."""

    where: str
    read_only: bool
    reconnects: bool

    @abstractmethod
    def open(self) -> Session:
        """A connection, with the lock. Raises StoreError or SQLAlchemyError."""

    def own(self, connection: Connection) -> None:  # noqa: B027 -- only PostgreSQL has to
        """Write down who has it, once the schema is there."""

    @abstractmethod
    def explain(self, error: SQLAlchemyError) -> StoreError:
        """What an error means, and what to do."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the lock."""


def backend_of(state: str, data_dir: Path, *, read_only: bool) -> Backend:
    """The backend of `server.state`. Raises StoreError."""
    if state == "sqlite":
        return Sqlite(data_dir, read_only=read_only)
    try:
        url = make_url(state)
    except ArgumentError:
        raise StoreError(
            "server.state is no URL: expected sqlite or postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    return Postgresql(url, read_only=read_only)


class Sqlite(Backend):
    """data_dir/state.db."""

    reconnects = False

    def __init__(self, data_dir: Path, *, read_only: bool) -> None:
        self._path = data_dir / FILE_NAME
        self.where = f"the state store {self._path}"
        self.read_only = read_only
        self._lock: int | None = None
        self._engine: Engine | None = None

    def open(self) -> Session:
        if self.read_only and not self._path.exists():
            raise StoreError(f"there is no {self._path} yet: no pxed has run here", Trouble.MISSING)
        if not self.read_only and self._lock is None:
            self._lock = self._locked()
        self._engine = self._engine or self._made()
        return Session(self._engine.connect())

    def explain(self, error: SQLAlchemyError) -> StoreError:
        original = getattr(error, "orig", None)
        name = getattr(original, "sqlite_errorname", "") or ""
        text = str(original or error)
        if isinstance(error, DataError | IntegrityError):
            return StoreError(f"{self.where} does not take a row: {text}", Trouble.ROW)
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            return StoreError(f"{self.where} cannot be written: {text}: make room on its disk", Trouble.FULL)
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreError(f"{self.where} is held by another program: {text}", Trouble.AWAY)
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(
                f"{self.where} is damaged ({text}): restore a backup of it; without one, move it away, and tell pxed "
                "of each machine that is installed (pxed machines local NAME) before that machine boots"
            )
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return StoreError(f"{self.where} cannot be opened for writing: {text}: give its directory to pxed's user")
        return StoreError(f"{self.where} failed: {text}")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _locked(self) -> int:
        """One daemon at a time. The lock is of the kernel: it ends with the process."""
        path = self._path.with_name(LOCK_NAME)
        try:
            durable.directory(path.parent)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.where} cannot be opened: {path}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreError(f"{self.where} is in use by another pxed: stop that one first", Trouble.LOCKED) from None
        return lock

    def _made(self) -> Engine:
        path, read_only = self._path, self.read_only

        def connect() -> sqlite3.Connection:
            if not read_only:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            mode = "ro" if read_only else "rw"
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", timeout=BUSY_SECONDS, uri=True, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
            if not read_only:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
            return connection

        engine = create_engine("sqlite+pysqlite://", creator=_explaining(connect, path), poolclass=NullPool)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine


def _explaining(connect: Any, path: Path) -> Any:
    def explained() -> sqlite3.Connection:
        try:
            made: sqlite3.Connection = connect()
        except OSError as error:
            raise StoreError(f"the state store {path} cannot be opened: {error.strerror}") from None
        return made

    return explained


class Postgresql(Backend):
    """A database of a PostgreSQL server."""

    reconnects = True

    def __init__(self, url: URL, *, read_only: bool) -> None:
        shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
        self.where = f"the state store {shown}"
        self.read_only = read_only
        self._owner = secrets.token_hex(8)
        self._owned = False
        options = f"-c statement_timeout={STATEMENT_MILLISECONDS} -c synchronous_commit=on"
        try:
            self._engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                poolclass=NullPool,
                connect_args={
                    "connect_timeout": CONNECT_SECONDS, "options": options, "application_name": "pxed",
                    "tcp_user_timeout": STATEMENT_MILLISECONDS,
                },
            )  # fmt: skip
        except (ModuleNotFoundError, NoSuchModuleError):
            raise StoreError(
                "server.state names PostgreSQL, whose driver is not installed: pip install pxed[postgresql]"
            ) from None

    def open(self) -> Session:
        session = Session(self._engine.connect())
        try:
            if not self.read_only:
                self._take(session.connection)
        except BaseException:
            session.close()
            raise
        return session

    def explain(self, error: SQLAlchemyError) -> StoreError:
        original = getattr(error, "orig", None)
        text = " ".join(str(original or error).split())
        state = getattr(original, "sqlstate", None) or ""
        if isinstance(error, DataError | IntegrityError) or state.startswith(("22", "23")):
            return StoreError(f"{self.where} does not take a row: {text}", Trouble.ROW)
        if state.startswith("53"):
            return StoreError(f"{self.where} is out of resources: {text}", Trouble.FULL)
        if state.startswith("28") or "authentication failed" in text:
            return StoreError(f"{self.where} does not let pxed in: {text}")
        return StoreError(f"{self.where} cannot be reached: {text}", Trouble.AWAY)

    def close(self) -> None:
        self._engine.dispose()

    def _take(self, connection: Connection) -> None:
        """The lock is the connection's: after a lost one, nobody else may have had the store meanwhile."""
        with connection.begin():
            got = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK_KEY})").scalar()
        if not got:
            raise StoreError(f"{self.where} is in use by another pxed: stop that one first", Trouble.LOCKED)
        with connection.begin():
            if self._owned and connection.execute(select(SCHEMA.c.owner)).scalar() != self._owner:
                raise StoreError(f"{self.where} was in use by another pxed meanwhile: restart pxed", Trouble.STALE)

    def own(self, connection: Connection) -> None:
        """Write down who has it, once the schema is there."""
        with connection.begin():
            connection.execute(update(SCHEMA).values(owner=self._owner))
        self._owned = True


@contextlib.contextmanager
def reading(state: str, data_dir: Path) -> Iterator[Any]:
    """A store for a command that only reads, beside the daemon. Raises StoreError."""
    from pxed.status.store.store import open_store

    store = open_store(state, data_dir, read_only=True)
    try:
        yield store
    finally:
        store.close()
