"""Unused keys, and places where data and text do not match: Ignition's config/validate on Butane's structs.

Structs are visited in Go's order whether set or not; where an alias or null stands for a struct, Butane says once that
its tree does not match. Lists are matched by index, so a null item shifts the indexes of those after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pxed.ignition.butane import nodes
from pxed.ignition.butane.decode import Struct
from pxed.ignition.butane.report import Note, Path, child_of, warning

_EMPTY: Mapping[str, Any] = {}


def unused_keys(struct: Struct, value: Mapping[str, Any], node: nodes.Node, path: Path = ()) -> Iterator[Note]:
    """Warnings for a struct that was decoded from a node, and for all below it."""
    if not isinstance(node, nodes.Mapping):
        where = ".".join(("$", *map(str, path)))
        yield warning(
            path,
            f"context tree does not match content tree at {where}. Line and column reporting may be inconsistent. "
            "Unused keys may not be reported",
        )
        return
    for name in dict.fromkeys(map(nodes.key_name, node.keys)):
        if name not in struct.fields:
            yield warning((*path, name), f"unused key {name}", key=True)
    for name, kind, many in struct.nested:
        child = child_of(node, name)
        if child is None:
            continue
        if not many:
            yield from unused_keys(kind, value.get(name, _EMPTY), child, (*path, name))
            continue
        for index, item in enumerate(value.get(name, ())):
            below = child_of(child, index)
            if below is not None:
                yield from unused_keys(kind, item, below, (*path, name, index))
