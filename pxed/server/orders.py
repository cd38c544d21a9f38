"""What the API needs of the services that know where each machine stands and take an operator's orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pxed.errors import PxedError
from pxed.status.records import Alert, Attempt, BootRecord, Standing


class OrderError(PxedError):
    """An order that makes no sense: one plain sentence, and the HTTP status that it is answered with."""

    def __init__(self, sentence: str, status: int = 409) -> None:
        super().__init__(sentence)
        self.status = status


class Orders(Protocol):
    """Orders. A machine is its name in the inventory, or the MAC of an unlisted one."""

    async def install(self, name: str, profile: str = "") -> Standing:
        """Install it at its next boot, with its own profile or another. Raises OrderError."""

    async def local(self, name: str) -> Standing:
        """Boot its disk from now on. Raises OrderError."""

    async def reset(self, name: str) -> Standing:
        """Forget its installation and orders: what the inventory says counts again. Raises OrderError."""

    async def next(self, name: str, profile: str) -> Standing:
        """Boot `profile` once, at its next boot; "" takes that back. Raises OrderError."""


class Machines(Protocol):
    """Where machines stand, by their names as of Orders."""

    def names(self) -> Iterable[str]:
        """The machines that have a standing, listed or not."""

    def standing(self, name: str) -> Standing | None:
        """Where it stands; None when nothing is known."""

    def boots(self, name: str = "") -> Sequence[BootRecord]:
        """Its boots, or those of all machines, newest first."""

    def attempts(self, name: str) -> Sequence[Attempt]:
        """Its attempts to install."""

    def alerts(self, name: str = "") -> Sequence[Alert]:
        """What somebody should look at, of one machine or of all, newest first."""

    def stage(self, name: str) -> str:
        """One plain line for people: "installing, attempt 2 of 3, since 03:12"; "" when there is nothing to say."""
