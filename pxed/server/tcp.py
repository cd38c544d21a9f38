"""What the kernel knows of a TCP connection. tcp(7): SIOCOUTQ, TCP_INFO."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from typing import Protocol

CLOSING_SECONDS = 5.0  # for a peer to close its side too
_COUNT = struct.Struct("@i")
# struct tcp_info of <linux/tcp.h>: 8 bytes, then numbers of 4; tcpi_total_retrans is the 24th of them.
_TOTAL_RETRANS = struct.Struct("@I")
_TOTAL_RETRANS_AT = 100


class Socket(Protocol):
    """A socket, or what asyncio shows of one."""

    def fileno(self) -> int: ...
    def getsockopt(self, level: int, name: int, size: int, /) -> bytes: ...


def unacknowledged(sock: Socket) -> int:
    """Bytes that the peer has not acknowledged yet, sent or not. Raises OSError or ValueError for a closed socket."""
    return int(_COUNT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size)))[0])


def retransmitted(sock: Socket) -> int:
    """Segments sent again since the connection began. Raises OSError."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TOTAL_RETRANS_AT + _TOTAL_RETRANS.size)
    return int(_TOTAL_RETRANS.unpack_from(info, _TOTAL_RETRANS_AT)[0])


async def close_gently(sock: socket.socket) -> None:
    """Close a connection whose peer may have sent something that nobody reads: to close at once would reset it, and
    the peer would lose what it has not taken yet (RFC 9112 9.6)."""
    loop = asyncio.get_running_loop()
    try:
        with contextlib.suppress(OSError, TimeoutError):
            sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(CLOSING_SECONDS):
                while await loop.sock_recv(sock, 65536):
                    pass
    finally:
        sock.close()
