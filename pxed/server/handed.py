"""The descriptors that systemd starts pxed with, told apart by their names: of socket units, and of its store."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pxed.server.fdstore import FdStore
from pxed.server.handover import Incoming, is_ours
from pxed.server.kept import Kept, is_kept
from pxed.server.systemd import Manager


@dataclass(frozen=True, slots=True)
class Handed:
    """What each of them is for."""

    of_units: tuple[tuple[str, int], ...]
    kept: Kept
    incoming: Incoming

    @classmethod
    def of(cls, manager: Manager, fds: Sequence[tuple[str, int]]) -> Handed:
        """Each descriptor has one owner from now on."""
        store = FdStore(manager)
        kept = [(name, fd) for name, fd in fds if is_kept(name)]
        ours = [(name, fd) for name, fd in fds if is_ours(name)]
        units = tuple((name, fd) for name, fd in fds if not is_kept(name) and not is_ours(name))
        return cls(units, Kept(store, kept), Incoming(store, ours))

    def sockets(self) -> dict[str, list[socket.socket]]:
        """Those of socket units, by FileDescriptorName=."""
        found: dict[str, list[socket.socket]] = {}
        for name, fd in self.of_units:
            found.setdefault(name, []).append(socket.socket(fileno=fd))
        return found
