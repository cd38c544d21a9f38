"""The way into a store: found, held by this daemon alone, brought to this version's schema.

A store that is there and cannot be read stops the start. It must never pass for an empty one: every machine would be
installed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from pxed.status.store import legacy
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.migrations import migrate, require_current
from pxed.status.store.opened import Store, sentences
from pxed.status.store.rows import by_kind
from pxed.status.store.sqlite import FILE, Sqlite
from pxed.status.store.statements import Statements

__all__ = ["Store", "open_store"]


def open_store(state: str, data_dir: Path, *, read_only: bool = False) -> Store:
    """The store of `server.state`: sqlite (data_dir/state.db) or postgresql://... Raises StoreError."""
    if state != "sqlite":
        from pxed.status.store.postgresql import open_postgresql

        return open_postgresql(state, data_dir, read_only=read_only)
    return _read_only(data_dir) if read_only else _for_daemon(data_dir)


def _for_daemon(data_dir: Path) -> Store:
    backend = Sqlite(data_dir / FILE, read_only=False)
    notices: Sequence[str] = ()
    try:
        backend.lock()
        with sentences(backend):
            if not backend.exists():
                notices = _created(backend, data_dir)
            connection = backend.connect()
            try:
                migrate(connection, backend.where)
            except BaseException:
                connection.close()
                raise
    except BaseException:
        backend.close()
        raise
    legacy.put_aside(data_dir)
    return Store(backend, connection, notices)


def _created(backend: Sqlite, data_dir: Path) -> Sequence[str]:
    rows, notices = legacy.read(data_dir)

    def fill(connection: Connection) -> None:
        migrate(connection, backend.where)
        statements = Statements(backend.upsert)
        with connection.begin():
            for kind, writes in by_kind(rows).items():
                statements.write(connection, kind, writes)

    backend.create(fill)
    return notices


def _read_only(data_dir: Path) -> Store:
    backend = Sqlite(data_dir / FILE, read_only=True)
    if not backend.exists():
        raise StoreError(f"{backend.where} is not there: no pxed has used it yet", Trouble.MISSING)
    with sentences(backend):
        connection = backend.connect()
        try:
            require_current(connection, backend.where)
        except BaseException:
            connection.close()
            raise
    return Store(backend, connection)
