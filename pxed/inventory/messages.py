"""pydantic's errors as sentences: what was found, what was expected, the nearest key for a misspelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pxed.inventory.places import KeyPath
from pxed.inventory.scalars import nearest, quote


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with the data, before it is known where in the text that stands."""

    path: KeyPath
    message: str
    at_key: bool = False  # the key is meant, not its value
    see: KeyPath | None = None  # another place, whose line replaces %s in the message
    absence: bool = False  # something lacks; not to be said of an entry that lacks its invalid fields too
    warning: bool = False
    unreadable: Path | None = None  # the file that it is about


_EXPECTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list or a single value",
    "string_type": "a single value",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "uuid_type": "a UUID",
    "is_instance_of": "a single value",
    "path_type": "a path",
}


def complaint(model: type[BaseModel], error: ErrorDetails, above: KeyPath) -> Complaint:
    """One pydantic error of `model`, which stands at `above`."""
    kind, found = error["type"], error["input"]
    location = tuple(part for part in error["loc"] if part != "[key]")
    at_key = kind == "extra_forbidden" or "[key]" in error["loc"]
    return Complaint((*above, *location), _sentence(model, error, kind, found, location), at_key)


def _sentence(model: type[BaseModel], error: ErrorDetails, kind: str, found: Any, location: KeyPath) -> str:
    context = error.get("ctx", {})
    if kind == "missing":
        return "is missing, it must be given"
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(location[-1]), _keys(model, location[:-1]), most=40)}"
    if kind in ("enum", "literal_error"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        text = found if isinstance(found, str) else ""
        return f"found {quote(found)}, expected {_either(choices)}{_suggestion(text, choices)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "greater_than_equal":
        return f"found {quote(found)}, expected a number from {context['ge']} up"
    if kind == "less_than_equal":
        return f"found {quote(found)}, expected a number up to {context['le']}"
    if kind in _EXPECTED:
        return f"found {quote(found)}, expected {_EXPECTED[kind]}"
    return f"found {quote(found)}: {error['msg']}"


def _either(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _suggestion(found: str, choices: list[str]) -> str:
    hint = nearest(found, choices)
    return hint if hint.startswith(";") else ""


def _keys(model: type[BaseModel], location: KeyPath) -> list[str]:
    """The keys that the mapping at `location` inside `model` may have."""
    current = model
    for part in (part for part in location if isinstance(part, str)):  # a number is an item of a list
        annotation = current.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        current = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(current.model_fields)
