"""The schema's versions. Step N makes version N of version N-1, in one transaction, on SQLite and on PostgreSQL.

A step is never changed once it was released: stores in the field have run it. A store that a newer pxed has
written is refused, for this one could not know what its rows mean.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select, update

from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.tables import SCHEMA

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE pxed_schema (version BIGINT NOT NULL, owner TEXT NOT NULL)",
        "INSERT INTO pxed_schema (version, owner) VALUES (0, '')",
        "CREATE TABLE standings (machine TEXT NOT NULL PRIMARY KEY, macs TEXT NOT NULL, state TEXT,"
        " ordered BOOLEAN NOT NULL, profile TEXT NOT NULL, since DOUBLE PRECISION NOT NULL,"
        " attempt BIGINT NOT NULL, boot TEXT NOT NULL,"
        " deadline DOUBLE PRECISION NOT NULL, not_before DOUBLE PRECISION NOT NULL, reason TEXT NOT NULL,"
        " version TEXT NOT NULL, next_profile TEXT NOT NULL, next_boot TEXT NOT NULL, next_loaded BOOLEAN NOT NULL)",
        "CREATE TABLE attempts (machine TEXT NOT NULL, boot TEXT NOT NULL, number BIGINT NOT NULL,"
        " began DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION NOT NULL, outcome TEXT NOT NULL,"
        " reason TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (machine, boot))",
        "CREATE INDEX attempts_by_time ON attempts (began)",
        "CREATE TABLE boots (id TEXT NOT NULL PRIMARY KEY, machine TEXT NOT NULL, mac TEXT NOT NULL,"
        " address TEXT NOT NULL, began DOUBLE PRECISION NOT NULL, profile TEXT NOT NULL, way TEXT NOT NULL,"
        " deadline DOUBLE PRECISION NOT NULL, reported TEXT NOT NULL, reported_at DOUBLE PRECISION NOT NULL,"
        " message TEXT NOT NULL, version TEXT NOT NULL, ended DOUBLE PRECISION NOT NULL)",
        "CREATE INDEX boots_by_time ON boots (began)",
        "CREATE INDEX boots_by_machine ON boots (machine, began)",
        "CREATE TABLE tokens (hash TEXT NOT NULL PRIMARY KEY, machine TEXT NOT NULL, boot TEXT NOT NULL,"
        " purpose TEXT NOT NULL, minted DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL,"
        " once BOOLEAN NOT NULL, state TEXT NOT NULL, address TEXT NOT NULL)",
        "CREATE INDEX tokens_by_end ON tokens (expires)",
        "CREATE TABLE booted (machine TEXT NOT NULL PRIMARY KEY, image TEXT NOT NULL, version TEXT NOT NULL,"
        " kernel TEXT NOT NULL, initrd TEXT NOT NULL, time DOUBLE PRECISION NOT NULL)",
        "CREATE INDEX booted_by_time ON booted (time)",
        "CREATE TABLE first_boots (machine TEXT NOT NULL PRIMARY KEY, root TEXT NOT NULL,"
        " time DOUBLE PRECISION NOT NULL)",
        "CREATE TABLE alerts (id TEXT NOT NULL PRIMARY KEY, time DOUBLE PRECISION NOT NULL, machine TEXT NOT NULL,"
        " mac TEXT NOT NULL, address TEXT NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL)",
        "CREATE INDEX alerts_by_time ON alerts (time)",
        "CREATE INDEX alerts_by_machine ON alerts (machine, time)",
        "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    ),
    ("ALTER TABLE first_boots ADD COLUMN macs TEXT NOT NULL DEFAULT ''",),
    (
        "CREATE TABLE timelines (id TEXT NOT NULL PRIMARY KEY, machine TEXT NOT NULL, mac TEXT NOT NULL,"
        " began DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION NOT NULL, outcome TEXT NOT NULL,"
        " fault TEXT NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX timelines_by_time ON timelines (began)",
        "CREATE INDEX timelines_by_machine ON timelines (machine, began)",
        "CREATE INDEX timelines_by_mac ON timelines (mac, began)",
    ),
)
VERSION = len(STEPS)


def migrate(connection: Connection, where: str) -> bool:
    """Bring the schema to this version; whether there was none. Raises StoreError for one that pxed does not know."""
    version = version_of(connection, where)
    for number, step in enumerate(STEPS[version:], version + 1):
        with connection.begin():
            for statement in step:
                connection.exec_driver_sql(statement)
            connection.execute(update(SCHEMA).values(version=number))
    return version == 0


def version_of(connection: Connection, where: str) -> int:
    """The schema's version, 0 without one. Raises StoreError for one that is newer, or for strange tables."""
    with connection.begin():
        names = set(inspect(connection).get_table_names())
        if SCHEMA.name in names:
            return _known(connection.execute(select(SCHEMA.c.version)).scalars().all(), where)
    if names:
        listed = ", ".join(sorted(names)[:3])
        raise StoreError(f"{where} has tables that are not pxed's ({listed}): give pxed a database of its own")
    return 0


def require_current(connection: Connection, where: str) -> None:
    """Raises StoreError unless the schema is of this version: for who only reads."""
    version = version_of(connection, where)
    if version == 0:
        raise StoreError(f"{where} is empty: no pxed has used it yet", Trouble.MISSING)
    if version < VERSION:
        raise StoreError(
            f"{where} was written by an older pxed (schema {version} of {VERSION}): start `pxed serve` once"
        )


def _known(found: object, where: str) -> int:
    match found:
        case [int(version)] if 0 < version <= VERSION:
            return version
        case [int(version)] if version > VERSION:
            raise StoreError(
                f"{where} was written by a newer pxed (schema {version}, this one knows {VERSION}):"
                " install that version again, or restore a backup from before it"
            )
        case _:
            raise StoreError(f"{where} does not say which version its schema has: restore a backup of it")
