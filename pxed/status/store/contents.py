"""What a store holds, as a daemon needs it at its start."""

from __future__ import annotations

from dataclasses import dataclass, field

from pxed.status.records import Alert, Attempt, BootRecord, FirstBoot, Setting, Standing, Token


@dataclass(frozen=True, slots=True)
class Contents:
    """All rows that count; of history the newest, oldest first. The containers belong to whoever loaded them."""

    standings: dict[str, Standing] = field(default_factory=dict)  # by machine
    tokens: dict[str, Token] = field(default_factory=dict)  # by hash; without the expired ones
    first_boots: dict[str, FirstBoot] = field(default_factory=dict)  # by machine
    settings: dict[str, Setting] = field(default_factory=dict)  # by name
    attempts: list[Attempt] = field(default_factory=list)
    boots: list[BootRecord] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notices: tuple[str, ...] = ()  # sentences about what could not be taken over from an older pxed


@dataclass(frozen=True, slots=True)
class History:
    """What the store still knows of one machine's past, newest first."""

    attempts: tuple[Attempt, ...] = ()
    boots: tuple[BootRecord, ...] = ()
    alerts: tuple[Alert, ...] = ()
