"""The journal: the last events of each machine, in memory, bounded whatever the network sends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from pxed.events import Event, Kind

EVENTS_PER_MACHINE = 200
EVENTS_IN_ALL = 50_000  # about 40 MB at most; the machine that was quiet for longest is forgotten first


class Journal:
    """Events by machine: the inventory's name, or the MAC of an unlisted one."""

    def __init__(self, per_machine: int = EVENTS_PER_MACHINE, in_all: int = EVENTS_IN_ALL) -> None:
        self._per_machine = per_machine
        self._in_all = in_all
        self._machines: OrderedDict[str, list[Event]] = OrderedDict()
        self._count = 0

    def add(self, event: Event) -> None:
        """Keep `event`. Not one of the daemon itself, which belongs to no machine, nor how far a transfer is: there
        are many of those, and each is outdated by the next."""
        name = event.machine or event.mac
        if not name or event.kind is Kind.PROGRESS:
            return
        events = self._machines.get(name)
        if events is None:
            # A list: an empty deque takes 600 bytes, and a stranger's MAC mostly has one event.
            self._machines[name] = [event]
            self._count += 1
        else:
            self._machines.move_to_end(name)
            events.append(event)
            if len(events) > self._per_machine:
                del events[0]
            else:
                self._count += 1
        while self._count > self._in_all:
            self._count -= len(self._machines.popitem(last=False)[1])

    def events(self, name: str) -> tuple[Event, ...]:
        """Oldest first; () for a machine that was never heard of."""
        return tuple(self._machines.get(name, ()))

    def move(self, moves: Mapping[str, str]) -> None:
        """Machines that have another name now keep their events."""
        taken = [(new, self._machines.pop(old, [])) for old, new in moves.items()]
        for name, events in taken:
            known = self._machines.pop(name, [])
            together = sorted((*events, *known), key=lambda event: event.time)[-self._per_machine :]
            self._count -= len(events) + len(known) - len(together)
            if together:
                self._machines[name] = together

    def machines(self) -> Iterator[str]:
        """The names heard of, the one that was quiet for longest first."""
        return iter(tuple(self._machines))

    def __len__(self) -> int:
        return self._count
