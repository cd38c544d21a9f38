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
        self._changing: set[str] = set()

    @contextmanager
    def one(self, machine: str) -> Iterator[None]:
        """A change, up to its being durable. Raises StoreError while another one of the machine is being kept."""
        if machine in self._changing:
            raise StoreError("an earlier change of this machine is still being kept", Trouble.AWAY)
        undo = self._remember(machine)
        self._changing.add(machine)
        try:
            yield
        except StoreError:
            undo()
            raise
        finally:
            self._changing.discard(machine)
