"""A config as JSON, byte for byte as Go's encoding/json writes Ignition's structs (as Butane does).

Keys come in the order of the Go structs; zero values, empty lists and empty structs are left out unless the struct says
otherwise; pointers that are set are kept, also to zero values.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pxed.ignition.spec.model import Tree
from pxed.ignition.spec.schema import Field, Struct, spec_of

# Go escapes these for the sake of HTML and JavaScript; a lone surrogate is a byte that was no UTF-8.
_SPECIAL = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SHORT = re.compile(r"\\(.)")
_LONG = {"b": "\\u0008", "f": "\\u000c"}  # Go has no short forms for backspace and form feed


def marshal(config: Tree, version: str, *, pretty: bool = False) -> bytes:
    """The config as JSON without a newline at its end; pretty indents by two spaces."""
    ordered = _ordered(config, spec_of(version).config)
    if pretty:
        text = json.dumps(ordered, ensure_ascii=False, indent=2)
    else:
        text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    if "\\b" in text or "\\f" in text:
        text = _SHORT.sub(lambda match: _LONG.get(match[1], match[0]), text)
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\\ufffd"), text).encode()


def _ordered(node: Tree, struct: Struct) -> dict[str, Any]:
    found = {}
    for field in struct.fields:
        value = node.get(field.name)
        if field.child:
            value = _nested(value, field, field.child)
        if field.always or _set(value, field):
            found[field.name] = _zero(field) if value is None else value
    return found


def _nested(value: Any, field: Field, child: Struct) -> Any:
    if field.many:
        return [_ordered(item, child) for item in value or ()]
    return _ordered(value or {}, child) if value is not None or field.always else None


def _set(value: Any, field: Field) -> bool:
    return value is not None if field.pointer and not field.many else bool(value)


def _zero(field: Field) -> Any:
    if field.many or field.pointer:
        return None
    return {} if field.child else {"string": "", "int": 0, "bool": False}[field.type]
