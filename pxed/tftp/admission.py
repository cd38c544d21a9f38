"""Who may start a transfer now. Slots are bounded, and shared so that no source can keep the others out.

A source may hold half of the slots, and only a few transfers that it never acknowledged (its address may be forged, and
what is sent to it then hits a victim: T13). A request that has to wait is kept for a moment and not answered; a ROM
repeats it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

UNHEARD_PER_SOURCE = 64  # transfers of one address without a first ACK: at two packets in ten seconds each, no flood
SMALLEST_SHARE = 16  # slots that a source may always hold
WAIT = 3.0  # seconds a request is kept; ROMs repeat theirs after 1 to 4 seconds
LOOK_AHEAD = 32  # waiting requests looked at for a free slot

Client = tuple[str, int]
"""Address and port."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[R]):
    """A request that waits since a time."""

    request: R
    since: float


class Admission(Generic[R]):
    """Counts transfers per source and keeps the requests that wait, the oldest first. No clock, no I/O."""

    def __init__(self, max_transfers: int) -> None:
        self.max_transfers = max_transfers
        self.share = max(SMALLEST_SHARE, max_transfers // 2)
        self.active = 0
        self._held: Counter[str] = Counter()
        self._unheard: Counter[str] = Counter()
        self._waiting: dict[Client, Waiting[R]] = {}

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return self.active >= self.max_transfers

    def may_start(self, source: str) -> bool:
        """Whether a transfer to this address may start now."""
        return not self.full and self._held[source] < self.share and self._unheard[source] < UNHEARD_PER_SOURCE

    def started(self, source: str) -> None:
        self.active += 1
        self._held[source] += 1
        self._unheard[source] += 1

    def heard(self, source: str) -> None:
        """The first ACK of a transfer came."""
        _decrement(self._unheard, source)

    def ended(self, source: str, *, heard: bool) -> None:
        self.active -= 1
        _decrement(self._held, source)
        if not heard:
            _decrement(self._unheard, source)

    def wait(self, client: Client, request: R, now: float) -> bool:
        """Keep a request for later; a repeated one takes the place of its first. False when there is no room."""
        known = self._waiting.get(client)
        if known is None and len(self._waiting) >= self.max_transfers:
            return False
        self._waiting[client] = Waiting(request, known.since if known else now)
        return True

    def next(self) -> R | None:
        """The oldest request that may start now, taken off the queue."""
        if self.full:
            return None
        for client, _ in zip(self._waiting, range(LOOK_AHEAD), strict=False):
            if self.may_start(client[0]):
                return self._waiting.pop(client).request
        return None

    def expired(self, now: float) -> list[R]:
        """The requests that waited too long, taken off the queue."""
        late = [client for client, waiting in self._waiting.items() if now - waiting.since >= WAIT]
        return [self._waiting.pop(client).request for client in late]

    def forget_waiting(self) -> None:
        self._waiting.clear()


def _decrement(counter: Counter[str], source: str) -> None:
    counter[source] -= 1
    if counter[source] <= 0:
        del counter[source]
