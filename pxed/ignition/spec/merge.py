"""Merges two configs as Ignition does: deep, lists by the keys of their entries, the child winning.

Ignition's config/merge. An entry of the parent keeps its place; what only the child has follows. An entry that the
child has in another list of the same key space (a file that becomes a link) moves there.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pxed.ignition.spec.keys import REPEATABLE, key_of, key_space
from pxed.ignition.spec.model import Tree
from pxed.ignition.spec.schema import Field, Struct, spec_of

_Index = dict[tuple[str, str], tuple[str, Any]]  # key space and key to the list that has it, and the entry


def merge(parent: Tree, child: Tree, version: str) -> dict[str, Any]:
    """The parent with the child's fields over it; both of that version. Neither is changed."""
    return _struct(parent, child, spec_of(version).config)


def _struct(parent: Tree, child: Tree, struct: Struct) -> dict[str, Any]:
    index = _index(child, struct)
    result = {}
    for field in struct.fields:
        ours, theirs = parent.get(field.name), child.get(field.name)
        value = _list(ours or [], theirs or [], struct, field, index) if field.many else _one(ours, theirs, field)
        if value is not None and not (field.many and not value):
            result[field.name] = value
    return result


def _one(ours: Any, theirs: Any, field: Field) -> Any:
    if field.child:
        # An unset struct of one side leaves the other's whole, plain fields too.
        return _struct(ours, theirs, field.child) if ours and theirs else deepcopy(theirs or ours)
    return ours if theirs is None and field.pointer else theirs


def _index(child: Tree, struct: Struct) -> _Index:
    found: _Index = {}
    for field in struct.fields:
        if field.many and (struct.name, field.name) not in REPEATABLE:
            for item in child.get(field.name) or ():
                found[key_space(struct, field), key_of(item, field)] = (field.name, item)
    return found


def _list(ours: list[Any], theirs: list[Any], struct: Struct, field: Field, index: _Index) -> list[Any]:
    if (struct.name, field.name) in REPEATABLE:
        return [deepcopy(item) for item in (*ours, *theirs)]
    space, result = key_space(struct, field), []
    for item in ours:
        place, other = index.get((space, key_of(item, field)), ("", None))
        if not place:
            result.append(deepcopy(item))
        elif place == field.name and not _removes(other, field):
            result.append(_struct(item, other, field.child) if field.child else other)
    known = {key_of(item, field) for item in ours}
    return [*result, *(deepcopy(item) for item in theirs if key_of(item, field) not in known)]


def _removes(item: Any, field: Field) -> bool:
    """An HTTP header of the child without a value takes the parent's header away."""
    return field.name == "httpHeaders" and item.get("value") is None
