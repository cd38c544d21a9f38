"""Ignition's own validation of a config, in its order and with its messages (Ignition 2.26, Butane 0.29).

Each struct is checked before what it holds, in the order of the Go structs. The messages are those of
Ignition's config/shared/errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pxed.ignition.spec import rules_disks, rules_resource, rules_storage, rules_systemd
from pxed.ignition.spec.model import Finding, Path, Tree
from pxed.ignition.spec.schema import Field, Struct, spec_of

_RULES = {**rules_resource.RULES, **rules_storage.RULES, **rules_disks.RULES, **rules_systemd.RULES}


def validate(config: Tree, version: str) -> list[Finding]:
    """What Ignition's Validate says about a config of that version, without its check for duplicates."""
    spec = spec_of(version)
    return list(_struct(config, spec.config, (), spec.minor))


def _struct(node: Tree, struct: Struct, at: Path, minor: int) -> Iterator[Finding]:
    rule = _RULES.get(struct.name)
    if rule:
        yield from rule(node, at, minor)
    for field in struct.nested:
        value = node.get(field.name, {} if field.always and not field.many else None)
        if value is not None:
            yield from _field(value, field, (*at, field.name), minor)


def _field(value: Any, field: Field, at: Path, minor: int) -> Iterator[Finding]:
    if not field.child:
        for index, device in enumerate(value):
            yield from rules_disks.DEVICE(device, (*at, index))
    elif field.many:
        for index, item in enumerate(value):
            yield from _struct(item, field.child, (*at, index), minor)
    else:
        yield from _struct(value, field.child, at, minor)
