"""The HTTPS listener: accepts, shakes hands within bounds, and hands the connection to the HTTP server.

Not asyncio's own server with TLS: that says nothing of a handshake that fails, bounds only their time, and keeps the
certificate that it began with.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import ssl
import time
from collections.abc import Callable

from pxed.events import Emit, Event, Kind, Level
from pxed.server.certificate import Tls

HANDSHAKE_SECONDS = 10.0  # Ignition gives up after as long (its TLSHandshakeTimeout)
GOODBYE_SECONDS = 2.0  # for the peer's close_notify
# Under way at one time; the oldest goes for the next. A machine needs some milliseconds, and who connects and says
# nothing, to keep it out, has to do so this often in that time.
MAX_HANDSHAKES = 512
BURST = 16  # connections accepted in one turn of the loop, so that DHCP is answered in between
BREATH_SECONDS = 1.0  # after an accept that failed for want of descriptors or memory, as asyncio's own servers
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# A client that does not trust the certificate says so with one of these (RFC 8446 6.2).
_DISTRUST = {
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the CA of pxed's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take pxed's certificate (Go and Ignition say no more than that)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it finds that pxed's certificate is not valid at the time of its clock",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take pxed's certificate",
    "TLSV1_ALERT_UNSUPPORTED_CERTIFICATE": "it cannot read pxed's certificate",
}
_NO_TLS = {
    "HTTP_REQUEST": "it speaks plain HTTP to the HTTPS port",
    "HTTPS_PROXY_REQUEST": "it takes the HTTPS port for a proxy",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "it has no TLS 1.2",
    "NO_SHARED_CIPHER": "it has no cipher in common with pxed",
}

Factory = Callable[[], asyncio.Protocol]


class SecureListener:
    """One listening socket. Closes it when it is closed."""

    def __init__(self, sock: socket.socket, factory: Factory, tls: Tls, emit: Emit) -> None:
        self._sock = sock
        self._factory = factory
        self._tls = tls
        self._emit = emit
        self._handshakes: dict[asyncio.Task[None], None] = {}  # the oldest first
        sock.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="https")

    def close(self) -> None:
        """Accept no more, and end what has not shaken hands."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        loop, accepted = asyncio.get_running_loop(), 0
        while True:
            try:
                sock, peer = await loop.sock_accept(self._sock)
            except OSError as error:
                await asyncio.sleep(BREATH_SECONDS if error.errno in _EXHAUSTED else 0)
                continue
            self._begin(sock, str(peer[0]))
            accepted += 1
            if accepted % BURST == 0:
                await asyncio.sleep(0)  # sock_accept does not wait while there is one to accept

    def _begin(self, sock: socket.socket, address: str) -> None:
        if len(self._handshakes) >= MAX_HANDSHAKES:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._shake_hands(sock, address))
        self._handshakes[task] = None
        task.add_done_callback(functools.partial(self._done, sock))

    def _done(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)
        if task.cancelled():
            sock.close()

    async def _shake_hands(self, sock: socket.socket, address: str) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._factory,
                sock,
                ssl=self._tls.context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        except OSError as error:  # ssl.SSLError too; the transport has closed the socket
            self._emit(broken(address, error))
        except asyncio.CancelledError as pushed_out:
            if self._sock.fileno() >= 0:  # else the listener was closed
                self._emit(broken(address, pushed_out))
            raise


def broken(address: str, error: BaseException) -> Event:
    """A connection that did not come to an HTTP request for reasons of TLS."""
    reason = getattr(error, "reason", None) or ""
    if distrust := _DISTRUST.get(reason):
        text, level = f"{address} broke off HTTPS: {distrust}", Level.INFO
    else:
        text, level = f"no HTTPS with {address}: {_NO_TLS.get(reason) or _why(error, reason)}", Level.DEBUG
    figures = {"address": address, "reason": str(reason)[:80], "port": "https"}
    return Event(Kind.UNDECODABLE, time.time(), text=text, level=level, data=figures)


def _why(error: BaseException, reason: str) -> str:
    if isinstance(error, asyncio.CancelledError):
        return f"{MAX_HANDSHAKES} others began theirs before it had shaken hands"
    if isinstance(error, ssl.SSLError) and reason:
        return reason.replace("_", " ").lower()[:80]
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return f"no handshake within {HANDSHAKE_SECONDS:.0f} seconds"
    return "it left before the handshake was over"
