"""What the daemon's services need of the state store: rows that were kept, and a way to keep more."""

from __future__ import annotations

from typing import Protocol

from pxed.status.records import Write


class Keeper(Protocol):
    """The state store as seen from the event loop (pxed.server.state)."""

    async def commit(self, *writes: Write) -> None:
        """Keep them; durable when it returns. Raises StoreError."""

    def later(self, *writes: Write) -> None:
        """Keep them soon, in order with what is committed."""
