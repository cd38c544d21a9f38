"""All listening sockets of the daemon, opened before it says READY: bound here, or handed over by systemd."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from pxed.dhcp.codes import BOOT_SERVER_PORT, CLIENT_PORT, SERVER_PORT
from pxed.errors import HostError
from pxed.inventory.model import DhcpMode, Server
from pxed.server import rivals, udp
from pxed.server.certificate import Tls
from pxed.server.fdstore import FdStore
from pxed.server.kept import PURPOSES, Kept, Wanted
from pxed.server.systemd import Manager

HTTP_BACKLOG = 1024  # a rack that powers on at once connects within one second
# FileDescriptorName= of each socket in systemd/pxed.socket.
NAMES = ("dhcp", "bootserver", "tftp", "http", "https", "syslog", "rivals")
Bind = Callable[[str | None], socket.socket]
"""Interface, or None for all -> a bound UDP socket, or HostError."""


@dataclass(slots=True)
class Sockets:
    """Open sockets by what they are for."""

    dhcp: list[socket.socket] = field(default_factory=list)
    bootserver: list[socket.socket] = field(default_factory=list)
    tftp: list[socket.socket] = field(default_factory=list)
    http: list[socket.socket] = field(default_factory=list)
    https: list[socket.socket] = field(default_factory=list)
    syslog: list[socket.socket] = field(default_factory=list)
    rivals: list[socket.socket] = field(default_factory=list)
    unheard: str = ""  # why there is none of `rivals`
    tls: Tls | None = None  # what `https` shows
    handed: frozenset[str] = frozenset()  # those that are of socket units
    binds: dict[str, Bind] = field(default_factory=dict)  # how more are opened, of those that are one per interface

    def close(self) -> None:
        for name in NAMES:
            for sock in getattr(self, name):
                sock.close()


def open_all(server: Server, handed: dict[str, list[socket.socket]], kept: Kept | None = None) -> Sockets:
    """Every socket that `server` asks for. HostError, with nothing left open, when one cannot be had. `kept`: those of
    the process before.

    An interface of `server.interfaces` that is not there yet is no error: pxed.server.following waits for it.
    """
    _refuse_strangers(handed)
    settings = server.http.tls
    sockets = Sockets(tls=Tls(settings) if settings is not None else None, handed=frozenset(handed))
    kept = kept or Kept(FdStore(Manager()))
    kept.sort_out(_kept_of(server, handed))
    try:
        for name, (port, bind) in udp_binds(server).items():
            taken = _handed(handed, name, port)
            if name == "rivals":
                sockets.rivals, sockets.unheard = (taken, "") if taken else _heard(server, bind)
            else:
                setattr(sockets, name, taken or _udp(server, kept.or_bound(name, bind)))
            unheard = name == "rivals" and sockets.unheard
            if server.interfaces and not unheard and all(udp.index_of(sock) for sock in getattr(sockets, name)):
                sockets.binds[name] = bind
        port = server.http.port
        sockets.http = _handed(handed, "http", port) or [kept.take("http") or tcp(port, "http")]
        if settings is not None:
            port = settings.port
            sockets.https = _handed(handed, "https", port) or [kept.take("https") or tcp(port, "https")]
        _refuse_unwanted(server, handed)
    except HostError:
        sockets.close()
        raise
    finally:
        kept.close()
    return sockets


def _kept_of(server: Server, handed: Collection[str]) -> Wanted:
    """What is bound by pxed itself, and may be there from the process before."""
    everywhere = server.interfaces or (None,)
    wanted: dict[tuple[str, str | None], tuple[socket.SocketKind, int]] = {
        (name, interface): (socket.SOCK_DGRAM, port)
        for name, (port, _) in udp_binds(server).items()
        for interface in everywhere
    }
    wanted["http", None] = (socket.SOCK_STREAM, server.http.port)
    if server.http.tls is not None:
        wanted["https", None] = (socket.SOCK_STREAM, server.http.tls.port)
    return {place: what for place, what in wanted.items() if place[0] in PURPOSES and place[0] not in handed}


def udp_binds(server: Server) -> dict[str, tuple[int, Bind]]:
    """The UDP sockets that `server` asks for: each one's name, port, and how it is opened."""
    ports = {"tftp": server.tftp.port}
    if server.dhcp is DhcpMode.PROXY:
        ports["dhcp"] = SERVER_PORT
    if server.dhcp is not DhcpMode.OFF:
        ports["bootserver"] = BOOT_SERVER_PORT
    if server.syslog is not None:
        ports["syslog"] = server.syslog.port
    binds: dict[str, tuple[int, Bind]] = {
        name: (ports[name], partial(udp.bind, ports[name], role=name)) for name in ports
    }
    if server.dhcp is not DhcpMode.OFF:
        binds["rivals"] = (CLIENT_PORT, rivals.open_socket)
    return {name: binds[name] for name in NAMES if name in binds}


def _handed(handed: dict[str, list[socket.socket]], name: str, port: int) -> list[socket.socket]:
    """The sockets of that name; offers and URLs say the inventory's port, so it must be theirs."""
    sockets = handed.get(name, [])
    for sock in sockets:
        actual = sock.getsockname()[1]
        if actual != port:
            raise HostError(
                f"systemd handed over port {actual} for {name}, but the inventory says {port}: make them the same "
                f"(systemctl edit the socket unit of {name}, or the inventory's server section)"
            )
        if name == "rivals":
            rivals.prepare(sock)
        elif sock.type == socket.SOCK_DGRAM:
            udp.prepare(sock)
        sock.setblocking(False)
    return sockets


def _udp(server: Server, bind: Bind) -> list[socket.socket]:
    """One socket for each named interface that is there; one for all when none is named."""
    opened: list[socket.socket] = []
    for name in server.interfaces or (None,):
        try:
            if name is None or name in udp.names():
                opened.append(bind(name))
        except HostError:
            if name is not None and name not in udp.names():
                continue  # it went away just now
            for sock in opened:
                sock.close()
            raise
    return opened


def _heard(server: Server, bind: Bind) -> tuple[list[socket.socket], str]:
    """The sockets that hear other servers; or none, and why not: pxed serves without them."""
    try:
        return _udp(server, bind), ""
    except HostError as error:
        return [], str(error)


def tcp(port: int, role: str) -> socket.socket:
    """A listening socket of every interface. HostError when it cannot be had."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", port))
        sock.listen(HTTP_BACKLOG)
    except OSError as error:
        sock.close()
        raise udp.explain_bind(role, "TCP", port, None, error) from error
    return sock


def _refuse_unwanted(server: Server, handed: dict[str, list[socket.socket]]) -> None:
    if server.syslog is None and "syslog" in handed:
        raise HostError("systemd handed over a socket for syslog, but the inventory has server.syslog: off")
    if server.http.tls is None and "https" in handed:
        raise HostError("systemd handed over a socket for https, but the inventory has no server.http.tls")


def _refuse_strangers(handed: dict[str, list[socket.socket]]) -> None:
    strangers = sorted(set(handed) - set(NAMES))
    if strangers:
        raise HostError(
            f"systemd handed over sockets named {', '.join(strangers)}: "
            f"FileDescriptorName= must be one of {', '.join(NAMES)}"
        )
