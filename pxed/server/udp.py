"""UDP sockets that know where a datagram came in and what address it was sent to. ip(7): IP_PKTINFO.

A DHCP server must be bound to the wildcard address to hear broadcasts, and must answer on the interface of the question
with that interface's own address. Where `server.interfaces` names interfaces there is one socket for each, bound to the
device (socket(7): SO_BINDTODEVICE), so that another interface's DHCP server (libvirt's dnsmasq) can live beside it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from functools import lru_cache

from pxed.server.host.wordings import HostFindingError

RECEIVE_BUFFER = 4 << 20  # bytes: a rack that powers on at once sends all its DISCOVERs in the same second
LARGEST_DATAGRAM = 2048  # bytes; the rest of a longer one is cut off, and then it does not decode
_INDEX = struct.Struct("@i")
PKTINFO = struct.Struct("@i4s4s")  # struct in_pktinfo: interface index, our address, the datagram's destination
ANCILLARY = socket.CMSG_SPACE(PKTINFO.size)
# <linux/in.h> and <asm-generic/socket.h>: not in Python 3.11's socket module
IP_PKTINFO = 8
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
SO_RCVBUFFORCE = 33
SO_BINDTOIFINDEX = 62  # Linux 5.0


# As received: the bytes; the source; the interface's index; our address that it reached, which for a broadcast is the
# interface's first, as the kernel chooses it.
Datagram = tuple[bytes, tuple[str, int], int, bytes]


def bind(
    port: int,
    interface: str | None = None,
    address: str = "0.0.0.0",
    *,
    role: str = "",
    shared: bool = False,
) -> socket.socket:
    """A bound, non-blocking socket; `shared`: others of this host may have the port too (SO_REUSEADDR).

    `role`: what it is for, by its name in pxed.server.sockets.
    HostFindingError says who holds a busy port and which privilege is missing.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prepare(sock)  # before a datagram can come in: IP_PKTINFO is noted as it is queued
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise explain_bind(role, "UDP", port, interface, error) from error
    return sock


def prepare(sock: socket.socket) -> None:
    """The options that every datagram socket of pxed has, one handed over by systemd included."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    # ROMs cannot reassemble, but a DF bit would lose the reply altogether: dnsmasq does the same since 2.51.
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    with contextlib.suppress(OSError):  # over net.core.rmem_max, where CAP_NET_ADMIN was given
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)


def device_of(sock: socket.socket) -> str | None:
    """The interface that a socket is bound to (SO_BINDTODEVICE), or None: to none, or to one that is gone."""
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0").decode() or None
    except OSError:  # ENODEV
        return None


def index_of(sock: socket.socket) -> int:
    """The index of the interface that a socket is bound to, also of one that is gone; 0 for none."""
    return sock.getsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX)


def receive(sock: socket.socket) -> Datagram:
    """The next datagram; BlockingIOError when there is none."""
    data, ancillary, _flags, source = sock.recvmsg(LARGEST_DATAGRAM, ANCILLARY)
    if not ancillary:
        return data, source, 0, b"\0\0\0\0"
    value = ancillary[0][2]  # IP_PKTINFO is the only one that was asked for
    return data, source, _INDEX.unpack_from(value)[0], value[4:8]


def send(sock: socket.socket, data: bytes, destination: tuple[str, int], ifindex: int, address: bytes) -> None:
    """Send from `address`, out of interface `ifindex` (0: where the routes say)."""
    sock.sendmsg((data,), _sender(ifindex, address), 0, destination)


@lru_cache(maxsize=1024)
def _sender(ifindex: int, address: bytes) -> tuple[tuple[int, int, bytes]]:
    return ((socket.IPPROTO_IP, IP_PKTINFO, PKTINFO.pack(ifindex, address, b"\0\0\0\0")),)


def explain_bind(role: str, protocol: str, port: int, interface: str | None, error: OSError) -> HostFindingError:
    """What to do about a socket that could not be bound. `role` is its name in pxed.server.sockets."""
    from pxed.server.host.binding import bind_fault  # only where something is wrong
    from pxed.server.host.ports import Port

    return HostFindingError(bind_fault(Port(role, protocol, port, interface or ""), error))


def names() -> list[str]:
    """The host's interfaces."""
    return sorted(name for _, name in socket.if_nameindex())
