"""A config from JSON, as Ignition's Parse reads it: typed, with Go's messages, unknown keys reported as warnings.

Go's encoding/json keeps the first type error and matches keys regardless of case; Ignition then warns about each key
that does not fit exactly. Line and column say where a fault is, which is not always what ignition-validate prints: that
counts from the end of what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pxed.ignition.spec.gojson import Json, JsonSyntaxError, Member, read_json
from pxed.ignition.spec.model import Finding, Path, Severity
from pxed.ignition.spec.rules_resource import UNSUPPORTED
from pxed.ignition.spec.schema import Field, Struct, spec_of

EMPTY = "not a config (empty)"
_INTEGER = re.compile(r"-?[0-9]+")
_WORDS = {"string": "string", "int": "number", "bool": "bool"}


def parse(body: bytes, version: str) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The config that a JSON text holds and warnings about it; or None and the error that stops Ignition."""
    if not body:
        return None, [Finding((), Severity.ERROR, EMPTY)]
    config, found = read(body, version)
    if config is not None and config.get("ignition", {}).get("version") != version:
        return None, [Finding((), Severity.ERROR, UNSUPPORTED)]
    return config, found


def read(body: bytes, version: str) -> tuple[dict[str, Any] | None, list[Finding]]:
    """As parse, but into the structs of that version whatever version the text itself names."""
    spec = spec_of(version)
    try:
        root = read_json(body)
    except JsonSyntaxError as problem:
        return None, [_at(body, problem.offset, (), Severity.ERROR, str(problem))]
    decoder = _Decoder()
    config: dict[str, Any] = {}
    decoder.struct(root, spec.config, config, "")
    if decoder.fault:
        offset, message = decoder.fault
        return None, [_at(body, offset, (), Severity.ERROR, message)]
    return config, [_at(body, *remark) for remark in _unused(root, spec.config, ())]


def place(body: bytes, findings: list[Finding]) -> list[Finding]:
    """The same findings with the line and column of what they name, or of the nearest thing around it."""
    try:
        root = read_json(body)
    except JsonSyntaxError:
        return findings
    return [_at(body, _offset(root, f.path), f.path, f.severity, f.message) for f in findings]


def position(body: bytes, offset: int) -> tuple[int, int]:
    """The line and column of a byte, in characters, from 1."""
    before = body[:offset]
    line_start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[line_start:].decode("utf-8", "replace")) + 1


def _at(body: bytes, offset: int, path: Path, severity: Severity, message: str) -> Finding:
    return Finding(path, severity, message, *position(body, offset))


def _offset(node: Json, path: Path) -> int:
    for step in path:
        if isinstance(step, str):
            child = node.member(step)
        else:
            child = node.value[step] if node.kind == "array" and step < len(node.value) else None
        if child is None:
            break
        node = child
    return node.start


def _unused(node: Json, struct: Struct, path: Path) -> Iterator[tuple[int, Path, Severity, str]]:
    if node.kind != "object":
        where = ".".join(("$", *map(str, path)))
        lost = "Line and column reporting may be inconsistent. Unused keys may not be reported"
        yield node.start, path, Severity.WARNING, f"context tree does not match content tree at {where}. {lost}"
        return
    last = {member.key: member for member in node.value}  # Go's tree keeps the last of equal keys
    for member in last.values():
        if member.key not in struct.by_name:
            yield member.start, (*path, member.key), Severity.WARNING, f"unused key {member.key}"
    for field in struct.nested:
        if field.child and field.name in last:
            yield from _unused_below(last[field.name].value, field, field.child, (*path, field.name))


def _unused_below(node: Json, field: Field, child: Struct, path: Path) -> Iterator[tuple[int, Path, Severity, str]]:
    if field.many:
        for index, item in enumerate(node.value if node.kind == "array" else ()):
            yield from _unused(item, child, (*path, index))
    elif not field.pointer or node.kind != "null":
        yield from _unused(node, child, path)


class _Decoder:
    """Fills a tree from JSON; remembers the first fault and goes on, as Go does."""

    def __init__(self) -> None:
        self.fault: tuple[int, str] | None = None
        self.context: tuple[str, ...] = ()  # the fields on the way, embedded structs among them

    def struct(self, node: Json, struct: Struct, into: dict[str, Any], owner: str) -> None:
        """Set the fields that an object names. `owner` is the struct that holds this one."""
        if node.kind == "null":
            return
        if node.kind != "object":
            self._mismatch(node, f"types.{struct.name}", owner)
            return
        for member in node.value:
            field = struct.match(member.key)
            if field:
                self._field(member, field, into, struct)

    def _field(self, member: Member, field: Field, into: dict[str, Any], struct: Struct) -> None:
        outer = self.context
        self.context = (*outer, *filter(None, (field.embedded, field.name)))
        node = member.value
        if node.kind == "null":
            if field.many or field.pointer:
                into.pop(field.name, None)
        elif field.many:
            self._list(node, field, into, struct)
        elif field.child:
            self.struct(node, field.child, into.setdefault(field.name, {}), struct.name)
        else:
            value = self._scalar(node, field, struct)
            if value is not None:
                into[field.name] = value
        self.context = outer

    def _list(self, node: Json, field: Field, into: dict[str, Any], struct: Struct) -> None:
        if node.kind != "array":
            self._mismatch(node, field.go_type, struct.name)
            return
        items: list[Any] = []
        for item in node.value:
            if field.child:
                items.append({})
                self.struct(item, field.child, items[-1], struct.name)
            else:
                items.append("" if item.kind == "null" else self._scalar(item, field, struct))
        into[field.name] = items
        if not items:
            del into[field.name]

    def _scalar(self, node: Json, field: Field, struct: Struct) -> Any:
        wanted = _WORDS.get(field.type, "string")
        if node.kind != wanted:
            self._mismatch(node, field.element_type, struct.name)
            return None
        if wanted != "number":
            return node.value
        number = int(node.value) if _INTEGER.fullmatch(node.value) and len(node.value) < 40 else 1 << 63
        if -(1 << 63) <= number < 1 << 63:
            return number
        self._mismatch(node, field.element_type, struct.name, f"number {node.value}")
        return None

    def _mismatch(self, node: Json, wanted: str, owner: str, found: str = "") -> None:
        if self.fault is None:
            inside = f"struct field {owner}.{'.'.join(self.context)}" if self.context else "value"
            text = f"json: cannot unmarshal {found or node.kind} into Go {inside} of type {wanted}"
            self.fault = node.start, text
