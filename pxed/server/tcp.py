"""What the kernel knows of a TCP connection. tcp(7): SIOCOUTQ, TCP_INFO."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Protocol

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
