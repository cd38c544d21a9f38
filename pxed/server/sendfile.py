"""Sends a piece of an open file over a connection with sendfile(2), in bounded steps of the event loop; over TLS by
reading and encrypting it.

Not loop.sendfile(): it asks the kernel for the whole file at once, and to a reader as fast as we are (loopback, a fast
switch) one such call lasts as long as the file does, while DHCP and TFTP wait. It also tells nothing of a transfer that
breaks off.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import ClassVar, NamedTuple

from aiohttp import web

from pxed.server.tcp import Socket, retransmitted, unacknowledged

# Bytes a call, about 0.25 ms of the loop for each MiB. A lone reader that keeps up gets TURN, many share it, so that a
# turn of the loop stays short; a call to a real network ends earlier, when the socket's buffer (4 MiB at most) is full.
STEP = 1 << 20
TURN = 8 << 20
COPY = 256 << 10  # bytes a call where the file system has no sendfile
SECURE_COPY = 64 << 10  # bytes a turn over TLS, 0.05 ms of AES
SECURE_BUFFER = 128 << 10  # bytes that wait for a slow reader over TLS; a thousand of them have 128 MiB

_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Piece(NamedTuple):
    """Of an open file."""

    file: int
    offset: int
    size: int


# asyncio's TLS transports have nothing to ask for once they are lost: AttributeError.
_LOST = (OSError, ValueError, AttributeError)


class Tally:
    """What the peer has acknowledged, and what was sent again for it. Once the connection is lost: the last known."""

    def __init__(self) -> None:
        self._sock: Socket | None = None
        self._waiting = 0
        self._again = self._again_before = 0

    def begin(self, sock: Socket, before: int | None = None) -> None:
        """The transfer goes by this connection, which may have had others before; `before` is what began() once was."""
        self._sock = sock
        self._look()
        self._again_before = self._again if before is None else before

    def began(self) -> int:
        """Segments that had been sent again before this transfer."""
        return self._again_before

    def end(self) -> None:
        """The connection's descriptor is closed next."""
        self._look()
        self._sock = None

    def acknowledged(self, sent: int) -> int:
        """Of the bytes sent; what is still waiting may be the header."""
        self._look()
        return max(0, sent - self._waiting)

    def retransmits(self) -> int:
        """Segments."""
        self._look()
        return self._again - self._again_before

    def _look(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(*_LOST):
                self._again, self._waiting = retransmitted(self._sock), unacknowledged(self._sock)


class PlainSender:
    """One transfer. `sent` counts the bytes that the kernel has taken, also after an error."""

    active: ClassVar[int] = 0  # transfers under way in this process

    def __init__(self, selected: Piece) -> None:
        self.sent = 0
        self.tally = Tally()
        self._file, self._offset, self._count = selected
        self._copies = False
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._fd = -1

    @property
    def descriptors(self) -> tuple[int, int] | None:
        """The connection's and the file's while the file is being sent; None before, and after."""
        return (self._fd, self._file) if self._fd >= 0 and not self._done.done() else None

    def leave(self) -> None:
        """Send no more of it, as another process goes on: run() waits until it is cancelled."""
        self._loop.remove_writer(self._fd)

    async def _over(self, mine: socket.socket, before: int | None = None) -> None:
        """Send it over a socket, which is closed at the end."""
        self._fd = mine.fileno()
        self.tally.begin(mine, before)
        PlainSender.active += 1
        try:
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._file, self._offset, self._count, os.POSIX_FADV_SEQUENTIAL)  # reads further ahead
            self._step()
            if not self._done.done():
                self._loop.add_writer(self._fd, self._step)
            await self._done
        finally:
            PlainSender.active -= 1
            self.tally.end()
            self._loop.remove_writer(self._fd)
            self._fd = -1
            mine.close()

    def _step(self) -> None:
        if self._done.done():
            return
        try:
            self._account(self._send())
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in _NO_SENDFILE and not self._copies:
                self._copies = True
                return
            self._done.set_exception(error)

    def _send(self) -> int:
        position = self._offset + self.sent
        left = self._count - self.sent
        if self._copies:
            return os.write(self._fd, os.pread(self._file, min(left, COPY), position))
        return os.sendfile(self._fd, self._file, position, min(left, max(STEP, TURN // PlainSender.active)))

    def _account(self, sent: int) -> None:
        self.sent += sent
        if self.sent == self._count:
            self._done.set_result(None)
        elif sent == 0:
            raise OSError(errno.EIO, "the file was cut short while it was being sent")


class FileSender(PlainSender):
    """A transfer that follows the headers of its answer."""

    def __init__(self, transport: asyncio.Transport, selected: Piece) -> None:
        super().__init__(selected)
        self._transport = transport

    async def run(self) -> None:
        """Send it all. Raises OSError (ConnectionError for what the peer did) when it breaks off."""
        await self._flushed()
        # The transport owns its descriptor's place in the loop's selector; a duplicate has a place of its own.
        await self._over(socket.socket(fileno=os.dup(_descriptor(self._transport))))

    async def _flushed(self) -> None:
        """Wait until the headers have left the transport's buffer: what follows goes past it."""
        while self._transport.get_write_buffer_size():
            if self._transport.is_closing():
                raise ConnectionResetError("the connection was closed before the file was sent")
            await asyncio.sleep(0.005)


class Resumed(PlainSender):
    """The rest of a transfer that another process began, over a socket that is the caller's."""

    def __init__(self, sock: socket.socket, selected: Piece, sent: int, retransmitted_before: int) -> None:
        super().__init__(selected)
        self.sent = sent
        self._sock = sock
        self._before = retransmitted_before

    async def run(self) -> None:
        """Send the rest. Raises OSError when it breaks off."""
        if self.sent == self._count:
            return
        cork(self._sock, True)
        try:
            await self._over(socket.socket(fileno=os.dup(self._sock.fileno())), self._before)
        finally:
            cork(self._sock, False)


class SecureFileSender:
    """The same over TLS, where each byte goes through this process. `sent` counts those that left OpenSSL."""

    def __init__(self, response: web.StreamResponse, transport: asyncio.Transport, selected: Piece) -> None:
        self.sent = 0
        self.tally = Tally()
        self._response = response
        self._transport = transport
        self._piece = selected

    async def run(self) -> None:
        """Send it all. Raises OSError (ConnectionError for what the peer did) when it breaks off."""
        file, offset, size = self._piece
        self.tally.begin(_socket(self._transport))
        self._transport.set_write_buffer_limits(high=SECURE_BUFFER)
        given = 0
        while given < size:
            data = os.pread(file, min(size - given, SECURE_COPY), offset + given)
            if not data:
                raise OSError(errno.EIO, "the file was cut short while it was being sent")
            given += len(data)
            await self._response.write(data)
            self.sent = max(0, given - self._waiting())
            await asyncio.sleep(0)  # a reader that keeps up would have the loop to itself
        while waiting := self._waiting():
            self.sent = max(0, given - waiting)
            await asyncio.sleep(0.005)
        self.sent = given

    def _waiting(self) -> int:
        if self._transport.is_closing():  # it then has no buffer to ask for
            raise ConnectionResetError("the connection was closed before the file was sent")
        return self._transport.get_write_buffer_size()


Sending = PlainSender | SecureFileSender


def sender(
    response: web.StreamResponse, transport: asyncio.Transport, file: int, offset: int, count: int
) -> FileSender | SecureFileSender:
    """What sends this piece over that connection. Past TLS only what is encrypted may go, so never sendfile(2)."""
    if transport.get_extra_info("sslcontext") is not None:
        return SecureFileSender(response, transport, Piece(file, offset, count))
    return FileSender(transport, Piece(file, offset, count))


def abort(transport: asyncio.Transport) -> None:
    """End a connection at once, if it has not ended."""
    with contextlib.suppress(*_LOST):
        transport.abort()


def cork(connection: asyncio.Transport | socket.socket, on: bool) -> None:
    """TCP_CORK: header and file leave in full segments; switching it off sends what is left at once."""
    sock = connection if isinstance(connection, socket.socket) else _socket(connection)
    with contextlib.suppress(*_LOST):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(on))


def drop_when_stalled(transport: asyncio.Transport, seconds: float) -> None:
    """The kernel ends a connection whose peer takes nothing for that long (TCP_USER_TIMEOUT, tcp(7)).

    A slow peer is no stalled one: multi-gigabyte downloads over a thin line go on for as long as they move.
    """
    with contextlib.suppress(*_LOST):
        _socket(transport).setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _descriptor(transport: asyncio.Transport) -> int:
    descriptor = -1 if transport.is_closing() else _socket(transport).fileno()
    if descriptor < 0:
        raise ConnectionResetError("the connection was closed before the file was sent")
    return descriptor


def _socket(transport: asyncio.Transport) -> socket.socket:
    found: socket.socket = transport.get_extra_info("socket")
    return found
