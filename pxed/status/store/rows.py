"""Rows to columns and back. Texts of peers are made storable: PostgreSQL takes no NUL, neither takes surrogates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from sys import intern
from typing import Any

from pxed.status.records import Forget, Purpose, Row, Spent, State, Write
from pxed.status.store.tables import NAMES

Columns = dict[str, Any]
Key = tuple[str, ...]
_ENUMS: Mapping[str, Mapping[Any, Any]] = {
    "State | None": {None: None, **{member.value: member for member in State}},
    "Purpose": {member.value: member for member in Purpose},
    "Spent": {member.value: member for member in Spent},
}
_TEXTS = ("str", "Purpose", "Spent")


def text(value: str) -> str:
    """The text as both databases can keep it: without NUL and lone surrogates, U+FFFD instead."""
    plain = str(value)
    if plain.isascii() and "\0" not in plain:
        return plain
    return plain.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _optional_text(value: str | None) -> str | None:
    return None if value is None else text(value)


def _words(values: Sequence[str]) -> str:
    return text(" ".join(values))


_ENCODERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_TEXTS, text),
    "State | None": _optional_text,
    "tuple[str, ...]": _words,
}
_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    **{name: members.__getitem__ for name, members in _ENUMS.items()},
    "tuple[str, ...]": lambda joined: tuple(joined.split()),
    "bool": bool,  # SQLite's are 0 and 1
}


def _encoder(kind: type[Row]) -> Callable[[Row], Columns]:
    names = [field.name for field in fields(kind)]
    encoders = [_ENCODERS.get(str(field.type)) for field in fields(kind)]
    values = attrgetter(*names)

    def encode(row: Row) -> Columns:
        return {
            name: encode(value) if encode else value
            for name, encode, value in zip(names, encoders, values(row), strict=True)
        }

    return encode


_REPEATED = ("image", "version", "kernel", "initrd", "profile", "way", "root")  # one text for many machines


def _decoder(kind: type[Row]) -> Callable[[Sequence[Any]], Row]:
    made_by = [_DECODERS.get(str(field.type), intern if field.name in _REPEATED else None) for field in fields(kind)]
    special = [(at, made) for at, made in enumerate(made_by) if made is not None]

    def decode(columns: Sequence[Any]) -> Row:
        if not special:
            return kind(*columns)
        values = list(columns)
        for at, made in special:
            values[at] = made(values[at])
        return kind(*values)

    return decode


ENCODE: Mapping[type[Row], Callable[[Row], Columns]] = {kind: _encoder(kind) for kind in NAMES}
DECODE: Mapping[type[Row], Callable[[Sequence[Any]], Row]] = {kind: _decoder(kind) for kind in NAMES}
_KEYS: Mapping[type[Row], Callable[[Row], Any]] = {kind: attrgetter(*key) for kind, (_, key) in NAMES.items()}


def key_of(write: Write) -> tuple[type[Row], Key]:
    """The kind and the key of the row that is written or forgotten."""
    if isinstance(write, Forget):
        return write.kind, write.key
    key = _KEYS[type(write)](write)
    return type(write), key if isinstance(key, tuple) else (key,)


def by_kind(writes: Sequence[Write]) -> dict[type[Row], dict[Key, Write]]:
    """The last write of each key, by kind: what the rows are after all of them, whatever their order."""
    sorted_: dict[type[Row], dict[Key, Write]] = {}
    for write in writes:
        kind, key = key_of(write)
        sorted_.setdefault(kind, {})[key] = write
    return sorted_
