"""Ignition's check that no list names an entry twice (config/validate, ValidateDups)."""

from __future__ import annotations

from collections.abc import Iterator

from pxed.ignition.spec.keys import REPEATABLE, key_of, key_space
from pxed.ignition.spec.model import Finding, Path, Severity, Tree
from pxed.ignition.spec.schema import Struct, spec_of

DUPLICATE = "duplicate entry defined"


def duplicates(config: Tree, version: str) -> list[Finding]:
    """An error for each entry whose key came before in its list, or in a list that shares its keys."""
    return list(_struct(config, spec_of(version).config, ()))


def _struct(node: Tree, struct: Struct, at: Path) -> Iterator[Finding]:
    seen: dict[str, set[str]] = {}
    for field in struct.fields:
        if not field.many or not node.get(field.name) or (struct.name, field.name) in REPEATABLE:
            continue
        space = seen.setdefault(key_space(struct, field), set())
        for index, item in enumerate(node[field.name]):
            key = key_of(item, field)
            if key in space:
                yield Finding((*at, field.name, index), Severity.ERROR, DUPLICATE)
            space.add(key)
    yield from _below(node, struct, at)


def _below(node: Tree, struct: Struct, at: Path) -> Iterator[Finding]:
    for field in struct.nested:
        value = node.get(field.name)
        if not value or not field.child:
            continue
        if not field.many:
            yield from _struct(value, field.child, (*at, field.name))
            continue
        for index, item in enumerate(value):
            yield from _struct(item, field.child, (*at, field.name, index))
