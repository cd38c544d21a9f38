"""SQLite in data_dir/state.db: write-ahead log, flushed to the disk at every commit (https://sqlite.org/wal.html).

A new store is made beside its place and put there when it is whole, so an empty state.db is always a damaged one.
One daemon holds it by a lock on data_dir/state.lock; who only reads needs no lock.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import NullPool

from pxed.assets import durable
from pxed.status.store.errors import StoreError, Trouble

FILE = "state.db"
LOCK = "state.lock"
BUSY_SECONDS = 5.0  # for a reader that has the file: a backup, `pxed images list`
_MODE = 0o600  # it holds the key that tokens are derived with
_RESTORE = (
    "restore a backup of it; without one, move it away, and tell pxed of each machine that is installed"
    " (`pxed machines local NAME`) before that machine boots"
)
_SENTENCES: dict[int, tuple[Trouble, str]] = {  # by the primary result code, https://sqlite.org/rescode.html
    sqlite3.SQLITE_FULL: (Trouble.FULL, "the disk is full: make room"),
    sqlite3.SQLITE_IOERR: (Trouble.FULL, "the disk fails or is full: see `dmesg` and `df`"),
    sqlite3.SQLITE_READONLY: (Trouble.UNUSABLE, "it cannot be written: let it and its directory belong to pxed's user"),
    sqlite3.SQLITE_PERM: (Trouble.UNUSABLE, "it cannot be opened: let it belong to pxed's user"),
    sqlite3.SQLITE_CANTOPEN: (Trouble.UNUSABLE, "it cannot be opened: let it and its directory belong to pxed's user"),
    sqlite3.SQLITE_CORRUPT: (Trouble.UNUSABLE, f"it is damaged: {_RESTORE}"),
    sqlite3.SQLITE_NOTADB: (Trouble.UNUSABLE, f"it is not an SQLite database: {_RESTORE}"),
    sqlite3.SQLITE_BUSY: (Trouble.AWAY, "another program has had it locked for too long: end that program"),
    sqlite3.SQLITE_CONSTRAINT: (Trouble.ROW, "it does not take the row"),
    sqlite3.SQLITE_TOOBIG: (Trouble.ROW, "it does not take the row: it is too large"),
    sqlite3.SQLITE_MISMATCH: (Trouble.ROW, "it does not take the row"),
}


class Sqlite:
    """The store's file."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    upsert = staticmethod(insert)

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.where = f"the state store {path}"
        self._read_only = read_only
        self._lock = -1

    def connect(self) -> Connection:
        """Open the file that is there."""
        return _connection(self.path, "ro") if self._read_only else _connection(self.path, "rw", "WAL")

    def lock(self) -> None:
        """Be the one daemon that has it. Raises StoreError."""
        path = self.path.with_name(LOCK)
        try:
            _directory(path.parent)
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
            durable.give(self._lock, path.parent)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{self.where} is in use by another pxed: stop that one first", Trouble.LOCKED) from None
        except OSError as error:
            raise StoreError(
                f"cannot lock {self.where}: {path}: {error.strerror}: let the directory belong to pxed's user"
            ) from None

    def create(self, fill: Callable[[Connection], None]) -> None:
        """Make the file, whole before it has its name. Raises StoreError, or what `trouble` takes."""
        new = self.path.with_name(f".{FILE}.new")
        try:
            new.unlink(missing_ok=True)
            new.with_name(f"{new.name}-journal").unlink(missing_ok=True)
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
            durable.give(new, new.parent)
            connection = _connection(new, "rw", "DELETE")
            try:
                fill(connection)
            finally:
                connection.close()
            durable.flush(new)
            new.replace(self.path)
            durable.flush(new.parent)
        except OSError as error:
            raise StoreError(f"cannot make {self.where}: {error.strerror}") from None

    def exists(self) -> bool:
        """Whether there is a store. Raises StoreError for a file that cannot be one."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"{self.where} cannot be opened: {error.strerror}") from None
        if size == 0:
            raise StoreError(f"{self.where} is empty, as after damage: {_RESTORE}")
        return True

    def trouble(self, error: Exception) -> StoreError:
        """The sentence for an error of SQLite."""
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if isinstance(cause, sqlite3.DataError | sqlite3.InterfaceError | OverflowError | UnicodeError | TypeError):
            return StoreError(f"{self.where} does not take the row ({cause})", Trouble.ROW)
        if code in _SENTENCES:
            trouble, text = _SENTENCES[code]
            return StoreError(f"{self.where}: {text} ({cause})", trouble)
        return StoreError(f"{self.where} failed: {cause}")

    def close(self) -> None:
        """Let others have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _directory(path: Path) -> None:
    """The directory, which is still there after a power cut."""
    made = [directory for directory in (path, *path.parents) if not directory.exists()]
    durable.directory(path)
    for directory in made:
        durable.flush(directory.parent)


def _connection(path: Path, mode: str, journal: str = "") -> Connection:
    """Autocommit at the driver, so that SQLAlchemy's transactions are SQLite's: the driver's own leave out CREATE."""
    name = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def made() -> sqlite3.Connection:
        made = sqlite3.connect(name, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            if journal:
                made.execute(f"PRAGMA journal_mode={journal}").fetchone()
            made.execute("PRAGMA synchronous=FULL")
            made.execute("PRAGMA schema_version").fetchone()  # reads the file: damage shows here
        except BaseException:
            made.close()
            raise
        return made

    engine = create_engine("sqlite://", creator=made, poolclass=NullPool)
    begin = "BEGIN" if mode == "ro" else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> Any:
        connection.exec_driver_sql(begin)

    return engine.connect()
