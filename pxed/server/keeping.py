"""What the daemon's services need of the state store: rows that were kept, and a way to keep more."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pxed.status.records import Write


class Fault(NamedTuple):
    """The store takes nothing at this time."""

    since: float
    why: str  # for the log and for operators: it may name files and hosts


class Keeper(Protocol):
    """The state store as seen from the event loop (pxed.server.state)."""

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it; None while it works."""

    async def commit(self, *writes: Write) -> None:
        """Keep them; durable when it returns. Raises StoreError."""

    def later(self, *writes: Write) -> None:
        """Keep them soon, in order with what is committed."""
