"""The journal: the last events of each machine, in memory, bounded whatever the network sends."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from pxed.events import Event

EVENTS_PER_MACHINE = 200
EVENTS_IN_ALL = 100_000  # about 60 MB at most; the machine that was quiet for longest is forgotten first


class Journal:
    """Events by machine: the inventory's name, or the MAC of an unlisted one."""

    def __init__(self, per_machine: int = EVENTS_PER_MACHINE, in_all: int = EVENTS_IN_ALL) -> None:
        self._per_machine = per_machine
        self._in_all = in_all
        self._machines: OrderedDict[str, deque[Event]] = OrderedDict()
        self._count = 0

    def add(self, event: Event) -> None:
        """Keep `event`; an event of the daemon itself belongs to no machine and is not kept."""
        name = event.machine or event.mac
        if not name:
            return
        events = self._machines.get(name)
        if events is None:
            events = self._machines[name] = deque(maxlen=self._per_machine)
        else:
            self._machines.move_to_end(name)
        if len(events) < self._per_machine:
            self._count += 1
        events.append(event)
        while self._count > self._in_all:
            self._count -= len(self._machines.popitem(last=False)[1])

    def events(self, name: str) -> tuple[Event, ...]:
        """Oldest first; () for a machine that was never heard of."""
        return tuple(self._machines.get(name, ()))

    def machines(self) -> Iterator[str]:
        """The names heard of, the one that was quiet for longest first."""
        return iter(tuple(self._machines))

    def __len__(self) -> int:
        return self._count
