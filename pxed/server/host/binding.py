"""A socket that could not be bound: what is wrong, and what to do."""

from __future__ import annotations

import errno
import os
import pwd
import socket

from pxed.server.host.holders import holders
from pxed.server.host.links import Link, known
from pxed.server.host.ports import Port, in_the_way, taken
from pxed.server.host.wordings import Code, Finding, finding


def bind_fault(port: Port, error: OSError) -> Finding:
    """The finding that the error of socket(2), setsockopt(2) or bind(2) comes of."""
    fault = _fault(port, error)
    return finding(Code.RIVALS_UNHEARD, why=fault.cause) if port.role == "rivals" else fault


def _fault(port: Port, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return taken(port, in_the_way(port, holders(port.protocol, port.number)))
    if error.errno in (errno.EACCES, errno.EPERM):
        return finding(Code.PORT_FORBIDDEN, user=user(), port=str(port))
    if error.errno == errno.ENODEV:
        links = {name: Link(up=True, running=True, loopback=name == "lo") for _, name in socket.if_nameindex()}
        return finding(Code.INTERFACE_MISSING, interface=port.interface, known=known(port.interface, links))
    return finding(Code.PORT_FAILED, port=str(port), error=error.strerror or str(error))


def user() -> str:
    """Whom this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
