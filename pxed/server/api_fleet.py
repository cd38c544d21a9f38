"""/api/v1/fleet and its events, the timelines of machines: what the dashboard shows of boots."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from aiohttp import web

from pxed.server.callers import named
from pxed.server.fleet import COLUMNS, Boots, Fleet
from pxed.server.orders import Machines
from pxed.server.replies import SERVER, Asked, json_bytes, json_reply, refuse
from pxed.server.views import View, alert_view
from pxed.status.boots import as_dict
from pxed.status.store.errors import StoreError

TICK_SECONDS = 0.1  # between two looks for changes: ten messages a second at most
HEARTBEAT_SECONDS = 15.0  # a comment line, so that proxies and clients see the stream alive
MAX_STREAMS = 64  # event streams at one time
MOST_ROWS = 500  # in one message; the rest comes with the next
MOST_BOOTS = 100  # of one machine, in one answer
USUAL_BOOTS = 20
_SLICE = 250  # rows encoded in one turn of the event loop
_NEW_ALERTS = 20  # in one message at most


class Past(Protocol):
    """Boots that are kept by the state store."""

    async def recent(self, name: str, limit: int) -> Sequence[View]:
        """Those of a machine, newest first, as pxed.status.boots.as_dict has them. Raises StoreError."""

    async def one(self, boot: str) -> View | None:
        """One by its id. Raises StoreError."""


class FleetPages:
    """Answers what is asked of the fleet and of boots."""

    def __init__(self, fleet: Fleet, boots: Boots, machines: Machines, history: Past) -> None:
        self._fleet = fleet
        self._boots = boots
        self._machines = machines
        self._history = history
        self._streams = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream."""
        self._closing.set()

    async def fleet(self, asked: Asked) -> web.StreamResponse:
        """All machines; `version` is what /fleet/events goes on from."""
        version = self._fleet.look()
        profiles = [(name, str(profile.boot)) for name, profile in asked.snapshot.inventory.profiles.items()]
        head = json.dumps({"time": round(time.time(), 3), "version": version, "profiles": profiles, "columns": COLUMNS})
        rows: list[str] = []
        for count, name in enumerate(self._fleet.names(), 1):
            if text := self._fleet.text(name):
                rows.append(text)
            if count % _SLICE == 0:
                await asyncio.sleep(0)  # datagrams are answered in between
        return json_bytes("".join((head[:-1], ', "rows": [', ",\n".join(rows), "]}\n")).encode())

    async def events(self, asked: Asked) -> web.StreamResponse:
        """Rows as they change; `Last-Event-ID` (or ?after=VERSION) says from where on."""
        if self._streams >= MAX_STREAMS:
            refuse(503, f"There are {MAX_STREAMS} streams of the fleet already.", {"Retry-After": "10"})
        after = asked.request.headers.get("Last-Event-ID") or asked.found.query.get("after", "")
        response = web.StreamResponse(headers={"Server": SERVER, "Cache-Control": "no-store"})
        response.content_type = "text/event-stream"
        if not asked.is_get:
            return response
        self._streams += 1
        try:
            await response.prepare(asked.request)
            await _Stream(self._fleet, self._machines, response).run(_number(after), self._closing)
        finally:
            self._streams -= 1
        return response

    async def boots(self, asked: Asked) -> web.StreamResponse:
        """?limit=: the timelines of a machine, newest first."""
        name, limit = self._name(asked), _limit(asked)
        found: dict[str, View] = {boot.id: as_dict(boot) for boot in self._boots.recent(name)}
        if len(found) < limit:
            with _store_answers():
                for kept in await self._history.recent(name, limit):
                    found.setdefault(str(kept["id"]), kept)
        return json_reply({"boots": list(found.values())[:limit]})

    async def timeline(self, asked: Asked) -> web.StreamResponse:
        """One boot by its id."""
        wanted = asked.found.args[0]
        boot = self._boots.boot(wanted)
        kept: View | None = as_dict(boot) if boot is not None else None
        if kept is None:
            with _store_answers():
                kept = await self._history.one(wanted)
        if kept is None:
            refuse(404, f"There is no boot {wanted[:80]!r}, or it is too old to be kept.")
        return json_reply(kept)

    @staticmethod
    def _name(asked: Asked) -> str:
        text = asked.found.args[0]
        machine, mac = named(asked.snapshot.inventory, text)
        if machine is None and not mac:
            refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
        return machine.name if machine is not None else mac


class _Stream:
    """One reader of the changes."""

    def __init__(self, fleet: Fleet, machines: Machines, response: web.StreamResponse) -> None:
        self._fleet = fleet
        self._machines = machines
        self._response = response
        self._alerts = fleet.alerts
        self._quiet = 0.0

    async def run(self, after: int | None, closing: asyncio.Event) -> None:
        """Write until the reader leaves or the daemon stops."""
        await self._response.write(b"retry: 1000\n\n")
        version = self._fleet.look() if after is None else after
        while not closing.is_set():
            version = await self._tell(version)
            if self._quiet >= HEARTBEAT_SECONDS:
                await self._write(":\n\n")
            self._quiet += TICK_SECONDS
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await closing.wait()
            except TimeoutError:
                continue

    async def _tell(self, version: int) -> int:
        """Write what is new; the version that the reader has then."""
        now = self._fleet.look()
        if self._alerts != self._fleet.alerts:
            await self._tell_alerts()
        changes = self._fleet.changes(version, MOST_ROWS)
        if changes is None:
            await self._write(f"id: {now}\nevent: reset\ndata: {{}}\n\n")
            return now
        at, names = changes
        if names:
            rows = {name: self._fleet.text(name) for name in names}
            gone = json.dumps([name for name, text in rows.items() if not text])
            texts = ",".join(filter(None, rows.values()))
            data = f'{{"version": {at}, "rows": [{texts}], "gone": {gone}}}'
            await self._write(f"id: {at}\nevent: rows\ndata: {data}\n\n")
        return at

    async def _tell_alerts(self) -> None:
        new = min(self._fleet.alerts - self._alerts, _NEW_ALERTS)
        self._alerts = self._fleet.alerts
        for alert in reversed(self._machines.alerts()[:new]):
            await self._write(f"event: alert\ndata: {json.dumps(alert_view(alert), ensure_ascii=False)}\n\n")

    async def _write(self, text: str) -> None:
        self._quiet = 0.0
        await self._response.write(text.encode())


@contextlib.contextmanager
def _store_answers() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        refuse(503, f"The state store does not tell: {error}.", {"Retry-After": "10"})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _limit(asked: Asked) -> int:
    text = asked.found.query.get("limit", str(USUAL_BOOTS))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 0 < int(text) <= MOST_BOOTS):
        refuse(400, f"limit is a number from 1 to {MOST_BOOTS}.")
    return int(text)
