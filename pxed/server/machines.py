"""Where every machine stands: installations, orders, boots. The rules are pxed.status.install and oneshot.

All rows are in memory; a change is there at once and durable before whoever caused it is answered. DHCP only reads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pxed.boot.course import Way
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
from pxed.server.standings import detour_of, found, heirs, ordered, rules_of, summary
from pxed.status import install, oneshot
from pxed.status.install import OutdatedError, Rules, Step
from pxed.status.records import Alert, Attempt, BootRecord, Forget, Purpose, Standing, State, Token, Write
from pxed.status.store.contents import Contents
from pxed.status.store.errors import StoreError

TICK_SECONDS = 1.0
EXPIRY_SECONDS = 60.0


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
        self._history = History()
        self._open: set[str] = set()  # machines with an open attempt
        self.changes = Changes(self._remember)

    def load(self, contents: Contents) -> None:
        """What the store had at the start."""
        for standing in filter(_says_something, contents.standings.values()):  # reconsider finds the detours, once
            self._standings[standing.machine] = standing
            if install.is_open(standing):
                self._open.add(standing.machine)
        for attempt in contents.attempts:
            self._history.add_attempt(attempt)
        for boot in contents.boots:
            self._history.add_boot(boot)
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
        return self._history.boots(name) if name else self._history.all_boots()

    def attempts(self, name: str) -> Sequence[Attempt]:
        """Its last attempts to install, newest first."""
        return self._history.attempts(name)

    def alerts(self, name: str = "") -> Sequence[Alert]:
        """What somebody should look at, newest first."""
        return self._alerts.of(name)

    def stage(self, name: str) -> str:
        """One plain line for people; "" when there is nothing to say."""
        match = self._found(name)
        profile = self.profile_of(match, self.standing(name)) if match is not None else None
        boots = self.boots(name)
        return summary(self.standing(name), profile, boots[0] if boots else None, time.time())

    def profile_of(self, match: Match, standing: Standing | None) -> Profile:
        """The profile that it is installed with: the one that an operator named, else its own."""
        return self.ordered(match, standing).profile

    def ordered(self, match: Match, standing: Standing | None) -> Match:
        """The match with the profile that an operator named for its installation."""
        return ordered(self._live.snapshot.inventory, match, standing)

    def match_of_boot(self, inventory: Inventory, match: Match, boot: str) -> Match:
        """The match with the profile that one of its last boots has."""
        record = self._history.boot(match.name, boot)
        if record is None or record.profile == match.profile_name or record.profile not in inventory.profiles:
            return match
        standing = self.standing(match.name)
        if standing is not None and standing.profile == record.profile:
            return self.ordered(match, standing)
        return one_shot(inventory, match, record.profile)

    def way_of(self, name: str, boot: str) -> str:
        """What one of its last boots does (Way); "" when it is not known any more."""
        record = self._history.boot(name, boot)
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
            rows = (*self._history.ended(record), record, *rows)
            self._history.add_boot(record)
        await self._change(old, step, *rows)

    def began_unguarded(self, record: BootRecord, *rows: Write) -> None:
        """A boot that no secret and no installation depends on: it is kept soon."""
        self._keeper.later(*self._history.ended(record), record, *rows)
        self._history.add_boot(record)

    async def report(self, match: Match, token: Token, stage: str, message: str) -> None:
        """A machine's own report. Raises OutdatedError, or StoreError: then it is to be made again."""
        with self.changes.one(match.name):
            await self._report(match, token, stage, message)

    async def _report(self, match: Match, token: Token, stage: str, message: str) -> None:
        now, old = time.time(), self.standing(match.name)
        boots, record = self._history.boots(match.name), self._history.boot(match.name, token.boot)
        is_install = token.purpose is Purpose.RESIDENT or (record is not None and record.way == Way.INSTALL)
        step = None
        if is_install:
            standing = old or Standing(match.name)
            step = install.on_report(standing, token.boot, stage, message, now, rules_of(self.profile_of(match, old)))
        elif record is None or record is not boots[0]:
            raise OutdatedError("this report belongs to an earlier boot; another one has begun since")
        elif old is not None and old.next_boot == token.boot:
            step = Step(oneshot.on_loaded(old))
        if token.purpose is Purpose.RESIDENT:  # of the installed system: it runs from the disk
            record = boots[0] if boots and boots[0].way == Way.LOCAL else None
        rows: tuple[Write, ...] = ()
        if record is not None:
            told = replace(record, reported=stage, reported_at=now, message=message)
            self._history.add_boot(told)
            rows = (told,)
        await self._change(old, step or Step(old or Standing(match.name)), *rows)

    def reported_openly(self, name: str, stage: str, message: str) -> None:
        """A report that nothing vouches for, of a machine whose boots nothing guards."""
        boots = self._history.boots(name)
        if boots and not boots[0].deadline and boots[0].way != Way.INSTALL:
            told = replace(boots[0], reported=stage, reported_at=time.time(), message=message)
            self._history.add_boot(told)
            self._keeper.later(told)

    def loaded(self, name: str) -> None:
        """A machine has got the last file of its image."""
        standing = self._standings.get(name)
        if standing is not None and standing.next_boot and not standing.next_loaded:
            new = oneshot.on_loaded(standing)
            self._set(name, new)
            self._keeper.later(new)

    def to_disk(self, name: str) -> None:
        """It asked by DHCP and was left unanswered, to boot its disk."""
        standing = self._standings.get(name)
        if standing is not None and standing.state is State.INSTALLED:
            step = install.on_boot(standing, "", time.time(), Rules()).step
            self._set(name, step.standing)
            self._keeper.later(step.standing)
            self._say(step.standing, step.said)

    # Over time

    async def run(self) -> None:
        """Notice what does not happen in time."""
        elapsed = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            elapsed += TICK_SECONDS
            await self.tick(time.time())
            if elapsed >= EXPIRY_SECONDS:
                elapsed = 0.0
                self._access.expire(time.time())

    async def tick(self, now: float) -> None:
        """Attempts and boots whose deadline has passed."""
        for name in tuple(self._open):
            standing = self._standings.get(name)
            if standing is None or now < standing.deadline:  # an order may have come while another one was kept
                continue
            match = self._found(name)
            rules = rules_of(self.profile_of(match, standing)) if match is not None else Rules()
            try:
                with self.changes.one(name):
                    await self._change(standing, install.on_deadline(standing, now, rules))
            except StoreError:
                continue  # the store says so itself; it stays open until the next tick
        for name in tuple(self._history.awaited):
            self._look_for_report(self._history.boots(name)[0], now)

    def reconsider(self) -> None:
        """After a (re)load: renamed machines keep where they stand; DHCP's detours are found anew."""
        inventory = self._live.snapshot.inventory
        moves = heirs(inventory, self._standings)
        moved = [(old, self._standings[old], name) for old, name in moves.items()]
        for old, _, _ in moved:
            self._set(old, None)
            self._keeper.later(Forget(Standing, (old,)))
        self._keeper.later(*self._history.move(moves), *self._access.move(moves), *self._first_boots.move(moves))
        for old, standing, name in moved:
            self._keep(replace(standing, machine=name))
            self._say(self._standings[name], f"was {old} before, by its MAC: what is known of it stays")
        self._live.detours.clear()
        for standing in tuple(self._standings.values()):
            machine = inventory.machines.get(standing.machine)
            if machine is not None and machine.macs != standing.macs:
                self._keep(replace(standing, macs=machine.macs))
            self._detour(standing)

    # Inside

    def _found(self, name: str) -> Match | None:
        return found(self._live.snapshot.inventory, name, self._history.boots(name))

    def _match(self, name: str) -> Match:
        match = self._found(name)
        if match is None:
            raise OrderError(f"{name} has no profile: nothing of pxed's boots it", 404)
        return match

    def _known(self, name: str) -> Standing:
        machine = self._live.snapshot.inventory.machines.get(name)
        return self._standings.get(name) or Standing(name, machine.macs if machine else (name,))

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
                await self._change(self._standings.get(old.machine), step, *gone)
        except StoreError as error:
            raise OrderError(f"nothing was changed: {error}", 503) from None
        return step.standing

    async def _change(self, old: Standing | None, step: Step, *rows: Write) -> None:
        """Put a step into memory and keep it. Raises StoreError: whoever calls takes it back (Changes)."""
        new, name = step.standing, step.standing.machine
        attempts = [self._history.add_attempt(attempt) for attempt in step.attempts]
        kept: list[Write] = []
        if new != (old or Standing(name, new.macs)):
            self._set(name, new)
            kept.append(new if _says_something(new) else Forget(Standing, (name,)))
        if not (kept or attempts or rows):
            return
        await self._keeper.commit(*kept, *attempts, *rows)
        self._say(new, step.said)

    def _remember(self, name: str) -> Undo:
        standing, tokens, put_back = self._standings.get(name), self._access.of(name), self._history.remembered(name)

        def undo() -> None:
            self._set(name, standing)
            put_back()
            self._access.restore(tokens)

        return undo

    def _say(self, standing: Standing, said: str) -> None:
        if not said:
            return
        mac, held = next(iter(standing.macs), ""), standing.state is State.FAILED
        level = Level.WARNING if held or (said.startswith("attempt") and standing.reason) else Level.INFO
        data = {"state": str(standing.state) if standing.state else None, "attempt": standing.attempt}
        self._emit(Event(Kind.STATE, time.time(), standing.machine, mac, said, level, data))
        if held:
            self._alerts.alert("held", Subject(standing.machine, mac), said)

    def _keep(self, standing: Standing) -> None:
        """Under its name, and in the store soon."""
        self._set(standing.machine, standing)
        self._keeper.later(standing)

    def _set(self, name: str, standing: Standing | None) -> None:
        if standing is None or not _says_something(standing):
            self._standings.pop(name, None)
            self._open.discard(name)
            self._live.detours.pop(name, None)
            return
        self._standings[name] = standing
        (self._open.add if install.is_open(standing) else self._open.discard)(name)
        self._detour(standing)

    def _detour(self, standing: Standing) -> None:
        """What DHCP does otherwise for it, if anything."""
        match = self._found(standing.machine)
        detour = detour_of(standing, self.profile_of(match, standing)) if match is not None else None
        if detour is not None:
            self._live.detours[standing.machine] = detour
        else:
            self._live.detours.pop(standing.machine, None)

    def _look_for_report(self, record: BootRecord, now: float) -> None:
        if now < record.deadline:
            return
        self._history.awaited.discard(record.machine)
        text = f"it booted {(now - record.began) / 60:.0f} minutes ago and has not reported that it runs"
        self._alerts.alert("no-report", Subject(record.machine, record.mac, record.address), text)


def _says_something(standing: Standing) -> bool:
    return standing.state is not None or bool(standing.next_profile)
