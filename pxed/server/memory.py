"""What pxed knows of boots under way that is in no store, from one process to the next.

Without: a machine behind a relay is not known by its address any more, and its files and reports are nobody's; a boot
whose DHCP was seen has to show itself again before it gets its script; a file whose first half was sent before the
restart is never whole; and what is left of a boot is told as another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pxed.server.clients import Clients
from pxed.server.deliveries import Deliveries
from pxed.server.seen import Seen


class Part(Protocol):
    """What knows something."""

    def written(self) -> object: ...
    def read(self, content: Any) -> None: ...


class Memory:
    """Reads and writes it."""

    def __init__(
        self,
        clients: Clients,
        seen: Seen,
        deliveries: Deliveries,
        boots: Part,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts: dict[str, Part] = {"clients": clients, "seen": seen, "deliveries": deliveries, "boots": boots}
        self._settle = settle  # lets everybody hear of the events that have happened

    def written(self) -> Mapping[str, object]:
        """As plain data."""
        self._settle()
        return {name: part.written() for name, part in self._parts.items()}

    def read(self, context: Callable[[str], Any]) -> None:
        """What another process has written; what cannot be read is left out."""
        for name, part in self._parts.items():
            try:
                part.read(context(name))
            except (TypeError, ValueError, KeyError, AttributeError):
                continue
