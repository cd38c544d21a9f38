"""The tables, one for each row type of pxed/status/records.py, with that type's fields as columns.

migrations.py makes them; this is what statements are built from. A test holds both against each other.
"""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import cast

from sqlalchemy import BigInteger, Boolean, Column, Double, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from pxed.status.records import Alert, Attempt, Booted, BootRecord, FirstBoot, Row, Setting, Standing, Timeline, Token

METADATA = MetaData()
NAMES: MappingProxyType[type[Row], tuple[str, tuple[str, ...]]] = MappingProxyType(
    {  # the table's name, its key
        Standing: ("standings", ("machine",)),
        Attempt: ("attempts", ("machine", "boot")),
        BootRecord: ("boots", ("id",)),
        Token: ("tokens", ("hash",)),
        Booted: ("booted", ("machine",)),
        FirstBoot: ("first_boots", ("machine",)),
        Alert: ("alerts", ("id",)),
        Timeline: ("timelines", ("id",)),
        Setting: ("settings", ("name",)),
    }
)
_TYPES: dict[str, type[TypeEngine[object]]] = {"float": Double, "int": BigInteger, "bool": Boolean}  # type: ignore[dict-item]
SCHEMA = Table(  # one row: the version of the schema, and a word of the daemon that has the store open
    "pxed_schema",
    METADATA,
    Column("version", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
)


def _table(kind: type[Row]) -> Table:
    name, key = NAMES[kind]
    columns = [
        Column(field.name, _type(field.type), nullable=_optional(field.type), primary_key=field.name in key)
        for field in fields(kind)
    ]
    return Table(name, METADATA, *columns)


def _type(annotation: object) -> TypeEngine[object]:
    return cast("TypeEngine[object]", _TYPES.get(str(annotation), Text)())


def _optional(annotation: object) -> bool:
    return str(annotation).endswith("| None")


TABLES: MappingProxyType[type[Row], Table] = MappingProxyType({kind: _table(kind) for kind in NAMES})
