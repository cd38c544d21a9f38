"""Which machines have had the first boot of their persistent root: Ignition must run once on it (`root:` profiles).

A machine whose `root:` is changed has its first boot before it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from pxed.inventory.model import Machine
from pxed.server.heirs import marks_of
from pxed.server.keeping import Keeper
from pxed.status.records import FirstBoot, Forget, Write
from pxed.status.store.errors import StoreError

MAX_ENTRIES = 100_000  # the oldest goes first, of machines that are not listed: their MACs can be invented


class FirstBoots:
    """All of them, in memory; the state store makes them durable."""

    def __init__(self, keeper: Keeper, known: Mapping[str, FirstBoot]) -> None:
        self._keeper = keeper
        self._boots = dict(known)
        self._lock = asyncio.Lock()

    def done(self, machine: str, root: str | None) -> bool:
        """Whether the machine has had the first boot of this root."""
        known = self._boots.get(machine)
        return root is not None and known is not None and known.root == root

    def macs(self) -> Mapping[str, tuple[str, ...]]:
        """The MACs of each machine, as it was listed at its first boot."""
        return {machine: boot.macs for machine, boot in self._boots.items()}

    async def mark(self, machine: str, root: str, macs: tuple[str, ...] = ()) -> bool:
        """Record a first boot, durable when this returns; False when it was known. Raises StoreError."""
        async with self._lock:
            if self.done(machine, root):
                return False
            boot = FirstBoot(machine, root, time.time(), macs)
            surplus = [self._oldest()] if len(self._boots) >= MAX_ENTRIES else []
            await self._keep(machine, boot, boot, *(Forget(FirstBoot, (name,)) for name in surplus))
            for name in surplus:
                self._boots.pop(name, None)
            return True

    async def forget(self, machine: str) -> bool:
        """The machine's next boot is a first one again. Raises StoreError."""
        async with self._lock:
            if machine not in self._boots:
                return False
            await self._keep(machine, None, Forget(FirstBoot, (machine,)))
            return True

    def move(self, moves: Mapping[str, str]) -> list[Write]:
        """Those of machines that have another name now, and what makes that durable."""
        taken = [(old, name, self._boots.pop(old)) for old, name in moves.items() if old in self._boots]
        moved = [replace(boot, machine=name) for _, name, boot in taken]
        self._boots |= {boot.machine: boot for boot in moved}
        return [*(Forget(FirstBoot, (old,)) for old, _, _ in taken), *moved]

    def renew(self, machines: Mapping[str, Machine]) -> list[Write]:
        """The MACs of those that are listed with others now, and what makes that durable."""
        listed = ((boot, machines[name]) for name, boot in self._boots.items() if name in machines)
        marked = ((boot, marks_of(machine)) for boot, machine in listed)
        new = [replace(boot, macs=macs) for boot, macs in marked if boot.macs != macs]
        self._boots |= {boot.machine: boot for boot in new}
        return list(new)

    def _oldest(self) -> str:
        """Of those that are not listed, if there are any: their only MAC is their name."""
        return next((name for name, boot in self._boots.items() if boot.macs == (name,)), next(iter(self._boots)))

    async def _keep(self, machine: str, boot: FirstBoot | None, *writes: Write) -> None:
        """In memory at once, for a machine asks again before the disk has answered; taken back if that fails."""
        before = self._boots.pop(machine, None)
        if boot is not None:
            self._boots[machine] = boot
        try:
            await self._keeper.commit(*writes)
        except StoreError:
            self._boots.pop(machine, None)
            if before is not None:
                self._boots[machine] = before
            raise
