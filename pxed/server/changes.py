"""One change of a machine's rows at a time: what cannot be kept has not happened, in memory either.

A second change would be computed from rows that may yet be taken back: a machine that repeats `installed` because its
first report hangs must not be told that all is well by what fails a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pxed.status.store.errors import StoreError, Trouble

Undo = Callable[[], None]


class Changes:
    """Changes under way. `remember` gives what puts a machine's rows back as they are now."""

    def __init__(self, remember: Callable[[str], Undo]) -> None:
        self._remember = remember
        self._changing: dict[str, list[Callable[[], None]]] = {}  # what is to be done after each

    @contextmanager
    def one(self, machine: str) -> Iterator[None]:
        """A change, up to its being durable. Raises StoreError while another one of the machine is being kept."""
        if machine in self._changing:
            raise StoreError("an earlier change of this machine is still being kept", Trouble.AWAY)
        undo = self._remember(machine)
        self._changing[machine] = []
        try:
            yield
        except StoreError:
            undo()
            raise
        finally:
            for act in self._changing.pop(machine):
                act()

    def after(self, machine: str, act: Callable[[], None]) -> None:
        """Do something that must not be taken back with a change: at once, or when the change is over."""
        if (waiting := self._changing.get(machine)) is not None:
            waiting.append(act)
        else:
            act()
