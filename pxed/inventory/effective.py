"""Which profiles a machine may get, with its own fields over each: what rules between entries are judged by."""

from __future__ import annotations

from collections.abc import Iterator

from pxed.inventory.draft import Draft, Listed
from pxed.inventory.profile import Profile, with_overrides


def bases(draft: Draft, entry: Listed) -> list[tuple[str, Profile]]:
    """The valid profiles that a machine may get, by name, in the order in which they are tried."""
    names = [entry.profile] if entry.profile else _inherited(draft)
    return [
        (name, draft.profiles[name])
        for name in names
        if name in draft.profiles and ("profiles", name) not in draft.salvaged
    ]


def profiles_in_use(draft: Draft, *fields: str) -> Iterator[tuple[str, Profile]]:
    """Every profile, and those of the machines that override one of `fields` (or any), by what to call them."""
    for name, profile in draft.profiles.items():
        yield f"profile {name}", profile
    for name, entry in draft.machines.items():
        if entry.overrides and (not fields or not entry.overrides.keys().isdisjoint(fields)):
            for _, base in bases(draft, entry):
                yield f"machine {name}", with_overrides(base, entry.overrides)


def _inherited(draft: Draft) -> list[str]:
    """Profiles that a machine without one of its own may get."""
    names = [group.profile for group in draft.groups.values()]
    return list(dict.fromkeys([*names, draft.server.unknown if draft.server else ""]))
