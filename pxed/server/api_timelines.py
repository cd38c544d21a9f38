"""/api/v1/machines/NAME/boots and /timelines/ID: boots stage by stage, first those in memory, then the store's."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from pxed.server.callers import named
from pxed.server.fleet import Boots
from pxed.server.replies import Asked, json_reply, refuse
from pxed.status.archive import View, plain
from pxed.status.boots import as_dict
from pxed.status.store.errors import StoreError

MOST_BOOTS = 100  # in one answer: up to 16 KiB each
USUAL_BOOTS = 20
_AGAIN = {"Retry-After": "10"}


class Past(Protocol):
    """The boots in the store (pxed.server.timelines). Both raise StoreError."""

    async def recent(self, name: str, limit: int) -> list[View]: ...
    async def one(self, boot: str) -> View | None: ...


class TimelinePages:
    """Answers what is asked of single boots."""

    def __init__(self, present: Boots, past: Past) -> None:
        self._present = present
        self._past = past

    async def boots(self, asked: Asked) -> web.StreamResponse:
        """?limit=: a machine's boots, newest first. `complete` is false where the store fails and may have more."""
        name, limit = _name(asked), _limit(asked)
        found = {boot.id: plain(as_dict(boot)) for boot in self._present.recent(name)}
        complete = True
        if len(found) < limit:
            try:
                kept = await self._past.recent(name, limit)
            except StoreError:  # the log has the reason
                kept, complete = [], False
            found = {str(view["id"]): view for view in kept} | found
        views = sorted(found.values(), key=lambda view: view["began"] or 0.0, reverse=True)
        return json_reply({"boots": views[:limit], "complete": complete})

    async def timeline(self, asked: Asked) -> web.StreamResponse:
        """One boot by its id."""
        wanted = asked.found.args[0]
        boot = self._present.boot(wanted)
        if boot is not None:
            return json_reply(plain(as_dict(boot)))
        try:
            view = await self._past.one(wanted)
        except StoreError:
            refuse(503, "The state store, which has the boots of the past, does not answer: the log says why.", _AGAIN)
        if view is None:
            refuse(404, f"There is no boot {wanted[:80]!r}, or it is too old to be kept.")
        return json_reply(view)


def _name(asked: Asked) -> str:
    text = asked.found.args[0]
    machine, mac = named(asked.snapshot.inventory, text)
    if machine is None and not mac:
        refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
    return machine.name if machine is not None else mac


def _limit(asked: Asked) -> int:
    text = asked.found.query.get("limit", str(USUAL_BOOTS))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 0 < int(text) <= MOST_BOOTS):
        refuse(400, f"limit is a number from 1 to {MOST_BOOTS}.")
    return int(text)
