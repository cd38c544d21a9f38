"""PostgreSQL by psycopg 3, for those who have one that is backed up and does not die with the daemon's host.

One daemon holds the store by a session's advisory lock. After a lost connection it is taken again, and a word in
pxed_schema tells whether another daemon had it meanwhile: then what this one remembers is out of date, and it stops
writing. The server finds a dead daemon by TCP keepalives within half a minute.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.pool import NullPool

from pxed.status.store import legacy
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.migrations import migrate, require_current, version_of
from pxed.status.store.opened import Store, sentences
from pxed.status.store.rows import by_kind
from pxed.status.store.sqlite import FILE
from pxed.status.store.statements import Statements
from pxed.status.store.tables import SCHEMA

LOCK = 0x70786564  # "pxed"; with the schema's name, so that two schemas of one database are two stores
CONNECT_SECONDS = 3
STATEMENT_MS = 4_000
_SETTINGS = (
    "SET statement_timeout = 60000",  # of the start: migrations, the load
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
_SENTENCES: dict[str, tuple[Trouble, str]] = {  # by SQLSTATE or its class, PostgreSQL's manual, appendix A
    "28": (Trouble.UNUSABLE, "it does not let pxed in: check user and password of server.state"),
    "3D000": (Trouble.UNUSABLE, "there is no such database: make it with `createdb`"),
    "42501": (Trouble.UNUSABLE, "pxed's user may not do that: let it own the database"),
    "25006": (Trouble.AWAY, "it takes no writes, as a standby does: name the primary server"),
    "53100": (Trouble.FULL, "the server's disk is full: make room"),
    "53": (Trouble.AWAY, "the server is short of resources"),
    "57014": (Trouble.AWAY, "it did not answer in time"),
    "22": (Trouble.ROW, "it does not take the row"),
    "23": (Trouble.ROW, "it does not take the row"),
    "54": (Trouble.ROW, "it does not take the row"),
    "XX001": (Trouble.UNUSABLE, "it is damaged: restore a backup of it"),
    "XX002": (Trouble.UNUSABLE, "it is damaged: restore a backup of it"),
}


class PostgreSql:
    """One database of a server."""

    upsert = staticmethod(insert)

    def __init__(self, url: str, *, read_only: bool) -> None:
        import psycopg

        self._url = url = re.sub(r"^postgresql\+\w+:", "postgresql:", url)  # as SQLAlchemy writes it
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self._read_only = read_only
        self._owner = ""
        self.where = f"the state store ({_named(url)})"

    def connect(self) -> Connection:
        """A connection that holds the store, as it was left. Raises StoreError."""
        connection = self.open()
        try:
            if not self._read_only:
                self.lock(connection)
                self._same(connection)
            return connection
        except BaseException:
            connection.close()
            raise

    def open(self) -> Connection:
        """A connection."""
        import psycopg

        def made() -> psycopg.Connection[Any]:
            made = psycopg.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                tcp_user_timeout=STATEMENT_MS,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                client_encoding="utf8",
                application_name="pxed",
                autocommit=True,
            )
            try:
                for statement in _SETTINGS:
                    made.execute(statement)
                if self._read_only:
                    made.execute("SET default_transaction_read_only = on")
                made.autocommit = False
            except BaseException:
                made.close()
                raise
            return made

        return create_engine("postgresql+psycopg://", creator=made, poolclass=NullPool).connect()

    def lock(self, connection: Connection) -> None:
        """Be the one daemon that has it, for as long as the connection lives. Raises StoreError."""
        taken = f"SELECT pg_try_advisory_lock({LOCK}, hashtext(coalesce(current_schema()::text, '')))"
        with connection.begin():
            if not connection.exec_driver_sql(taken).scalar_one():
                raise StoreError(
                    f"{self.where} is in use by another pxed: stop that one first"
                    " (if its host died, the server notices within half a minute)",
                    Trouble.LOCKED,
                )

    def own(self, connection: Connection) -> None:
        """Say that this daemon has it now; from here on its statements are short ones."""
        self._owner = secrets.token_hex(8)
        with connection.begin():
            connection.execute(update(SCHEMA).values(owner=self._owner))
            connection.exec_driver_sql(f"SET statement_timeout = {STATEMENT_MS}")

    def trouble(self, error: Exception) -> StoreError:
        """The sentence for an error of PostgreSQL or on the way to it."""
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None) or ""
        said = " ".join(str(cause).split())
        for code in (state, state[:2]):
            if code in _SENTENCES:
                trouble, text = _SENTENCES[code]
                return StoreError(f"{self.where}: {text} ({said})", trouble)
        import psycopg

        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            return _unreachable(self.where, said)
        if isinstance(cause, psycopg.DataError | OverflowError | UnicodeError | TypeError):
            return StoreError(f"{self.where} does not take the row ({said})", Trouble.ROW)
        return StoreError(f"{self.where} failed: {said}")

    def close(self) -> None:
        """Nothing is left: the lock went with the connection."""

    def _same(self, connection: Connection) -> None:
        with connection.begin():
            owner = connection.execute(select(SCHEMA.c.owner)).scalar_one()
            connection.exec_driver_sql(f"SET statement_timeout = {STATEMENT_MS}")
        if owner != self._owner:
            raise StoreError(
                f"{self.where} was used by another pxed while this one had lost it: restart this one, so that it"
                " reads what the other wrote",
                Trouble.STALE,
            )


def open_postgresql(url: str, data_dir: Path, *, read_only: bool) -> Store:
    """The store of a postgresql:// URL. Raises StoreError."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise StoreError(
            "server.state names PostgreSQL, for which psycopg is missing: pip install 'pxed[postgresql]'"
        ) from None
    backend = PostgreSql(url, read_only=read_only)
    with sentences(backend):
        connection = backend.open()
        try:
            if read_only:
                require_current(connection, backend.where)
                return Store(backend, connection)
            backend.lock(connection)
            notices = _prepared(backend, connection, data_dir)
            backend.own(connection)
        except BaseException:
            connection.close()
            raise
    legacy.put_aside(data_dir)
    return Store(backend, connection, notices)


def _prepared(backend: PostgreSql, connection: Connection, data_dir: Path) -> list[str]:
    """Bring the schema to this version; a new one takes over what an older pxed kept in files."""
    if version_of(connection, backend.where):
        migrate(connection, backend.where)
        return []
    if (data_dir / FILE).exists():
        raise StoreError(
            f"{backend.where} is empty, but {data_dir / FILE} has the state of machines: with an empty store they"
            " would be installed again. Move that file away if this is wanted"
        )
    rows, notices = legacy.read(data_dir)
    migrate(connection, backend.where)
    statements = Statements(backend.upsert)
    with connection.begin():
        for kind, writes in by_kind(rows).items():
            statements.write(connection, kind, writes)
    return notices


def _named(url: str) -> str:
    """The database for people: without user and password."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        if "@" in re.sub(r"://[^@/?]*@", "://", url.partition("?")[0], count=1):
            raise psycopg.ProgrammingError  # a part of the password would be taken for the host, and shown
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreError(
            "server.state is not a URL that PostgreSQL understands: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            " (characters such as @ and / in a password are written %40 and %2F)"
        ) from None
    database = parts.get("dbname") or parts.get("user") or "of pxed's user"
    return f"PostgreSQL database {database} on {parts.get('host') or 'this host'}"


def _unreachable(where: str, said: str) -> StoreError:
    if "no password supplied" in said or "authentication failed" in said or 'FATAL: role "' in said:
        return StoreError(f"{where}: {_SENTENCES['28'][1]} ({said})")
    if 'database "' in said and "does not exist" in said:
        return StoreError(f"{where}: {_SENTENCES['3D000'][1]} ({said})")
    return StoreError(f"{where} cannot be reached: check that the server runs ({said})", Trouble.AWAY)
