"""The last boots and attempts of each machine, in memory; the store has more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pxed.boot.course import Way
from pxed.status.records import Attempt, BootRecord, Forget, Write

BOOTS_KEPT = 5
ATTEMPTS_KEPT = 20


class History:
    """Rows by machine."""

    def __init__(self) -> None:
        self.awaited: set[str] = set()  # machines whose boot is to report
        self._boots: dict[str, list[BootRecord]] = {}  # newest first
        self._attempts: dict[str, dict[str, Attempt]] = {}  # by machine and boot, oldest first

    def names(self) -> Iterable[str]:
        """The machines of which something is known."""
        return {**self._boots, **self._attempts}

    def macs(self) -> Mapping[str, tuple[str, ...]]:
        """The MACs that each machine booted with, the newest first; who booted last comes first."""
        last = sorted(self._boots.items(), key=lambda item: item[1][0].began, reverse=True)
        return {name: tuple(dict.fromkeys(boot.mac for boot in boots if boot.mac)) for name, boots in last}

    def boots(self, name: str) -> Sequence[BootRecord]:
        """The last boots of one machine, newest first."""
        return self._boots.get(name, ())

    def all_boots(self) -> list[BootRecord]:
        """Those of all machines, newest first."""
        every = (boot for boots in self._boots.values() for boot in boots)
        return sorted(every, key=lambda boot: boot.began, reverse=True)

    def attempts(self, name: str) -> Sequence[Attempt]:
        """The last attempts to install one machine, newest first."""
        return list(reversed(self._attempts.get(name, {}).values()))

    def boot(self, name: str, boot: str) -> BootRecord | None:
        """One of a machine's last boots."""
        return next((record for record in self.boots(name) if record.id == boot), None)

    def add_attempt(self, attempt: Attempt) -> Attempt:
        """Put it in; one that is there keeps the time at which it began."""
        known = self._attempts.setdefault(attempt.machine, {})
        before = known.get(attempt.boot)
        attempt = replace(attempt, began=before.began) if before is not None else attempt
        known[attempt.boot] = attempt
        if len(known) > ATTEMPTS_KEPT:
            del known[next(iter(known))]
        return attempt

    def add_boot(self, record: BootRecord) -> None:
        """Put it in, or in the place of what was known of the same boot."""
        boots = self._boots.setdefault(record.machine, [])
        place = next((place for place, boot in enumerate(boots) if boot.id == record.id), None)
        if place is None:
            boots.insert(0, record)
            del boots[BOOTS_KEPT:]
        else:
            boots[place] = record
        self._await_report(record.machine)

    def ended(self, record: BootRecord) -> list[Write]:
        """The boot before this one is over."""
        boots = self._boots.get(record.machine)
        if not boots or boots[0].id == record.id or boots[0].ended:
            return []
        boots[0] = replace(boots[0], ended=record.began)
        return [boots[0]]

    def move(self, moves: Mapping[str, str]) -> list[Write]:
        """Rows of machines that have another name now, and what makes that durable."""
        writes: list[Write] = []
        taken = [(name, *self._taken(old)) for old, name in moves.items()]
        for name, boots, attempts in taken:
            for boot in reversed(boots):
                self.add_boot(replace(boot, machine=name))
            for attempt in attempts:
                self.add_attempt(replace(attempt, machine=name))
                writes.append(Forget(Attempt, (attempt.machine, attempt.boot)))
            writes += [*(replace(boot, machine=name) for boot in boots), *self._attempts.get(name, {}).values()]
        return writes

    def forget(self, name: str) -> list[Write]:
        """Drop a machine's rows. The store lets its boots go by their age."""
        _, attempts = self._taken(name)
        return [Forget(Attempt, (name, attempt.boot)) for attempt in attempts]

    def remembered(self, name: str) -> Callable[[str], list[Write]]:
        """What puts a machine's rows back as they are now, under its name of then; it gives what makes that durable."""
        boots, attempts = list(self._boots.get(name, ())), dict(self._attempts.get(name, {}))

        def put_back(now: str) -> list[Write]:
            refused_boots, refused_attempts = self._taken(now)
            if boots:
                self._boots[now] = [replace(boot, machine=now) for boot in boots]
                self._await_report(now)
            if attempts:
                self._attempts[now] = {boot: replace(attempt, machine=now) for boot, attempt in attempts.items()}
            known = {boot.id for boot in boots}
            return [
                *(Forget(BootRecord, (boot.id,)) for boot in refused_boots if boot.id not in known),
                *(Forget(Attempt, (now, one.boot)) for one in refused_attempts if one.boot not in attempts),
                *self._boots.get(now, ()),
                *self._attempts.get(now, {}).values(),
            ]

        return put_back

    def _await_report(self, name: str) -> None:
        boot = next(iter(self._boots[name]), None)
        awaited = boot is not None and bool(boot.deadline) and not boot.reported and boot.way != Way.INSTALL
        (self.awaited.add if awaited else self.awaited.discard)(name)

    def _taken(self, name: str) -> tuple[list[BootRecord], list[Attempt]]:
        self.awaited.discard(name)
        return self._boots.pop(name, []), list(self._attempts.pop(name, {}).values())
