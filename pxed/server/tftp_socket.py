"""The sockets of TFTP: what Linux has to be told and asked.

Numbers that Python 3.11 does not name are those of <linux/in.h>, <linux/udp.h> and <asm-generic/socket.h>.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pxed.server import udp

UDP_SEGMENT = 103
MAX_SEGMENTS = 64  # UDP_MAX_SEGMENTS of kernels before 6.9
MAX_DATAGRAM = 65507  # bytes of payload of an IPv4 datagram

_SEGMENT_ERRORS = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EMSGSIZE})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram at the listening socket."""

    datagram: bytes
    address: str
    port: int
    local_address: str  # "" when it was sent to a broadcast or multicast address
    ifindex: int


def receive(sock: socket.socket) -> Arrival | None:
    """The next datagram, None when there is none."""
    try:
        datagram, ancillary, _, (address, port) = sock.recvmsg(udp.LARGEST_DATAGRAM, udp.ANCILLARY)
    except OSError:  # nothing there, or the ICMP error of an answer sent before
        return None
    if not ancillary:
        return Arrival(datagram, address, port, "", 0)
    ifindex, local, destination = udp.PKTINFO.unpack(ancillary[0][2])
    return Arrival(datagram, address, port, socket.inet_ntoa(local) if local == destination else "", ifindex)


def answer(sock: socket.socket, arrival: Arrival, datagram: bytes) -> None:
    """Send from the listening socket, out of the interface and from the address that was asked. May be lost."""
    with contextlib.suppress(OSError):
        client = (arrival.address, arrival.port)
        udp.send(sock, datagram, client, arrival.ifindex, socket.inet_aton(arrival.local_address))


@dataclass(frozen=True, slots=True)
class Pair:
    """The sockets of one transfer, both on its local port: one connected to the client, one for everybody else.

    A connected socket answers faster (measured: 1.3 us of 7 per block) and hears of a client that went away. The kernel
    gives it the client's datagrams only; the other one gets a stranger's, who is told so (RFC 1350 section 4, T7).
    """

    client: socket.socket
    strangers: socket.socket

    def close(self) -> None:
        self.client.close()
        self.strangers.close()


def open_pair(
    local_address: str, client: tuple[str, int], window_bytes: int, ports: tuple[int, int] | None = None
) -> Pair:
    """A fresh port on the local address, one of the range `ports` if given. Raises OSError."""
    pair = Pair(_udp_socket(), _udp_socket())
    try:
        _bind_fresh(pair.client, local_address, ports)
        _join(pair)
        pair.client.connect(client)
        if window_bytes > 32 << 10:
            # The kernel counts its own overhead too: a window must fit, or its end is lost before it was sent.
            pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * window_bytes)
    except BaseException:
        pair.close()
        raise
    return pair


def rejoin(client: socket.socket) -> Pair:
    """The pair of a client's socket that another process has opened. Raises OSError."""
    pair = Pair(client, _udp_socket())
    try:
        _join(pair)
    except BaseException:
        pair.close()
        raise
    return pair


def _join(pair: Pair) -> None:
    """The strangers' socket onto the port of the client's."""
    # Only now, so that the kernel chose a port that nobody has; off again, so that nobody else can join it.
    for sock in (pair.client, pair.strangers):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    pair.strangers.bind(pair.client.getsockname())
    for sock in (pair.client, pair.strangers):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _bind_fresh(sock: socket.socket, address: str, ports: tuple[int, int] | None) -> None:
    """Bind to a port that nobody has: the kernel's choice, or a random place in the range and up from there."""
    if ports is None:
        sock.bind((address, 0))
        return
    first, last = ports
    count = last - first + 1
    start = secrets.randbelow(count)  # a guessed port would let a stranger end somebody's transfer
    for offset in range(count):
        try:
            sock.bind((address, first + (start + offset) % count))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return
    raise OSError(errno.EADDRINUSE, f"every port from {first} to {last} is in use")


def _udp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.IPPROTO_IP, udp.IP_MTU_DISCOVER, udp.IP_PMTUDISC_DONT)  # Q33
    return sock


class Segmenter:
    """Sends windows in one system call (UDP generic segmentation offload), where the interface lets it.

    Without: kernels before 4.18, and interfaces that compute no checksums (EIO before 6.2).
    """

    def __init__(self) -> None:
        self._refused: set[int] = set()  # indexes of interfaces that cannot

    def send(self, sock: socket.socket, packets: Sequence[bytes], ifindex: int) -> None:
        """Send packets of equal size, of which the last may be shorter. Raises OSError when one was not sent."""
        size = len(packets[0])
        at_once = min(MAX_SEGMENTS, MAX_DATAGRAM // size)
        if at_once > 1 and ifindex not in self._refused:
            try:
                self._send_segmented(sock, packets, at_once, size)
            except OSError as error:
                if error.errno not in _SEGMENT_ERRORS:
                    raise
                self._refused.add(ifindex)
            else:
                return
        for packet in packets:
            sock.send(packet)

    @staticmethod
    def _send_segmented(sock: socket.socket, packets: Sequence[bytes], at_once: int, size: int) -> None:
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))]
        for first in range(0, len(packets), at_once):
            sock.sendmsg(packets[first : first + at_once], control)


def allow_descriptors(wanted: int) -> int:
    """Raise the soft limit of open files to `wanted` where the hard limit lets; the limit that is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
