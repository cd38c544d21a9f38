"""Follows the interfaces that the inventory names: opens sockets on one that appears, closes those of one that is gone.

A socket that is bound to a device (socket(7): SO_BINDTODEVICE) is bound to its index: a USB adapter that was pulled and
put back, or a VLAN made anew, has another one, and the old socket never hears anything again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pxed.errors import HostError
from pxed.server import udp
from pxed.server.sockets import Bind, Sockets


@dataclass(frozen=True, slots=True)
class Listener:
    """Who reads from one kind of sockets."""

    attach: Callable[[socket.socket], None]
    detach: Callable[[socket.socket], None]


@dataclass(slots=True)
class Followed:
    """The sockets that are bound to an interface, of each listener. All methods belong into the loop's thread."""

    wanted: Sequence[str]
    listeners: Mapping[str, Listener]
    opened: Callable[[str, socket.socket], None] = lambda kind, sock: None  # hears of each that is opened later
    _binds: Mapping[str, Bind] = field(default_factory=dict)
    _open: dict[tuple[str, str], tuple[socket.socket, int]] = field(default_factory=dict)  # and the interface's index
    _faults: dict[tuple[str, str], str] = field(default_factory=dict)  # why there is none, as it was told

    def start(self, sockets: Sockets) -> None:
        """Attach the sockets that were opened; follow those kinds that have one per interface."""
        self._binds = sockets.binds
        for kind, listener in self.listeners.items():
            for sock in getattr(sockets, kind):
                device, index = udp.device_of(sock), udp.index_of(sock)
                if index and device is None:
                    sock.close()  # its interface is gone since it was opened
                    continue
                listener.attach(sock)
                if device is not None:
                    self._open[kind, device] = (sock, index)

    def look(self) -> list[str]:
        """Look at the interfaces; what went wrong that was not told before."""
        present = {name: index for index, name in socket.if_nameindex()}
        for (kind, name), (sock, index) in list(self._open.items()):
            if present.get(name) != index:
                del self._open[kind, name]
                self.listeners[kind].detach(sock)
                sock.close()
        told = []
        for kind in self._binds:
            for name in self.wanted:
                if name in present and (kind, name) not in self._open and (fault := self._bind(kind, name)):
                    told.append(fault)
        return told

    def _bind(self, kind: str, name: str) -> str:
        """Open one; "" if that went well, or what keeps it from it was told already."""
        try:
            sock = self._binds[kind](name)
        except HostError as error:
            fault, known = str(error), self._faults.get((kind, name))
            self._faults[kind, name] = fault
            return fault if fault != known else ""
        self._faults.pop((kind, name), None)
        self.listeners[kind].attach(sock)
        self._open[kind, name] = (sock, udp.index_of(sock))
        self.opened(kind, sock)
        return ""

    def stop(self) -> None:
        """Follow no more: each listener closes its own sockets."""
        self._binds = {}
        self._open.clear()
