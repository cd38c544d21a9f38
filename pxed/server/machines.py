"""Where every machine stands: installations, orders, boots. The rules are pxed.status.install and oneshot; what
machines show of their progress is pxed.server.progress, what operators order pxed.server.operators.

All rows are in memory; a change is there at once and durable before whoever caused it is answered. DHCP only reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pxed.boot.decide import one_shot
from pxed.events import Emit, Event, Kind, Level, Value
from pxed.inventory.lookup import Match
from pxed.inventory.model import Inventory
from pxed.inventory.profile import Profile
from pxed.server.access import Access
from pxed.server.alerts import Alerts, Subject
from pxed.server.changes import Changes, Undo
from pxed.server.firstboot import FirstBoots
from pxed.server.heirs import is_elsewhere, mac_of, marks_of, marks_or_name, moves_of, name_of
from pxed.server.history import History
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.standings import detour_of, found, ordered, summary
from pxed.server.strangers import Strangers
from pxed.status import install
from pxed.status.install import Step
from pxed.status.records import Alert, Attempt, BootRecord, Forget, Standing, State, Write
from pxed.status.store.contents import Contents


class Machines:
    """The rows of the state store that say what machines do."""

    def __init__(
        self, live: Live, keeper: Keeper, access: Access, alerts: Alerts, first_boots: FirstBoots, emit: Emit
    ) -> None:
        self._live = live
        self._keeper = keeper
        self._access = access
        self._alerts = alerts
        self._first_boots = first_boots
        self._emit = emit
        self._standings: dict[str, Standing] = {}
        self.history = History()
        self._strangers = Strangers(self._forget)
        self._open: set[str] = set()  # machines with an open attempt
        self.changes = Changes(self._remember)

    def load(self, contents: Contents) -> None:
        """What the store had at the start."""
        said = {name: standing for name, standing in contents.standings.items() if _says_something(standing)}
        self._standings.update(said)  # reconsider finds the detours and the strangers, once
        self._open.update(name for name, standing in said.items() if install.is_open(standing))
        for attempt in contents.attempts:
            self.history.add_attempt(attempt)
        for boot in contents.boots:
            self.history.add_boot(boot)
        self.reconsider()

    # What is known

    def names(self) -> Iterable[str]:
        """The machines that have a standing, listed or not."""
        return tuple(self._standings)

    def standing(self, name: str) -> Standing | None:
        """Where it stands; None when nothing is known."""
        return self._standings.get(name)

    def known(self, name: str) -> Standing:
        """Where it stands, also when nothing is known."""
        machine = self._live.snapshot.inventory.machines.get(name)
        return self._standings.get(name) or Standing(name, marks_or_name(machine, name))

    def boots(self, name: str = "") -> Sequence[BootRecord]:
        """Its last boots, or those of all machines, newest first."""
        return self.history.boots(name) if name else self.history.all_boots()

    def attempts(self, name: str) -> Sequence[Attempt]:
        """Its last attempts to install, newest first."""
        return self.history.attempts(name)

    def alerts(self, name: str = "") -> Sequence[Alert]:
        """What somebody should look at, newest first."""
        return self._alerts.of(name)

    def late(self, now: float) -> list[Standing]:
        """Those whose open attempt is past its deadline."""
        standings = (self._standings[name] for name in self._open)
        return [standing for standing in standings if now >= standing.deadline]

    def has_room_for(self, name: str) -> bool:
        """Whether anything may be kept of it: a bounded number of unlisted machines is known."""
        return name in self._live.snapshot.inventory.machines or self._strangers.has_room_for(name)

    def stage(self, name: str) -> str:
        """One plain line for people; "" when there is nothing to say."""
        match = self.match_of(name)
        profile = self.profile_of(match, self.standing(name)) if match is not None else None
        boots = self.boots(name)
        return summary(self.standing(name), profile, boots[0] if boots else None, time.time())

    def name_now(self, match: Match) -> str:
        """The name that a machine has by now: it can be renamed while it is answered."""
        return name_of(self._live.snapshot.inventory, match.name, marks_or_name(match.machine, match.name))

    def match_now(self, match: Match) -> Match:
        """Its match by the name that it has by now."""
        name = self.name_now(match)
        return match if name == match.name else self.match_of(name) or match

    def match_of(self, name: str) -> Match | None:
        """Its match by its name or MAC, as far as that alone tells."""
        return found(self._live.snapshot.inventory, name, self.history.boots(name))

    def profile_of(self, match: Match, standing: Standing | None) -> Profile:
        """The profile that it is installed with: the one that an operator named, else its own."""
        return self.ordered(match, standing).profile

    def ordered(self, match: Match, standing: Standing | None) -> Match:
        """The match with the profile that an operator named for its installation."""
        return ordered(self._live.snapshot.inventory, match, standing)

    def match_of_boot(self, inventory: Inventory, match: Match, boot: str) -> Match:
        """The match with the profile that one of its last boots has."""
        record = self.history.boot(match.name, boot)
        if record is None or record.profile == match.profile_name or record.profile not in inventory.profiles:
            return match
        standing = self.standing(match.name)
        if standing is not None and standing.profile == record.profile:
            return self.ordered(match, standing)
        return one_shot(inventory, match, record.profile)

    def way_of(self, name: str, boot: str) -> str:
        """What one of its last boots does (Way); "" when it is not known any more."""
        record = self.history.boot(name, boot)
        return record.way if record is not None else ""

    # What happens

    async def begin(self, old: Standing | None, step: Step, record: BootRecord | None, *rows: Write) -> None:
        """A boot has got its course: keep all of it, durable when it returns. Raises StoreError."""
        if record is not None:
            rows = (*self.history.ended(record), record, *rows)
            self.history.add_boot(record)
        self._note(step.standing.machine)
        await self.change(old, step, *rows)

    def began_unguarded(self, record: BootRecord, *rows: Write) -> None:
        """A boot that no secret and no installation depends on: it is kept soon."""
        self._keeper.later(*self.history.ended(record), record, *rows)
        self.history.add_boot(record)
        self._note(record.machine)

    # Changes

    async def change(self, old: Standing | None, step: Step, *rows: Write) -> None:
        """Put a step into memory and keep it. Raises StoreError: whoever calls takes it back (Changes)."""
        new, name = step.standing, step.standing.machine
        attempts = [self.history.add_attempt(attempt) for attempt in step.attempts]
        kept: list[Write] = []
        if new != (old or Standing(name, new.macs)):
            self._set(name, new)
            kept.append(_row_of(new))
        if not (kept or attempts or rows):
            return
        await self._keeper.commit(*kept, *attempts, *rows)
        self._say(new, step.said)

    def keep(self, standing: Standing, said: str = "") -> None:
        """Put a standing into memory, and into the store soon."""
        self._set(standing.machine, standing)
        self._keeper.later(_row_of(standing))
        self._say(standing, said)

    def reconsider(self) -> Mapping[str, str]:
        """After a (re)load: renamed machines keep where they stand; DHCP's detours are found anew.

        The machines that have another name now, by that of before.
        """
        inventory = self._live.snapshot.inventory
        moves = self._moves(inventory)
        self._move(moves)
        self._live.detours.clear()
        self._strangers.clear()
        for name in dict.fromkeys((*self.history.names(), *self._standings)):
            self._note(name)
        for standing in tuple(self._standings.values()):
            self.changes.after(standing.machine, self._renew)
            self._detour(standing)
        self._keeper.later(*self._first_boots.renew(inventory.machines))
        return moves

    # Inside

    def _moves(self, inventory: Inventory) -> dict[str, str]:
        """The machines that have another name now; each by the MACs that it was listed with, or else booted with."""
        booted = self.history.macs()
        standings = {**self.changes.macs(), **{name: standing.macs for name, standing in self._standings.items()}}
        first = {name: macs or booted.get(name, ()) for name, macs in self._first_boots.macs().items()}
        return moves_of(inventory, {**standings, **first, **standings}, booted)

    def _move(self, moves: Mapping[str, str]) -> None:
        """All that is known of machines to the names that they have now."""
        self.changes.move(moves)
        moved = {old: self._standings[old] for old in moves if old in self._standings}
        new = {old: replace(standing, machine=moves[old]) for old, standing in moved.items()}
        for old in moved:
            self._set(old, None)
        for standing in new.values():
            self._set(standing.machine, standing)
        # All in one write: a machine whose old row is gone and whose new one is not there would be installed again.
        self._keeper.later(
            *(Forget(Standing, (old,)) for old in moved),
            *new.values(),
            *self.history.move(moves),
            *self._access.move(moves),
            *self._first_boots.move(moves),
        )
        for old, standing in new.items():
            self._say(standing, f"was {old} before: what is known of it stays")

    def _renew(self, name: str) -> None:
        """The MACs that it is listed with now."""
        inventory, standing = self._live.snapshot.inventory, self._standings.get(name)
        machine = inventory.machines.get(name)
        if machine is None or standing is None or (macs := marks_of(machine)) == standing.macs:
            return
        if standing.state is not None and is_elsewhere(inventory, name, standing.macs):
            text = f"it is listed with {', '.join(macs) or 'no MAC'} now instead of {', '.join(standing.macs)}"
            text += f", as with a new NIC: it stays {standing.state}. A new machine? `pxed machines reset {name}`"
            self._emit(Event(Kind.NOTICE, time.time(), name, mac_of(macs), text, Level.WARNING))
        self.keep(replace(standing, macs=macs))

    def _note(self, name: str) -> None:
        """Of unlisted machines a bounded number is known."""
        if name not in self._live.snapshot.inventory.machines:
            self._strangers.note(name, self._standings.get(name))

    def _forget(self, name: str) -> None:
        """All that is known of a machine that nothing is lost with."""
        if self._standings.pop(name, None) is not None:
            self._keeper.later(Forget(Standing, (name,)))
        self._open.discard(name)
        self._live.detours.pop(name, None)
        self._keeper.later(*self._access.drop(name), *self.history.forget(name))

    def _remember(self, name: str) -> Undo:
        standing, history, tokens = self.known(name), self.history.remembered(name), self._access.remembered(name)

        def put_back(now: str, renamed: bool) -> None:
            before = replace(standing, machine=now)
            self._set(now, before)
            rows = (*history(now), *tokens(now))
            if renamed:  # what the new name got is in the store by now, though the change itself is not
                old = [Forget(Standing, (name,))] if name not in self._standings else []
                self._keeper.later(*old, _row_of(before), *rows)

        return Undo(standing.macs, put_back)

    def _say(self, standing: Standing, said: str) -> None:
        if not said:
            return
        mac, failed = mac_of(standing.macs), standing.state is State.FAILED
        level = Level.WARNING if failed or (said.startswith("attempt") and standing.reason) else Level.INFO
        data: dict[str, Value] = {
            "state": str(standing.state) if standing.state else None,
            "attempt": standing.attempt,
            "attempts": self._attempts_of(standing),
            "reason": standing.reason,
            "held": failed and said.startswith("held"),
        }
        self._emit(Event(Kind.STATE, time.time(), standing.machine, mac, said, level, data))
        if failed:
            self._alerts.alert("held" if said.startswith("held") else "failed", Subject(standing.machine, mac), said)

    def _attempts_of(self, standing: Standing) -> int:
        """How many may fail; 0 for a machine that the inventory does not know any more."""
        match = self.match_of(standing.machine)
        return self.profile_of(match, standing).installation.attempts if match is not None else 0

    def _set(self, name: str, standing: Standing | None) -> None:
        if standing is None or not _says_something(standing):
            self._standings.pop(name, None)
            self._open.discard(name)
            self._live.detours.pop(name, None)
            self._note(name)
            return
        self._standings[name] = standing
        self._note(name)
        (self._open.add if install.is_open(standing) else self._open.discard)(name)
        self._detour(standing)

    def _detour(self, standing: Standing) -> None:
        """What DHCP does otherwise for it, if anything."""
        match = self.match_of(standing.machine)
        detour = detour_of(standing, self.profile_of(match, standing)) if match is not None else None
        if detour is not None:
            self._live.detours[standing.machine] = detour
        else:
            self._live.detours.pop(standing.machine, None)


def _says_something(standing: Standing) -> bool:
    return standing.state is not None or bool(standing.next_profile)


def _row_of(standing: Standing) -> Write:
    return standing if _says_something(standing) else Forget(Standing, (standing.machine,))
