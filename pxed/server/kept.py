"""Listening sockets that stay open from one process of pxed to the next, in systemd's file descriptor store.

What arrives between the two waits in them: a DISCOVER, a read request, a connection. Only those that pxed bound itself;
the sockets of socket units are systemd's own. One that no longer fits the inventory or the host is let go.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from pxed.server import udp
from pxed.server.fdstore import FdStore, fd_name

KEPT = "kept"  # names in the store: kept-tftp, kept-tftp-eth1; no FileDescriptorName= of a socket unit begins so
PURPOSES = ("dhcp", "bootserver", "tftp", "http", "https", "syslog")
LET_GO_SECONDS = 5.0  # for systemd to close what no longer fits: its port is to be bound anew
Wanted = Mapping[tuple[str, str | None], tuple[socket.SocketKind, int]]
"""Purpose and interface (None: all) -> kind and port."""


def is_kept(name: str) -> bool:
    """Whether a descriptor of this name in the store is a listening socket."""
    return name.startswith(f"{KEPT}-")


class Kept:
    """The sockets that the process before has left, and the store for those of this one."""

    def __init__(self, store: FdStore, fds: Iterable[tuple[str, int]] = ()) -> None:
        self._store = store
        self._left: list[tuple[str, socket.socket]] = []
        self._fitting: dict[tuple[str, str | None], socket.socket] = {}
        self._strange: list[str] = []
        for name, fd in fds:
            try:
                sock = socket.socket(fileno=fd)
                sock.setblocking(False)
                self._left.append((name, sock))
            except OSError:
                os.close(fd)
                self._strange.append(name)

    def sort_out(self, wanted: Wanted) -> None:
        """Let go of what is not wanted as it is, before anything is bound."""
        for name, sock in self._left:
            place = _place(name, sock)
            if place is not None and place in wanted and place not in self._fitting and _fits(sock, *wanted[place]):
                self._fitting[place] = sock
                continue
            sock.close()
            self._store.remove(name)
        for name in self._strange:
            self._store.remove(name)
        if len(self._fitting) < len(self._left) or self._strange:
            self._store.barrier(LET_GO_SECONDS)
        self._left.clear()

    def take(self, purpose: str, interface: str | None = None) -> socket.socket | None:
        """The socket for this, if there is one."""
        sock = self._fitting.pop((purpose, interface), None)
        if sock is not None and sock.type == socket.SOCK_DGRAM:
            udp.prepare(sock)
        return sock

    def or_bound(
        self, purpose: str, bind: Callable[[str | None], socket.socket]
    ) -> Callable[[str | None], socket.socket]:
        """`bind`, where there is no such socket."""
        return lambda interface: self.take(purpose, interface) or bind(interface)

    def keep(self, purpose: str, sockets: Sequence[socket.socket]) -> None:
        """Let systemd keep these too; one that it has already stays as it is."""
        for sock in sockets:
            with contextlib.suppress(OSError):  # its interface is gone
                self._store.keep(fd_name(KEPT, purpose, udp.device_of(sock) or ""), [sock.fileno()])

    def replace(self, purpose: str, sock: socket.socket) -> None:
        """The same, in the place of one of an interface that is there again, with another index."""
        if purpose in PURPOSES:
            with contextlib.suppress(OSError):
                self._store.remove(fd_name(KEPT, purpose, udp.device_of(sock) or ""))
            self.keep(purpose, [sock])

    def close(self) -> None:
        """Close what was not taken."""
        for sock in (*self._fitting.values(), *(sock for _, sock in self._left)):
            sock.close()
        self._fitting.clear()
        self._left.clear()


def _place(name: str, sock: socket.socket) -> tuple[str, str | None] | None:
    """Purpose and interface; None for an interface that is gone, or was made anew under its old name."""
    try:
        return name.split("-")[1], udp.device_of(sock)
    except (OSError, IndexError):
        return None


def _fits(sock: socket.socket, kind: socket.SocketKind, port: int) -> bool:
    try:
        listens = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return (sock.family, sock.type, sock.getsockname()) == (
            socket.AF_INET,
            kind,
            ("0.0.0.0", port),
        ) and listens == (kind == socket.SOCK_STREAM)
    except OSError:
        return False
