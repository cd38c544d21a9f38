"""Orders of operators: each changes where a machine stands, or is refused with one sentence that says why."""

from __future__ import annotations

import time

from pxed.inventory.lookup import Match
from pxed.inventory.profile import Boot, Profile
from pxed.server.access import Access
from pxed.server.firstboot import FirstBoots
from pxed.server.heirs import name_of
from pxed.server.live import Live
from pxed.server.machines import Machines
from pxed.server.orders import OrderError
from pxed.status import install, oneshot
from pxed.status.install import Step
from pxed.status.records import Standing
from pxed.status.store.errors import StoreError


class Operators:
    """Obeys them (Orders). A machine is its name in the inventory, or the MAC of an unlisted one."""

    def __init__(self, live: Live, machines: Machines, access: Access, first_boots: FirstBoots) -> None:
        self._live = live
        self._machines = machines
        self._access = access
        self._first_boots = first_boots

    async def install(self, name: str, profile: str = "") -> Standing:
        """Install it at its next boot, with its own profile or another. Raises OrderError."""
        match, standing = self._match(name), self._machines.known(name)
        self._check_installs(match, profile)
        if install.is_open(standing):
            raise OrderError(
                f"{name} is being installed, attempt {standing.attempt}: wait, or `pxed machines reset {name}` first"
            )
        return await self._obey(standing, install.order_install(standing, profile, time.time()), drop=True)

    async def local(self, name: str) -> Standing:
        """Boot its disk from now on. Raises OrderError."""
        self._match(name)
        standing = self._machines.known(name)
        return await self._obey(standing, install.order_local(standing, time.time()))

    async def reset(self, name: str) -> Standing:
        """Forget its installation, orders and first boot: what the inventory says counts again. Raises OrderError."""
        if self._machines.standing(name) is None:
            self._match(name)
        standing = self._machines.known(name)
        step = await self._obey(standing, install.order_reset(standing, time.time()), drop=True)
        try:
            await self._first_boots.forget(name_of(self._live.snapshot.inventory, name, standing.macs))
        except StoreError as error:
            raise OrderError(f"it has been reset, but not the first boot of its root: {error}", 503) from None
        return step

    async def next(self, name: str, profile: str) -> Standing:
        """Boot `profile` once, at its next boot; "" takes that back. Raises OrderError."""
        self._match(name)
        standing = self._machines.known(name)
        if profile and self._profile(profile).boot is Boot.INSTALL:
            raise OrderError(f"profile {profile} installs: `pxed machines install {name} --profile {profile}` does it")
        said = f"an operator wants profile {profile} at its next boot" if profile else "its one-shot boot is taken back"
        return await self._obey(standing, Step(oneshot.order(standing, profile), (), said))

    def _match(self, name: str) -> Match:
        match = self._machines.match_of(name)
        if match is None:
            raise OrderError(f"{name} has no profile: nothing of pxed's boots it", 404)
        return match

    def _profile(self, name: str) -> Profile:
        profile = self._live.snapshot.inventory.profiles.get(name)
        if profile is None:
            raise OrderError(f"there is no profile {name!r} in the inventory", 404)
        return profile

    def _check_installs(self, match: Match, profile: str) -> None:
        name, chosen = (profile, self._profile(profile)) if profile else (match.profile_name, match.profile)
        if chosen.boot is not Boot.INSTALL:
            raise OrderError(
                f"profile {name} of {match.name} has boot: {chosen.boot}: name one that installs (--profile)"
            )

    async def _obey(self, old: Standing, step: Step, *, drop: bool = False) -> Standing:
        try:
            with self._machines.changes.one(old.machine):
                gone = self._access.drop(old.machine) if drop else []
                await self._machines.change(self._machines.standing(old.machine), step, *gone)
        except StoreError as error:
            raise OrderError(f"nothing was changed: {error}", 503) from None
        return step.standing
