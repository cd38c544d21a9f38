"""/api/v1/events, /healthz and the index page. Machines, boots and alerts are in api_machines.py."""

from __future__ import annotations

import asyncio
import heapq
import html
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Protocol, cast

from aiohttp import web

from pxed import __version__
from pxed.events import Event, Level
from pxed.server.bus import as_dict
from pxed.server.callers import named
from pxed.server.interfaces import Interfaces
from pxed.server.keeping import Keeper
from pxed.server.replies import SERVER, Asked, html_reply, json_reply, refuse

HEARTBEAT_SECONDS = 15.0  # a comment line, so that proxies and clients see the stream alive
MAX_STREAMS = 64  # event streams at one time
MAX_REPLAY = 1000  # events of the past that a reconnecting reader gets
NO_INTERFACE = "no interface is served, so no machine is answered: `waiting` says what pxed waits for"
STORE_FAILS = (  # why is in the log: this page is for anybody
    "machines that get secrets or are installed are told to ask again; DHCP, TFTP, files and scripts of other machines "
    "go on; the log says what is wrong"
)

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>pxed</title></head><body>
<h1>pxed {version}</h1>
<p>{machines} machines in the inventory, loaded {generation} times.</p>
<ul>
<li><a href="/healthz">/healthz</a>: is it up</li>
<li><a href="/api/v1/machines">/api/v1/machines</a>, /api/v1/machines/NAME: machines, and where each stands</li>
<li>POST /api/v1/machines/NAME/install, local, reset, next: orders; they need the API's token</li>
<li><a href="/api/v1/boots">/api/v1/boots</a>, <a href="/api/v1/alerts">/api/v1/alerts</a>: boots; what to look at</li>
<li><a href="/api/v1/fleet">/api/v1/fleet</a>, /api/v1/fleet/events: all machines as rows, and their changes</li>
<li><a href="/api/v1/events">/api/v1/events</a>: events as they happen (server-sent events)</li>
<li><a href="/boot.ipxe">/boot.ipxe</a>: at an iPXE prompt: <code>chain {url}/boot.ipxe</code></li>
<li>/loaders/FILE, /images/NAME/FILE: boot loaders, kernels, initrds</li>
<li><a href="/metrics">/metrics</a>: for Prometheus</li>
<li>/ignition/MACHINE: Ignition configs</li>
<li>POST /report/MACHINE: a machine reports its stage</li>
</ul></body></html>
"""


class Journal(Protocol):
    """The last events of each machine (pxed.status.journal)."""

    def events(self, name: str) -> tuple[Event, ...]: ...
    def machines(self) -> Iterator[str]: ...


Subscribe = Callable[[], AsyncIterator[Event]]


class Api:
    """Pages about the daemon as a whole."""

    def __init__(self, journal: Journal, subscribe: Subscribe, keeper: Keeper, interfaces: Interfaces) -> None:
        self._journal = journal
        self._keeper = keeper
        self._interfaces = interfaces
        self._subscribe = subscribe
        self._streams = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every event stream."""
        self._closing.set()

    async def health(self, asked: Asked) -> web.StreamResponse:
        """200 while machines get what they are due; 503 while the state store fails or no interface is served."""
        snapshot, failing = asked.snapshot, self._failing()
        health = {
            "status": "failing" if failing else "ok",
            "version": __version__,
            "machines": len(snapshot.inventory.machines),
            "generation": snapshot.generation,
            "interfaces": [one.name for one in self._interfaces.served() if one.addresses],
            "waiting": [finding.sentence for finding in self._interfaces.findings()],
            "failing": failing,
        }
        return json_reply(health, 503 if failing else 200)

    def _failing(self) -> dict[str, object] | None:
        if fault := self._keeper.fault:
            return {"what": "state store", "since": fault.since, "text": STORE_FAILS}
        if since := self._interfaces.unserved_since:
            return {"what": "interfaces", "since": since, "text": NO_INTERFACE}
        return None

    async def index(self, asked: Asked) -> web.StreamResponse:
        """Where to go from here."""
        page = _PAGE.format(
            version=html.escape(__version__),
            machines=len(asked.snapshot.inventory.machines),
            generation=asked.snapshot.generation,
            url=html.escape(asked.caller.endpoint.url),
        )
        return html_reply(page)

    async def events(self, asked: Asked) -> web.StreamResponse:
        """Events as they happen; `Last-Event-ID` (or ?after=) replays what was missed, as far as it is still known."""
        if self._streams >= MAX_STREAMS:
            refuse(503, f"There are {MAX_STREAMS} event streams already.", {"Retry-After": "10"})
        wanted = _filter(asked)
        after = asked.request.headers.get("Last-Event-ID") or asked.found.query.get("after", "")
        response = web.StreamResponse(headers={"Server": SERVER, "Cache-Control": "no-store"})
        response.content_type = "text/event-stream"
        if not asked.is_get:
            return response
        self._streams += 1
        try:
            await self._stream(asked.request, response, wanted, _number(after))
        finally:
            self._streams -= 1
        return response

    async def _stream(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        wanted: Callable[[Event], bool],
        after: float | None,
    ) -> None:
        # The bus hands out async generators; aclosing() lets go of the subscription whatever happens.
        async with aclosing(cast("AsyncGenerator[Event, None]", self._subscribe())) as source:
            upcoming = asyncio.ensure_future(anext(source, None))
            closing = asyncio.ensure_future(self._closing.wait())
            try:
                await asyncio.sleep(0)  # subscribed from here on: nothing falls between the past and what is to come
                await response.prepare(request)
                past = [] if after is None else self._past(after, wanted)
                await response.write(b"retry: 3000\n\n" + b"".join(_encoded(event) for event in past))
                seen = {id(event) for event in past}
                while not closing.done():
                    await asyncio.wait(
                        (upcoming, closing), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not upcoming.done():
                        await response.write(b":\n\n")
                        continue
                    event = upcoming.result()
                    if event is None:
                        break
                    upcoming = asyncio.ensure_future(anext(source, None))
                    if wanted(event) and id(event) not in seen:
                        await response.write(_encoded(event))
            finally:
                for future in (upcoming, closing):
                    future.cancel()
                await asyncio.gather(upcoming, closing, return_exceptions=True)

    def _past(self, after: float, wanted: Callable[[Event], bool]) -> list[Event]:
        names = tuple(self._journal.machines())
        events = (e for name in names for e in self._journal.events(name) if e.time > after and wanted(e))
        return sorted(heapq.nlargest(MAX_REPLAY, events, key=lambda e: e.time), key=lambda e: e.time)


def _filter(asked: Asked) -> Callable[[Event], bool]:
    """?machine=NAME-or-MAC and ?level=debug|info|warning (info). Raises HttpRefusalError."""
    query = asked.found.query
    level = {level.name.lower(): level for level in Level}.get(query.get("level", "info"))
    if level is None:
        refuse(400, "level is debug, info or warning.")
    text = query.get("machine", "")
    if not text:
        return lambda event: event.level >= level
    machine, mac = named(asked.snapshot.inventory, text)
    if machine is None and not mac:
        refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
    if machine is None:
        return lambda event: event.level >= level and event.mac == mac
    return lambda event: event.level >= level and event.machine == machine.name


def _encoded(event: Event) -> bytes:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html ; the id is the time, to replay from."""
    data = json.dumps(as_dict(event), ensure_ascii=False)
    return f"id: {event.time:.6f}\nevent: {event.kind}\ndata: {data}\n\n".encode()


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
