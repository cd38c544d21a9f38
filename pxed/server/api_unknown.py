"""/api/v1/unknown: machines that asked to be booted and are not in the inventory, each with the lines that list it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from pxed.events import Event, Kind
from pxed.inventory.lookup import Identity, Unmatched, find, resolve
from pxed.inventory.model import Inventory
from pxed.inventory.scalars import serial_key
from pxed.inventory.stanza import Stranger, stanza, uuid_of
from pxed.server.api import Journal
from pxed.server.callers import smbios_text
from pxed.server.replies import Asked, json_reply

MOST = 1000  # machines in one answer, those heard of last
_SLICE = 500  # of the journal's names in one turn of the event loop
_SHOWS = frozenset({Kind.OFFER, Kind.BOOTSERVER, Kind.IPXE, Kind.IGNORED, Kind.HELD, Kind.SCRIPT})


@dataclass(slots=True)
class _Heard:
    """What the events of one machine say together; it may have several MACs."""

    macs: list[str]
    uuid: str = ""
    serial: str = ""
    arch: str = ""
    interface: str = ""
    address: str = ""
    first: float = 0.0
    last: float = 0.0
    count: int = 0
    wanted: bool = False
    reasons: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """One event more, in the order of time."""
        data = event.data
        self.first, self.last = self.first or event.time, event.time
        self.count += 1
        self.wanted = self.wanted or event.kind is not Kind.IGNORED or bool(data.get("wanted", True))
        for key in ("uuid", "serial", "arch", "interface", "address"):
            if value := data.get(key):
                setattr(self, key, str(value))
        if reason := str(data.get("reason") or ""):
            self.reasons.append(reason)

    def join(self, other: _Heard) -> None:
        """The same machine by another MAC."""
        self.macs += other.macs
        newer = other if other.last > self.last else self
        for key in ("serial", "arch", "interface", "address"):
            setattr(self, key, getattr(newer, key) or getattr(self, key) or getattr(other, key))
        self.reasons = newer.reasons
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.count += other.count


class UnknownPages:
    """Answers out of the journal: what it has forgotten is not known here."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def unknown(self, asked: Asked) -> web.StreamResponse:
        """Those heard of last first. `profile` is what a group or server.unknown gives one all the same."""
        inventory = asked.snapshot.inventory
        heard = await self._heard(inventory)
        serials = Counter(serial_key(one.serial) for one in heard)
        newest = sorted(heard, key=lambda one: one.last, reverse=True)[:MOST]
        return json_reply({"machines": [_view(inventory, one, serials) for one in newest]})

    async def _heard(self, inventory: Inventory) -> list[_Heard]:
        """One for each machine: NICs with one UUID are of one machine."""
        found: dict[str, _Heard] = {}
        for count, mac in enumerate(self._journal.machines(), 1):
            if count % _SLICE == 0:
                await asyncio.sleep(0)  # datagrams are answered in between
            if ":" not in mac or mac in inventory.machines:
                continue
            one = _Heard([mac])
            for event in _shows(self._journal.events(mac)):
                one.take(event)
            if one.wanted and not _is_listed(inventory, one):
                key = str(uuid_of(one.uuid) or mac)
                if key in found:
                    found[key].join(one)
                else:
                    found[key] = one
        return list(found.values())


def _shows(events: Sequence[Event]) -> Iterator[Event]:
    return (event for event in events if event.kind in _SHOWS)


def _is_listed(inventory: Inventory, one: _Heard) -> bool:
    return find(inventory, _identity(one)) is not None


def _identity(one: _Heard) -> Identity:
    uuid = uuid_of(one.uuid)
    return Identity(one.macs[0], uuid.bytes if uuid else None, smbios_text(one.serial), one.arch or None)


def _view(inventory: Inventory, one: _Heard, serials: Counter[str]) -> dict[str, Any]:
    match = resolve(inventory, _identity(one))
    profile = "" if isinstance(match, Unmatched) else match.profile_name
    uuid, serial = uuid_of(one.uuid), smbios_text(one.serial) or ""
    alone = serials[serial_key(serial)] == 1 and serial_key(serial) not in inventory.indexes.by_serial
    stranger = Stranger(sorted(one.macs), uuid, serial if alone else "", one.arch)
    return {
        "mac": one.macs[0],
        "macs": sorted(one.macs),
        "uuid": str(uuid) if uuid else None,
        "serial": serial or None,
        "arch": one.arch or None,
        "interface": one.interface or None,
        "address": one.address or None,
        "first": round(one.first, 3),
        "last": round(one.last, 3),
        "count": one.count,
        "reason": match.reason if isinstance(match, Unmatched) else (one.reasons or [match.reason])[-1],
        "profile": profile or None,
        "stanza": stanza(f"new-{one.macs[0].replace(':', '')}", stranger, profile),
    }
