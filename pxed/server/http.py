"""The HTTP server: connections, limits, dispatch, and one event for whatever is refused.

aiohttp's low-level server: no router, no redirects, no middlewares. HTTP/1.1 keep-alive, pipelining and HTTP/1.0 are
its work; every connection has bounds for the size of a request and for the time a peer may be silent.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import replace
from typing import cast

from aiohttp import web

from pxed.assets.library import Library
from pxed.boot.delivery import OEM_SUFFIX
from pxed.events import Emit, Event, Kind, Level, Value
from pxed.inventory.model import Inventory
from pxed.server.api import Api, Journal, Subscribe
from pxed.server.api_machines import MachinePages, machine_handlers
from pxed.server.bootpages import BootPages
from pxed.server.callers import Caller, ClientMap, caller_of, named
from pxed.server.certificate import Tls
from pxed.server.configpages import ConfigPages
from pxed.server.connections import DUE_SECONDS, Connection, Server
from pxed.server.counters import Counters
from pxed.server.dashboard import Dashboard
from pxed.server.downloads import Downloads
from pxed.server.going import HttpState
from pxed.server.happenings import refused
from pxed.server.interfaces import Interfaces
from pxed.server.live import Live, Snapshot
from pxed.server.metrics import MetricsPage
from pxed.server.openapi import openapi
from pxed.server.redact import redacted
from pxed.server.releases import Releases
from pxed.server.replies import Asked, HttpRefusalError, text_reply
from pxed.server.reportpages import ReportPages
from pxed.server.routes import Found, Refusal, Route, route
from pxed.server.secure import SecureListener
from pxed.server.services import Services
from pxed.server.tcp import close_gently

_LOG = logging.getLogger(__name__)
# Under these paths an error means that a machine does not boot: somebody should act on it.
_MACHINE_ROUTES = frozenset({Route.BOOT, Route.LOADER, Route.IMAGE, Route.IGNITION, Route.ARCHIVE, Route.REPORT})
_NOT_LET_IN = frozenset({401, 429})
_NAMING_ROUTES = frozenset({Route.IGNITION, Route.ARCHIVE, Route.REPORT})

Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


class HttpServer:
    """Serves the pages of design section 5 on sockets that are already listening."""

    def __init__(
        self,
        live: Live,
        library: Library,
        releases: Releases,
        emit: Emit,
        clients: ClientMap,
        services: Services,
        *,
        journal: Journal,
        subscribe: Subscribe,
        pages: MachinePages,
        counters: Counters,
        metrics: MetricsPage,
        dashboard: Dashboard,
        interfaces: Interfaces,
    ) -> None:
        self._live = live
        self._emit = emit
        self._clients = clients
        self._counters = counters
        machines = services.machines
        self._downloads = downloads = Downloads(library, releases, emit, services.progress.loaded)
        boots = BootPages(emit, clients, services.first_boots, releases, services.visits)
        reports = ReportPages(emit, services.access, machines, services.progress, services.first_boots)
        configs = ConfigPages(emit, services.access, machines, services.guarded, reports.had_first_boot)
        self._api = Api(journal, subscribe, services.keeper, interfaces)
        self._dashboard = dashboard
        self._handlers: dict[Route, Handler] = {
            Route.BOOT: boots.boot,
            Route.AUTOEXEC: boots.entry,
            Route.IGNITION: configs.ignition,
            Route.ARCHIVE: configs.archive,
            Route.REPORT: reports.report,
            Route.LOADER: downloads.loader,
            Route.IMAGE: downloads.image,
            Route.MIRROR: downloads.mirror,
            Route.HEALTH: self._api.health,
            Route.EVENTS: self._api.events,
            Route.METRICS: metrics.metrics,
            Route.OPENAPI: openapi,
            **machine_handlers(pages),
            **dashboard.handlers(self._api.index),
        }
        self._server: Server | None = None
        self._listeners: list[asyncio.Server | SecureListener] = []
        self._busy: set[Connection] = set()
        self._resumed: set[asyncio.Task[None]] = set()  # downloads of the process before
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active(self) -> int:
        """Requests being answered."""
        return len(self._busy) + len(self._resumed)

    @property
    def staying(self) -> Set[object]:
        """The connections with an answer that no other process can go on with, and those whose request is due."""
        moving = {one.connection for one in self._downloads.going if one.descriptors is not None}
        return (self._busy - moving) | {one for one in self._connections if one.is_due}

    @property
    def downloads(self) -> Downloads:
        return self._downloads

    async def start(
        self, sockets: Sequence[socket.socket], secure: Sequence[socket.socket] = (), tls: Tls | None = None
    ) -> None:
        """Accept connections, those of `secure` by HTTPS. The sockets are closed when the server stops."""
        self._server = Server(self._handle, self._refuse_malformed, self._emit)
        loop = asyncio.get_running_loop()
        self._listeners = [await loop.create_server(self._server, sock=sock) for sock in sockets]
        self._listeners += [SecureListener(sock, self._server, tls, self._emit) for sock in secure if tls is not None]

    def resume(self, state: HttpState, sock: socket.socket, file: int) -> None:
        """Go on with a download that the process before has handed over, and then with its connection."""
        task = asyncio.get_running_loop().create_task(self._resume(state, sock, file), name="resumed")
        self._resumed.add(task)
        self._idle.clear()
        task.add_done_callback(self._resumed_ended)

    async def _resume(self, state: HttpState, sock: socket.socket, file: int) -> None:
        done = await self._downloads.resume(state, self._live.snapshot.inventory, sock, file)
        if done is not None and state.keeps and self._listeners and self._server is not None:
            await asyncio.get_running_loop().connect_accepted_socket(self._server, done)
        elif done is not None:
            await close_gently(done)

    def _resumed_ended(self, task: asyncio.Task[None]) -> None:
        self._resumed.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a download that was handed over failed", exc_info=error)
        self._set_idle()

    def _set_idle(self) -> None:
        if not self.active:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Accept no more; let what is being answered end, for `seconds` at most."""
        self.stop_accepting()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            self._notice(f"{self.active} HTTP transfers are broken off after {seconds:.0f} seconds")

    async def close(self) -> None:
        """End every connection."""
        self.stop_accepting()
        for task in tuple(self._resumed):
            task.cancel()
        await asyncio.gather(*self._resumed, return_exceptions=True)
        if self._server is not None:
            await self._server.shutdown(0.1)
            self._server = None

    def stop_secure(self) -> None:
        """Take no more requests by HTTPS; event streams end."""
        for listener in self._listeners:
            if isinstance(listener, SecureListener):
                listener.close()
        self._end_streams()
        for connection in self._connections:
            if connection.is_secure:
                self._last_of(connection)

    def stop_accepting(self) -> None:
        """Take no more requests, on connections that are idle either; event streams end."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        self._end_streams()
        self._last_of_all()
        asyncio.get_running_loop().call_later(DUE_SECONDS, self._last_of_all)  # and of those that were due

    def _end_streams(self) -> None:
        self._api.close()
        self._dashboard.close()

    @property
    def _connections(self) -> list[Connection]:
        return [cast(Connection, one) for one in self._server.connections] if self._server is not None else []

    def _last_of_all(self) -> None:
        for connection in self._connections:
            self._last_of(connection)

    def _last_of(self, connection: Connection) -> None:
        """Let a connection's request be its last, also one that is on its way."""
        # aiohttp's own pre_shutdown() only stops reading idle connections: their next request would hang.
        if connection in self._busy:
            connection.close()
        elif not connection.is_due:
            connection.force_close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast(Connection, request.protocol)  # answers its requests one after the other
        self._busy.add(connection)
        connection.answering = connection.has_asked = True
        if not self._listeners:
            connection.close()
        self._idle.clear()
        try:
            return await self._answer(request)
        finally:
            self._busy.discard(connection)
            connection.answering = False
            self._set_idle()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        snapshot = self._live.snapshot
        caller = caller_of(request, snapshot.inventory, self._clients)
        found = route(request.method, request.raw_path)
        if isinstance(found, Refusal):
            headers = {"Allow": ", ".join(found.allow)} if found.allow else {}
            refusal = HttpRefusalError(found.status, found.sentence, headers)
            return self._count("none", self._refuse(request, caller, refusal, None))
        return self._count(found.route, await self._go(request, caller, found, snapshot))

    def _count(self, route: str, response: web.StreamResponse) -> web.StreamResponse:
        body = response.body if isinstance(response, web.Response) else None
        self._counters.responded(str(route), response.status, len(body) if isinstance(body, bytes) else 0)
        return response

    async def _go(
        self, request: web.BaseRequest, caller: Caller, found: Found, snapshot: Snapshot
    ) -> web.StreamResponse:
        """What the page says, or the refusal that it raises."""
        try:
            return await self._handlers[found.route](Asked(request, found, caller, snapshot))
        except HttpRefusalError as refusal:
            return self._refuse(request, _meant(caller, found, snapshot.inventory), refusal, found)
        except ConnectionError:
            raise
        except Exception:
            _LOG.exception("the handler of %s failed", found.route)
            failure = HttpRefusalError(
                500, "pxed failed to answer this: its log has the reason.", {"Connection": "close"}
            )
            return self._refuse(request, caller, failure, found)

    def _refuse(
        self, request: web.BaseRequest, caller: Caller, refusal: HttpRefusalError, found: Found | None
    ) -> web.StreamResponse:
        booting = found is not None and found.route in _MACHINE_ROUTES
        serious = booting or refusal.status >= 500 or refusal.status in _NOT_LET_IN
        level = Level.WARNING if serious else Level.DEBUG
        route = str(found.route) if found is not None else ""
        self._emit(refused(caller, (request.method, request.raw_path), refusal, route, level))
        return text_reply(f"{redacted(str(refusal))}\n", refusal.status, refusal.headers)

    def _refuse_malformed(self, request: web.BaseRequest, status: int, reason: str) -> web.StreamResponse:
        """What aiohttp's parser does not accept as a request."""
        text = f"not an HTTP request: {redacted(reason)[:200]!r}"
        figures: dict[str, Value] = {"address": request.remote or "", "status": status, "port": "http"}
        self._emit(Event(Kind.UNDECODABLE, time.time(), text=text, level=Level.DEBUG, data=figures))
        return text_reply("This is not an HTTP request that pxed can read.\n", status, {"Connection": "close"})

    def _notice(self, text: str) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=Level.WARNING))


def _meant(caller: Caller, found: Found, inventory: Inventory) -> Caller:
    """The caller as the machine that its path names, where its address does not tell who it is."""
    if caller.machine or found.route not in _NAMING_ROUTES:
        return caller
    machine, _ = named(inventory, found.args[0].removesuffix(OEM_SUFFIX))
    return replace(caller, machine=machine.name) if machine else caller
