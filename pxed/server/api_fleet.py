"""/api/v1/fleet and its events: what the dashboard shows of all boots. Single ones are in api_timelines.py."""

from __future__ import annotations

import asyncio
import json
import time

from aiohttp import web

from pxed.server.fleet import COLUMNS, Fleet
from pxed.server.orders import Machines
from pxed.server.replies import SERVER, Asked, json_bytes, refuse
from pxed.server.views import alert_view

TICK_SECONDS = 0.1  # between two looks for changes: ten messages a second at most
LEAST_PAUSE = 0.02  # for a reader to whom writing takes longer than that
WRITE_SECONDS = 20.0  # for a reader to take what is written; then it is let go
HEARTBEAT_SECONDS = 15.0  # a comment line, so that proxies and clients see the stream alive
MAX_STREAMS = 64  # event streams at one time
MOST_ROWS = 500  # in one message; the rest comes with the next
_SLICE = 250  # rows encoded in one turn of the event loop
_NEW_ALERTS = 20  # in one message at most


class FleetPages:
    """Answers what is asked of the fleet."""

    def __init__(self, fleet: Fleet, machines: Machines) -> None:
        self._fleet = fleet
        self._machines = machines
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
            await _Stream(self._fleet, self._machines, asked.request, response).run(_number(after), self._closing)
        finally:
            self._streams -= 1
        return response


class _Stream:
    """One reader of the changes."""

    def __init__(
        self, fleet: Fleet, machines: Machines, request: web.BaseRequest, response: web.StreamResponse
    ) -> None:
        self._fleet = fleet
        self._machines = machines
        self._request = request
        self._response = response
        self._alerts = fleet.alerts
        self._quiet = 0.0

    async def run(self, after: int | None, closing: asyncio.Event) -> None:
        """Write until the reader leaves or the daemon stops."""
        await self._write("retry: 1000\n\n")
        version = self._fleet.look() if after is None else after
        loop = asyncio.get_running_loop()
        while not closing.is_set():
            due = loop.time() + TICK_SECONDS
            version = await self._tell(version)
            if self._quiet >= HEARTBEAT_SECONDS:
                await self._write(":\n\n")
            self._quiet += TICK_SECONDS
            try:
                async with asyncio.timeout_at(max(due, loop.time() + LEAST_PAUSE)):
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
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._response.write(text.encode())
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the reader of the fleet's changes takes none") from None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
