"""Machines that the inventory does not list: their names are MACs, which a sender can invent, so they are bounded.

The oldest goes first that nothing is lost with: it has never reported, and no operator has ordered anything for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pxed.status.records import Standing, State

MOST = 16_384  # machines, each with its boots and attempts about 4 KB


class Strangers:
    """The names of unlisted machines of which something is known. `forget` drops all rows of one."""

    def __init__(self, forget: Callable[[str], None], most: int = MOST) -> None:
        self._forget = forget
        self._most = most
        self._loose: OrderedDict[str, None] = OrderedDict()  # least recently heard of first
        self._firm: set[str] = set()

    def has_room_for(self, name: str) -> bool:
        """Whether one more may be known; all others may be installed, and would be again if they were forgotten."""
        return name in self._firm or len(self._firm) < self._most

    def note(self, name: str, standing: Standing | None) -> None:
        """It was heard of, and stands so now."""
        self._firm.discard(name)
        self._loose.pop(name, None)
        if standing is not None and _is_firm(standing):
            self._firm.add(name)
        else:
            self._loose[name] = None
        while self._loose and len(self._loose) + len(self._firm) > self._most:
            self._forget(self._loose.popitem(last=False)[0])

    def clear(self) -> None:
        """They are noted anew: the inventory has changed."""
        self._loose.clear()
        self._firm.clear()


def _is_firm(standing: Standing) -> bool:
    return standing.state not in (None, State.WANTED) or standing.ordered or bool(standing.next_profile)
