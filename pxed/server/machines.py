"""Where every machine stands: installations, orders, boots. The rules are pxed.status.install and oneshot; what
machines show of their progress is pxed.server.progress.

All rows are in memory; a change is there at once and durable before whoever caused it is answered. DHCP only reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pxed.boot.decide import one_shot
from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.lookup import Match
from pxed.inventory.model import Inventory
from pxed.inventory.profile import Boot, Profile
from pxed.server.access import Access
from pxed.server.alerts import Alerts, Subject
from pxed.server.changes import Changes, Undo
from pxed.server.firstboot import FirstBoots
from pxed.server.history import History
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.orders import OrderError
from pxed.server.standings import detour_of, found, mac_of, marks_of, moves_of, name_of, ordered, summary
from pxed.server.strangers import Strangers
from pxed.status import install, oneshot
from pxed.status.install import Step
from pxed.status.records import Alert, Attempt, BootRecord, Forget, Standing, State, Write
from pxed.status.store.contents import Contents
from pxed.status.store.errors import StoreError


class Machines:
    """The rows of the state store that say what machines do, and the orders of operators."""

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
        macs = marks_of(match.machine) if match.machine is not None else (match.name,)
        return name_of(self._live.snapshot.inventory, match.name, macs)

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

    # Orders of operators

    async def install(self, name: str, profile: str = "") -> Standing:
        """Install it at its next boot, with its own profile or another. Raises OrderError."""
        match, standing = self._match(name), self._known(name)
        self._check_installs(match, profile)
        if install.is_open(standing):
            raise OrderError(
                f"{name} is being installed, attempt {standing.attempt}: wait, or `pxed machines reset {name}` first"
            )
        return await self._obey(standing, install.order_install(standing, profile, time.time()), drop=True)

    async def local(self, name: str) -> Standing:
        """Boot its disk from now on. Raises OrderError."""
        self._match(name)
        standing = self._known(name)
        return await self._obey(standing, install.order_local(standing, time.time()))

    async def reset(self, name: str) -> Standing:
        """Forget its installation, orders and first boot: what the inventory says counts again. Raises OrderError."""
        if name not in self._standings:
            self._match(name)
        standing = self._known(name)
        step = await self._obey(standing, install.order_reset(standing, time.time()), drop=True)
        try:
            await self._first_boots.forget(name)
        except StoreError as error:
            raise OrderError(f"it has been reset, but not the first boot of its root: {error}", 503) from None
        return step

    async def next(self, name: str, profile: str) -> Standing:
        """Boot `profile` once, at its next boot; "" takes that back. Raises OrderError."""
        self._match(name)
        profiles, standing = self._live.snapshot.inventory.profiles, self._known(name)
        if profile and profile not in profiles:
            raise OrderError(f"there is no profile {profile!r} in the inventory", 404)
        if profile and profiles[profile].boot is Boot.INSTALL:
            raise OrderError(f"profile {profile} installs: `pxed machines install {name} --profile {profile}` does it")
        said = f"an operator wants profile {profile} at its next boot" if profile else "its one-shot boot is taken back"
        return await self._obey(standing, Step(oneshot.order(standing, profile), (), said))

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
            kept.append(new if _says_something(new) else Forget(Standing, (name,)))
        if not (kept or attempts or rows):
            return
        await self._keeper.commit(*kept, *attempts, *rows)
        self._say(new, step.said)

    def keep(self, standing: Standing, said: str = "") -> None:
        """Put a standing into memory, and into the store soon."""
        self._set(standing.machine, standing)
        self._keeper.later(standing if _says_something(standing) else Forget(Standing, (standing.machine,)))
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
            self.changes.after(standing.machine, partial(self._renew, standing.machine))
            self._detour(standing)
        self._keeper.later(*self._first_boots.renew(inventory.machines))
        return moves

    # Inside

    def _moves(self, inventory: Inventory) -> dict[str, str]:
        """The machines that have another name now; each by the MACs that it was listed with, or else booted with."""
        booted, standings = self.history.macs(), {name: standing.macs for name, standing in self._standings.items()}
        first = {name: macs or booted.get(name, ()) for name, macs in self._first_boots.macs().items()}
        return moves_of(inventory, {**standings, **first, **standings}, booted)

    def _move(self, moves: Mapping[str, str]) -> None:
        """All that is known of machines to the names that they have now."""
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
        machine, standing = self._live.snapshot.inventory.machines.get(name), self._standings.get(name)
        if machine is not None and standing is not None and (macs := marks_of(machine)) != standing.macs:
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

    def _match(self, name: str) -> Match:
        match = self.match_of(name)
        if match is None:
            raise OrderError(f"{name} has no profile: nothing of pxed's boots it", 404)
        return match

    def _known(self, name: str) -> Standing:
        machine = self._live.snapshot.inventory.machines.get(name)
        return self._standings.get(name) or Standing(name, marks_of(machine) if machine else (name,))

    def _check_installs(self, match: Match, profile: str) -> None:
        profiles = self._live.snapshot.inventory.profiles
        if profile and profile not in profiles:
            raise OrderError(f"there is no profile {profile!r} in the inventory", 404)
        name, chosen = (profile, profiles[profile]) if profile else (match.profile_name, match.profile)
        if chosen.boot is not Boot.INSTALL:
            raise OrderError(
                f"profile {name} of {match.name} has boot: {chosen.boot}: name one that installs (--profile)"
            )

    async def _obey(self, old: Standing, step: Step, *, drop: bool = False) -> Standing:
        try:
            with self.changes.one(old.machine):
                gone = self._access.drop(old.machine) if drop else []
                await self.change(self._standings.get(old.machine), step, *gone)
        except StoreError as error:
            raise OrderError(f"nothing was changed: {error}", 503) from None
        return step.standing

    def _remember(self, name: str) -> Undo:
        standing, tokens, put_back = self._standings.get(name), self._access.of(name), self.history.remembered(name)

        def undo() -> None:
            self._set(name, standing)
            put_back()
            self._access.restore(tokens)

        return undo

    def _say(self, standing: Standing, said: str) -> None:
        if not said:
            return
        mac, failed = mac_of(standing.macs), standing.state is State.FAILED
        level = Level.WARNING if failed or (said.startswith("attempt") and standing.reason) else Level.INFO
        data = {"state": str(standing.state) if standing.state else None, "attempt": standing.attempt}
        self._emit(Event(Kind.STATE, time.time(), standing.machine, mac, said, level, data))
        if failed:
            self._alerts.alert("held" if said.startswith("held") else "failed", Subject(standing.machine, mac), said)

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
