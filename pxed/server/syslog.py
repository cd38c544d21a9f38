"""Receives the lines that machines send by syslog (UDP), and says whose they are. Off unless `server.syslog` says so.

A line is an event of kind `syslog`, of the machine at the address that it comes from. UDP lets anybody write in any
address: lines tell people something, and decide nothing.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable

from pxed.events import Emit, Event, Kind, Level, Value
from pxed.server import udp
from pxed.server.allowance import Allowance
from pxed.server.interfaces import Interfaces
from pxed.status.syslogline import read_line

BATCH = 32  # datagrams per wake-up
PER_SECOND = 50  # lines of one source; what comes beyond is counted and dropped
IN_ALL_PER_SECOND = 2000  # of all sources: they can be forged
MOST_SOURCES = 4096
Who = Callable[[str], tuple[str, str]]
"""IPv4 address -> (machine's name or "", MAC or "")."""


class SyslogServer:
    """All methods belong into the loop's thread."""

    def __init__(
        self, interfaces: Interfaces, emit: Emit, who: Who, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interfaces = interfaces
        self._emit = emit
        self._who = who
        self._clock = clock
        self._sockets: list[socket.socket] = []
        self._sources: OrderedDict[str, Allowance] = OrderedDict()
        self._all = Allowance(IN_ALL_PER_SECOND, IN_ALL_PER_SECOND, clock())

    def attach(self, sock: socket.socket) -> None:
        """Serve a bound socket. It belongs to the server from now on."""
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock)

    def detach(self, sock: socket.socket) -> None:
        """Serve a socket no more, which is the caller's again."""
        self._sockets.remove(sock)
        asyncio.get_running_loop().remove_reader(sock)

    def close(self) -> None:
        """Stop, and close the sockets."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _drain(self, sock: socket.socket) -> None:
        now = self._clock()
        for _ in range(BATCH):
            try:
                data, (address, _port), ifindex, local = udp.receive(sock)
            except BlockingIOError:
                return
            except OSError:
                continue
            endpoint = self._interfaces.endpoint(ifindex, local)
            if endpoint is not None:
                self._take(data, address, endpoint.interface, now)

    def _take(self, data: bytes, address: str, interface: str, now: float) -> None:
        source = self._source(address, now)
        if not source.take(now) or not self._all.take(now):
            return
        dropped, source.dropped = source.dropped, 0
        line, (machine, mac) = read_line(data), self._who(address)
        figures: dict[str, Value] = {
            "address": address,
            "interface": interface,
            "facility": line.facility,
            "severity": line.severity,
            "tag": line.tag,
            **({"dropped": dropped} if dropped else {}),
        }
        self._emit(Event(Kind.SYSLOG, time.time(), machine, mac, line.text, Level.DEBUG, figures))

    def _source(self, address: str, now: float) -> Allowance:
        source = self._sources.get(address)
        if source is None:
            source = self._sources[address] = Allowance(PER_SECOND, PER_SECOND, now)
            if len(self._sources) > MOST_SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(address)
        return source
