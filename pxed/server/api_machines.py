"""/api/v1/machines, /boots, /alerts: where each machine stands, and the orders that change it.

Template variables, configs and tokens are not shown: they are or may hold secrets.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web

from pxed.events import Emit, Kind
from pxed.inventory.model import Inventory, Machine
from pxed.server.api import Journal
from pxed.server.auth import Auth
from pxed.server.bodies import read_body
from pxed.server.bus import as_dict
from pxed.server.callers import named
from pxed.server.fleet import Boots
from pxed.server.happenings import happened
from pxed.server.orders import Machines, OrderError, Orders
from pxed.server.replies import Asked, json_bytes, json_reply, refuse
from pxed.server.routes import Route
from pxed.server.standings import found, ordered
from pxed.server.views import alert_view, attempt_view, boot_view, install_view, next_view
from pxed.status.boots import as_dict as timeline_view
from pxed.status.records import Standing

MAX_ORDER = 4096  # bytes of an order's body
MOST_ROWS = 10_000  # of /boots and /alerts, in one answer
USUAL_ROWS = 1000  # without ?limit=
MACHINE_ROWS = 20  # boots and alerts in the view of one machine
_SLICE = 500  # rows encoded in one turn of the event loop
_STAGES = frozenset(tuple(Kind)[: tuple(Kind).index(Kind.FAILED) + 1]) | {Kind.HELD, Kind.IGNORED}
_Row = TypeVar("_Row")


class MachinePages:
    """Answers what is asked of machines, and takes orders from the bearer of the token."""

    def __init__(
        self, journal: Journal, machines: Machines, orders: Orders, auth: Auth, emit: Emit, timelines: Boots
    ) -> None:
        self._timelines = timelines
        self._journal = journal
        self._machines = machines
        self._orders = orders
        self._auth = auth
        self._emit = emit

    async def list(self, asked: Asked) -> web.StreamResponse:
        """Listed machines in the inventory's order, then those that were heard of, now or before a restart."""
        inventory, now = asked.snapshot.inventory, time.time()
        names = dict.fromkeys((*inventory.machines, *self._journal.machines(), *self._machines.names()))
        return await _listed("machines", names, lambda name: self._view(inventory, name, now))

    async def show(self, asked: Asked) -> web.StreamResponse:
        """One machine by name or MAC: its last boots, attempts and alerts, newest first; its events, oldest first."""
        name, machine = _named(asked, asked.found.args[0])
        events, boots, timeline = self._journal.events(name), self._machines.boots(name), self._timelines.current(name)
        if machine is None and not (events or boots or timeline) and self._machines.standing(name) is None:
            refuse(404, f"There is no machine {name!r} in the inventory, and none was heard of.")
        now = time.time()
        return json_reply({
            **self._view(asked.snapshot.inventory, name, now),
            "attempts": [attempt_view(attempt) for attempt in self._machines.attempts(name)],
            "boots": [boot_view(boot, now) for boot in boots[:MACHINE_ROWS]],
            "alerts": [alert_view(alert) for alert in self._machines.alerts(name)[:MACHINE_ROWS]],
            "events": [as_dict(event) for event in events],
            "timeline": timeline_view(timeline) if timeline is not None else None,
            "verdict": timeline.finding.as_dict() if timeline is not None and timeline.finding is not None else None,
        })  # fmt: skip

    async def boots(self, asked: Asked) -> web.StreamResponse:
        """?machine=NAME-or-MAC, ?limit=: boots, newest first."""
        name, limit, now = _filter(asked), _limit(asked), time.time()
        return await _listed("boots", self._machines.boots(name)[:limit], lambda boot: boot_view(boot, now))

    async def alerts(self, asked: Asked) -> web.StreamResponse:
        """?machine=NAME-or-MAC, ?limit=: what somebody should look at, newest first."""
        name, limit = _filter(asked), _limit(asked)
        return await _listed("alerts", self._machines.alerts(name)[:limit], alert_view)

    async def order(self, asked: Asked) -> web.StreamResponse:
        """POST .../install, local, reset, next: an operator's order; the machine's new view."""
        self._auth.check(asked)
        profile = await _profile(asked)
        name, _ = _named(asked, asked.found.args[0])
        try:
            await self._obey(asked.found.route, name, profile)
        except OrderError as error:
            refuse(error.status, str(error))
        what = f"{asked.found.route} {profile}".strip() if profile is not None else str(asked.found.route)
        caller = replace(asked.caller, machine=name, mac="")
        self._emit(happened(Kind.NOTICE, caller, f"ordered through the API from {caller.address}: {what}"))
        return json_reply(self._view(asked.snapshot.inventory, name, time.time()))

    async def _obey(self, order: Route, name: str, profile: str | None) -> Standing:
        if order is Route.INSTALL:
            return await self._orders.install(name, profile or "")
        if order is Route.NEXT:
            return await self._orders.next(name, profile or "")
        return await (self._orders.local(name) if order is Route.LOCAL else self._orders.reset(name))

    def _view(self, inventory: Inventory, name: str, now: float) -> dict[str, Any]:
        machine = inventory.machines.get(name)
        standing, boots, events = self._machines.standing(name), self._machines.boots(name), self._journal.events(name)
        last = next((event for event in reversed(events) if event.kind in _STAGES), None)
        match = found(inventory, name, boots)
        profile = match.profile if match is not None else None
        installed_with = ordered(inventory, match, standing).profile if match is not None else None
        checked = profile.ignition_check if profile is not None else ()  # what opens a config is not told to all
        return {
            "name": name,
            "listed": machine is not None,
            "macs": list(machine.macs) if machine else [name],
            "uuid": str(machine.uuid) if machine and machine.uuid and "uuid" not in checked else None,
            "serial": machine.serial if machine and "serial" not in checked else None,
            "profile": match.profile_name if match is not None else None,
            "summary": self._machines.stage(name),
            "install": install_view(standing, installed_with),
            "next": next_view(standing),
            "boot": boot_view(boots[0], now) if boots else None,
            "last": as_dict(last) if last else None,
        }


async def _listed(what: str, rows: Iterable[_Row], view: Callable[[_Row], dict[str, Any]]) -> web.StreamResponse:
    pieces: list[str] = []
    for count, row in enumerate(rows, 1):
        pieces.append(json.dumps(view(row), ensure_ascii=False))
        if count % _SLICE == 0:
            await asyncio.sleep(0)  # datagrams are answered in between
    return json_bytes(f'{{"{what}": [{", ".join(pieces)}]}}\n'.encode())


def _named(asked: Asked, text: str) -> tuple[str, Machine | None]:
    """The machine of a name or MAC; a MAC that the inventory does not list is a name by itself. 404 for neither."""
    machine, mac = named(asked.snapshot.inventory, text)
    if machine is None and not mac:
        refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
    return (machine.name if machine else mac), machine


def _filter(asked: Asked) -> str:
    text = asked.found.query.get("machine", "")
    return _named(asked, text)[0] if text else ""


def _limit(asked: Asked) -> int:
    text = asked.found.query.get("limit", str(USUAL_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 0 < int(text) <= MOST_ROWS):
        refuse(400, f"limit is a number from 1 to {MOST_ROWS}.")
    return int(text)


async def _profile(asked: Asked) -> str | None:
    """The profile that an order's body names; None when it names none. Raises HttpRefusalError."""
    body = (await read_body(asked.request, MAX_ORDER, "An order")).strip()
    kind = asked.request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        refuse(415, 'An order is application/json, such as {"profile": "rescue"}, or has no body.')
    takes = ("profile",) if asked.found.route in (Route.INSTALL, Route.NEXT) else ()
    try:
        content = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        refuse(400, 'An order\'s body is JSON, such as {"profile": "rescue"}, or empty.')
    profile = content.get("profile", "") if isinstance(content, dict) and content.keys() <= set(takes) else None
    if not isinstance(profile, str):
        example = '{"profile": NAME}' if takes else "{}"
        refuse(400, f"The body of {asked.found.route} is {example}, or empty.")
    if asked.found.route is Route.NEXT and "profile" not in content:
        refuse(400, 'next needs {"profile": NAME}; "" takes a one-shot boot back.')
    return profile if "profile" in content else None


Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


def machine_handlers(pages: MachinePages) -> dict[Route, Handler]:
    """The routes that these pages answer."""
    orders = dict.fromkeys((Route.INSTALL, Route.LOCAL, Route.RESET, Route.NEXT), pages.order)
    return {
        Route.MACHINES: pages.list,
        Route.MACHINE: pages.show,
        Route.BOOTS: pages.boots,
        Route.ALERTS: pages.alerts,
        **orders,
    }
