"""HTTP connections: their number, their bounds, and what of each decides whether it may end."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from pxed.events import Emit
from pxed.server.secure import broken

# Bounds what a peer can occupy. iPXE's requests are below 1 KiB, a browser's below 8.
MAX_LINE = 8190
MAX_HEADERS = 64
MAX_CONNECTIONS = 4096
# A connection without a complete request is closed after this: idle keep-alive and headers that trickle (slowloris).
IDLE_SECONDS = 75.0
# The first request comes with the connection; one that is later than this is not waited for when pxed ends.
DUE_SECONDS = 1.0

Malformed = Callable[[web.BaseRequest, int, str], web.StreamResponse]


class Server(web.Server):
    """Makes the connections and bounds their number."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], malformed: Malformed, emit: Emit
    ) -> None:
        super().__init__(handler)
        self._malformed = malformed
        self._emit = emit

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._malformed)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > MAX_CONNECTIONS:
            transport.abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if isinstance(exc, ssl.SSLError):  # with TLS 1.3 a client judges our certificate after the handshake
            peer = handler.transport.get_extra_info("peername") if handler.transport else None
            self._emit(broken(str(peer[0]) if peer else "", exc))


class Connection(web.RequestHandler):
    """A connection that answers what is no HTTP in our words, and logs it as an event rather than as a traceback."""

    __slots__ = ("_made", "_malformed", "_more", "answering", "has_asked")

    def __init__(self, server: web.Server, malformed: Malformed) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # None is its documented way to have none
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )
        self._malformed = malformed
        self._more = False
        self._made = time.monotonic()
        self.answering = False
        self.has_asked = False

    @property
    def is_due(self) -> bool:
        """Whether its first request must be on its way: who connects asks at once."""
        return not self.has_asked and time.monotonic() < self._made + DUE_SECONDS

    @property
    def is_secure(self) -> bool:
        """Whether it is one of HTTPS."""
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is not None

    @property
    def has_more(self) -> bool:
        """Whether the client has sent more than the request that is being answered."""
        return self._more or bool(self._messages)

    def data_received(self, data: bytes) -> None:
        self._more = self.answering or not data.endswith(b"\r\n\r\n")
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        response = self._malformed(request, status, message or repr(exc))
        response.force_close()
        return response
