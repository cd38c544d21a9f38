"""What machines show of their boots after the script: their own reports, a last file, silence past a deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from pxed.boot.course import Way
from pxed.inventory.lookup import Match
from pxed.server.access import Access
from pxed.server.alerts import Alerts, Subject
from pxed.server.keeping import Keeper
from pxed.server.machines import Machines
from pxed.server.standings import rules_of
from pxed.status import install, oneshot
from pxed.status.install import OutdatedError, Rules, Step
from pxed.status.records import BootRecord, Purpose, Standing, State, Token, Write
from pxed.status.store.errors import StoreError

TICK_SECONDS = 1.0
EXPIRY_SECONDS = 60.0


class Progress:
    """Moves machines on."""

    def __init__(self, machines: Machines, keeper: Keeper, access: Access, alerts: Alerts) -> None:
        self._machines = machines
        self._history = machines.history
        self._keeper = keeper
        self._access = access
        self._alerts = alerts

    async def report(self, match: Match, token: Token, stage: str, message: str) -> None:
        """A machine's own report. Raises OutdatedError, or StoreError: then it is to be made again."""
        with self._machines.changes.one(match.name):
            await self._report(match, token, stage, message)

    async def _report(self, match: Match, token: Token, stage: str, message: str) -> None:
        now, old = time.time(), self._machines.standing(match.name)
        boots, record = self._history.boots(match.name), self._history.boot(match.name, token.boot)
        is_install = token.purpose is Purpose.RESIDENT or (record is not None and record.way == Way.INSTALL)
        step = None
        if is_install:
            standing, rules = old or Standing(match.name), rules_of(self._machines.profile_of(match, old))
            step = install.on_report(standing, token.boot, stage, message, now, rules)
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
        await self._machines.change(old, step or Step(old or Standing(match.name)), *rows)

    def reported_openly(self, name: str, stage: str, message: str) -> None:
        """A report that nothing vouches for, of a machine whose boots nothing guards."""
        boots = self._history.boots(name)
        if boots and not boots[0].deadline and boots[0].way != Way.INSTALL:
            told = replace(boots[0], reported=stage, reported_at=time.time(), message=message)
            self._history.add_boot(told)
            self._keeper.later(told)

    def loaded(self, name: str) -> None:
        """A machine has got the last file of its image."""
        standing = self._machines.standing(name)
        if standing is not None and standing.next_boot and not standing.next_loaded:
            self._machines.changes.after(name, lambda now: self._loaded(now, standing.next_boot))

    def _loaded(self, name: str, boot: str) -> None:
        standing = self._machines.standing(name)
        if standing is not None and standing.next_boot == boot:
            self._machines.keep(oneshot.on_loaded(standing))

    def to_disk(self, name: str) -> None:
        """It asked by DHCP and was left unanswered, to boot its disk."""
        standing = self._machines.standing(name)
        if standing is not None and standing.state is State.INSTALLED:
            self._machines.changes.after(name, self._to_disk)

    def _to_disk(self, name: str) -> None:
        standing = self._machines.standing(name)
        if standing is not None and standing.state is State.INSTALLED:
            step = install.on_boot(standing, "", time.time(), Rules()).step
            self._machines.keep(step.standing, step.said)

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
        for standing in self._machines.late(now):
            try:
                with self._machines.changes.one(standing.machine):
                    await self._give_up(standing.machine, now)
            except StoreError:
                continue  # the store says so itself; it stays open until the next tick
        for name in tuple(self._history.awaited):
            self._look_for_report(self._history.boots(name)[0], now)

    async def _give_up(self, name: str, now: float) -> None:
        """Its attempt, unless something has come while those of others were kept."""
        standing, match = self._machines.standing(name), self._machines.match_of(name)
        if standing is not None and now >= standing.deadline:
            rules = rules_of(self._machines.profile_of(match, standing)) if match is not None else Rules()
            await self._machines.change(standing, install.on_deadline(standing, now, rules))

    def _look_for_report(self, record: BootRecord, now: float) -> None:
        if now < record.deadline:
            return
        self._history.awaited.discard(record.machine)
        text = f"it booted {(now - record.began) / 60:.0f} minutes ago and has not reported that it runs"
        self._alerts.alert("no-report", Subject(record.machine, record.mac, record.address), text)
