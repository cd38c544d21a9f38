"""Alerts: what somebody should look at, said once, kept, and shown until it is old."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from secrets import token_hex

from pxed.events import Emit, Event, Kind, Level
from pxed.server.happenings import printable
from pxed.server.keeping import Keeper
from pxed.status.records import Alert

MOST = 1_000  # that are shown; the store keeps more
QUIET_SECONDS = 60.0  # the same of one machine and address is said once in this time
MOST_RECENT = 4_096  # machines and addresses that are remembered for that


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an alert is about, and who caused it."""

    machine: str = ""
    mac: str = ""
    address: str = ""


class Alerts:
    """Raises alerts."""

    def __init__(self, keeper: Keeper, emit: Emit, known: Iterable[Alert] = ()) -> None:
        self._keeper = keeper
        self._emit = emit
        self._alerts: deque[Alert] = deque(known, maxlen=MOST)
        self._recent: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def of(self, machine: str = "") -> Sequence[Alert]:
        """Those of one machine, or all; newest first."""
        return [alert for alert in reversed(self._alerts) if not machine or alert.machine == machine]

    def alert(self, what: str, subject: Subject, text: str) -> bool:
        """Raise one, unless the same was raised a moment ago; whether it was."""
        now, key = time.time(), (what, subject.machine, subject.address)
        last = self._recent.get(key)
        if last is not None and 0 <= now - last < QUIET_SECONDS:
            return False
        self._recent[key] = now
        self._recent.move_to_end(key)
        if len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)
        self._raise(what, subject, printable(text), now)
        return True

    def _raise(self, what: str, subject: Subject, text: str, now: float) -> None:
        identifier = f"{int(now * 1000):013d}-{token_hex(4)}"
        alert = Alert(identifier, now, subject.machine, subject.mac, subject.address, what, text)
        self._alerts.append(alert)
        self._keeper.later(alert)
        data = {"what": what, "address": subject.address}
        self._emit(Event(Kind.ALERT, now, subject.machine, subject.mac, text, Level.WARNING, data))
