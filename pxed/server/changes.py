"""One change of a machine's rows at a time: what cannot be kept has not happened, in memory either.

A second change would be computed from rows that may yet be taken back: a machine that repeats `installed` because its
first report hangs must not be told that all is well by what fails a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from pxed.status.store.errors import StoreError, Trouble

Act = Callable[[str], None]  # gets the machine's name of then


class Undo(NamedTuple):
    """What puts a machine's rows back."""

    macs: tuple[str, ...]  # by which it is found when it is renamed meanwhile
    put_back: Callable[[str, bool], None]  # gets its name of then, and whether the machine was renamed


@dataclass(slots=True)
class _Change:
    machine: str  # its name by now
    undo: Undo
    renamed: bool = False
    waiting: list[Act] = field(default_factory=list)


class Changes:
    """Changes under way. `remember` gives what puts a machine's rows back as they are now."""

    def __init__(self, remember: Callable[[str], Undo]) -> None:
        self._remember = remember
        self._changing: dict[str, _Change] = {}

    @contextmanager
    def one(self, machine: str) -> Iterator[None]:
        """A change, up to its being durable. Raises StoreError while another one of the machine is being kept."""
        if machine in self._changing:
            raise StoreError("an earlier change of this machine is still being kept", Trouble.AWAY)
        change = self._changing[machine] = _Change(machine, self._remember(machine))
        try:
            yield
        except StoreError:
            change.undo.put_back(change.machine, change.renamed)
            raise
        finally:
            del self._changing[change.machine]
            for act in change.waiting:
                act(change.machine)

    def after(self, machine: str, act: Act) -> None:
        """Do something that must not be taken back with a change: at once, or when the change is over."""
        if (change := self._changing.get(machine)) is not None:
            change.waiting.append(act)
        else:
            act(machine)

    def macs(self) -> Mapping[str, tuple[str, ...]]:
        """The MACs of the machines that are being changed."""
        return {name: change.undo.macs for name, change in self._changing.items()}

    def move(self, moves: Mapping[str, str]) -> None:
        """Machines have other names from now on."""
        moved = [(old, self._changing.pop(old)) for old in moves if old in self._changing]
        for old, change in moved:
            change.machine, change.renamed = moves[old], True
            self._changing[change.machine] = change
