"""Plain data -> validated entries, each by itself, so that one broken entry hides no other's problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from pxed.inventory.fields import Base
from pxed.inventory.messages import Complaint, complaint
from pxed.inventory.model import Document, Group, Image, MachineEntry, Profile, Server
from pxed.inventory.places import KeyPath
from pxed.inventory.scalars import nearest, parse_name, quote

_SECTIONS = tuple(Document.model_fields)
E = TypeVar("E", bound=Base)
K = TypeVar("K")
_NONE: Mapping[str, Any] = MappingProxyType({})

OWN_FIELDS = frozenset({"mac", "uuid", "serial", "asset_tag", "profile", "vars"})
"""What a machine's entry says of the machine; every other field overrides its profile."""


@dataclass(slots=True)
class Listed:
    """A machine's entry, only what the text gives: 10,000 models with all fields of a profile took 9 MB more."""

    macs: tuple[str, ...]
    uuid: UUID | None
    serial: str | None
    profile: str | None
    vars: Mapping[str, Any]
    asset_tag: str | None
    overrides: Mapping[str, Any]  # the profile fields that the machine sets itself


@dataclass(slots=True)
class Draft:
    """What could be validated, and what could not. `*_names` also hold names of entries that are broken themselves."""

    base: Path
    server: Server | None = None
    images: dict[str, Image] = field(default_factory=dict)
    installable: dict[str, Image] = field(default_factory=dict)  # images, and the releases that installations name
    profiles: dict[str, Profile] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    machines: dict[str, Listed] = field(default_factory=dict)
    image_names: frozenset[str] = frozenset()
    profile_names: frozenset[str] = frozenset()
    complaints: list[Complaint] = field(default_factory=list)
    salvaged: set[KeyPath] = field(default_factory=set)  # entries that lack their invalid fields


def drafted(data: Any, base: Path) -> Draft:
    """Validate the document's sections. `base` is the directory that relative paths start from."""
    draft = Draft(base)
    if data is None:
        draft.complaints.append(Complaint((), f"the file is empty, expected a mapping of {', '.join(_SECTIONS)}"))
    elif not isinstance(data, dict):
        draft.complaints.append(Complaint((), f"found {quote(data)}, expected a mapping of {', '.join(_SECTIONS)}"))
    else:
        _sections(draft, data)
    return draft


def _sections(draft: Draft, data: dict[str, Any]) -> None:
    for key in data:
        if key not in _SECTIONS:
            draft.complaints.append(Complaint((key,), f"unknown key{nearest(key, _SECTIONS)}", at_key=True))
    server = data.get("server")
    draft.server = _validated(draft, Server, {} if server is None else server, ("server",))
    draft.image_names = frozenset(_names(data.get("images")))
    draft.profile_names = frozenset(_names(data.get("profiles")))
    draft.images = _named(draft, Image, data, "images", _whole)
    draft.profiles = _named(draft, Profile, data, "profiles", _whole)
    draft.machines = _named(draft, MachineEntry, data, "machines", _listed)
    _groups(draft, data.get("groups"))


def _names(section: Any) -> list[str]:
    return list(section) if isinstance(section, dict) else []


def _whole(entry: E) -> E:
    return entry


def _listed(entry: MachineEntry) -> Listed:
    overriding = entry.model_fields_set - OWN_FIELDS
    overrides = {name: getattr(entry, name) for name in overriding} if overriding else _NONE
    kept = entry.vars or _NONE
    return Listed(entry.mac, entry.uuid, entry.serial, entry.profile, kept, entry.asset_tag, overrides)


def _named(draft: Draft, model: type[E], data: dict[str, Any], section: str, kept: Callable[[E], K]) -> dict[str, K]:
    """What is kept of the valid entries of a section whose keys are names."""
    entries = data.get(section)
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        draft.complaints.append(Complaint((section,), f"found {quote(entries)}, expected a mapping of names"))
        return {}
    valid: dict[str, K] = {}
    validate = model.__pydantic_validator__.validate_python
    context = {"base": draft.base}
    for name, raw in entries.items():
        try:
            parse_name(name)
        except ValueError as error:
            draft.complaints.append(Complaint((section, name), str(error), at_key=True))
        try:
            valid[name] = kept(validate({} if raw is None else raw, context=context))
        except ValidationError as error:
            entry = _salvaged(draft, model, raw, error, (section, name))
            if entry is not None:
                valid[name] = kept(entry)
    return valid


def _groups(draft: Draft, raw: Any) -> None:
    if raw is None:
        return
    if not isinstance(raw, list):
        draft.complaints.append(
            Complaint(("groups",), f"found {quote(raw)}, expected a list (each item begins with '- match:')")
        )
        return
    for position, item in enumerate(raw):
        group = _validated(draft, Group, item, ("groups", position))
        if group is not None:
            draft.groups[position] = group


def _validated(draft: Draft, model: type[E], raw: Any, path: KeyPath) -> E | None:
    try:
        return model.model_validate(raw, context={"base": draft.base})
    except ValidationError as error:
        return _salvaged(draft, model, raw, error, path)


def _salvaged(draft: Draft, model: type[E], raw: Any, error: ValidationError, path: KeyPath) -> E | None:
    """Complain, and give the entry without its invalid fields, so that the rest can still be checked."""
    errors = error.errors(include_url=False)
    draft.complaints += [complaint(model, details, path) for details in errors]
    draft.salvaged.add(path)
    rest = deepcopy(raw)
    for details in errors:
        _prune(rest, details["loc"])
    try:
        return model.model_validate(rest, context={"base": draft.base})
    except ValidationError:
        return None


def _prune(raw: Any, location: KeyPath) -> None:
    """Remove the innermost mapping's key on the way to `location`. Whole lists go: the indexes of a rest would lie."""
    holder: Any = None
    here, last = raw, ""
    for part in location:
        if not isinstance(here, dict) or part not in here:
            break
        holder, last, here = here, part, here[part]  # type: ignore[assignment]
    if holder is not None:
        del holder[last]
