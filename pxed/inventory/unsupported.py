"""Fields that are parsed and validated, but whose behaviour this version lacks. Each use is an error, never silence.

An issue that builds one of them removes its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pxed.inventory.draft import Draft
from pxed.inventory.fields import Base
from pxed.inventory.messages import Complaint
from pxed.inventory.model import Profile, Server
from pxed.inventory.places import KeyPath
from pxed.inventory.profile import Boot


@dataclass(frozen=True, slots=True)
class Row:
    """Values of `model.field` for which `lacking` holds are not supported yet."""

    model: type[Base]
    field: str
    lacking: Callable[[Any], bool]
    sentence: str


def _given(value: Any) -> bool:
    return value is not None


def _is(*values: object) -> Callable[[Any], bool]:
    return lambda value: value in values


ROWS = (
    Row(Profile, "boot", _is(Boot.INSTALL), "installing to disk is not supported yet: use boot: memory or boot: local"),
    Row(Profile, "install", _given, "installing to disk is not supported yet: remove install"),
    Row(Profile, "ignition_access", _is("token", "once"), "guarding the config is not supported yet: use open"),
    Row(Server, "state", lambda value: value != "sqlite", "PostgreSQL is not supported yet: use sqlite"),
)


def unsupported(draft: Draft) -> Iterator[Complaint]:
    """Every use of a row's field."""
    if draft.server is not None:
        yield from _uses(Server, draft.server.given(), ("server",))
    for name, profile in draft.profiles.items():
        yield from _uses(Profile, profile.given(), ("profiles", name))
    for name, listed in draft.machines.items():
        yield from _uses(Profile, listed.overrides, ("machines", name))


def _uses(model: type[Base], given: Mapping[str, Any], path: KeyPath) -> Iterator[Complaint]:
    if not given:
        return
    for row in ROWS:
        if row.model is model and row.field in given and row.lacking(given[row.field]):
            yield Complaint((*path, row.field), row.sentence)
