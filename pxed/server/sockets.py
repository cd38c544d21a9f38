"""All listening sockets of the daemon, opened before it says READY: bound here, or handed over by systemd."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from pxed.dhcp.codes import BOOT_SERVER_PORT, SERVER_PORT
from pxed.errors import HostError
from pxed.inventory.model import DhcpMode, Server
from pxed.server import rivals, udp
from pxed.server.certificate import Tls
from pxed.server.interfaces import check_names

HTTP_BACKLOG = 1024  # a rack that powers on at once connects within one second
# FileDescriptorName= of each socket in systemd/pxed.socket.
NAMES = ("dhcp", "bootserver", "tftp", "http", "https", "syslog")


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

    def close(self) -> None:
        for name in (*NAMES, "rivals"):
            for sock in getattr(self, name):
                sock.close()


def open_all(server: Server, handed: dict[str, list[socket.socket]]) -> Sockets:
    """Every socket that `server` asks for. HostError, with nothing left open, when one cannot be had."""
    _refuse_strangers(handed)
    check_names(server.interfaces)
    settings = server.http.tls
    sockets = Sockets(tls=Tls(settings) if settings is not None else None)
    try:
        if server.dhcp is DhcpMode.PROXY:
            sockets.dhcp = _handed(handed, "dhcp", SERVER_PORT) or _udp(SERVER_PORT, server)
        if server.dhcp is not DhcpMode.OFF:
            sockets.bootserver = _handed(handed, "bootserver", BOOT_SERVER_PORT) or _udp(BOOT_SERVER_PORT, server)
            sockets.rivals, sockets.unheard = rivals.open_sockets(server.interfaces)
        sockets.tftp = _handed(handed, "tftp", server.tftp.port) or _udp(server.tftp.port, server)
        sockets.http = _handed(handed, "http", server.http.port) or [_tcp(server.http.port)]
        if server.syslog is not None:
            sockets.syslog = _handed(handed, "syslog", server.syslog.port) or _udp(server.syslog.port, server)
        elif "syslog" in handed:
            raise HostError("systemd handed over a socket for syslog, but the inventory has server.syslog: off")
        if settings is not None:
            sockets.https = _handed(handed, "https", settings.port) or [_tcp(settings.port)]
        elif "https" in handed:
            raise HostError("systemd handed over a socket for https, but the inventory has no server.http.tls")
    except HostError:
        sockets.close()
        raise
    return sockets


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
        if sock.type == socket.SOCK_DGRAM:
            udp.prepare(sock)
        sock.setblocking(False)
    return sockets


def _udp(port: int, server: Server) -> list[socket.socket]:
    """One socket for each named interface; one for all when none is named."""
    opened: list[socket.socket] = []
    try:
        for name in server.interfaces or (None,):
            opened.append(udp.bind(port, name))
    except HostError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _tcp(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", port))
        sock.listen(HTTP_BACKLOG)
    except OSError as error:
        sock.close()
        raise udp.explain_bind("TCP", port, None, error) from error
    return sock


def _refuse_strangers(handed: dict[str, list[socket.socket]]) -> None:
    strangers = sorted(set(handed) - set(NAMES))
    if strangers:
        raise HostError(
            f"systemd handed over sockets named {', '.join(strangers)}: "
            f"FileDescriptorName= must be one of {', '.join(NAMES)}"
        )
