"""The fleet as rows: one for each machine, and which of them changed since a reader last looked.

Readers pull: whoever is slow misses nothing but the states in between, and nothing waits for him.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pxed.events import Event, Kind
from pxed.inventory.model import Inventory
from pxed.inventory.profile import Boot as Profiled
from pxed.server.live import Live
from pxed.server.orders import Machines
from pxed.server.standings import found, ordered
from pxed.server.views import install_view
from pxed.status.boots import Boot
from pxed.status.faults import Finding
from pxed.status.records import Standing

COLUMNS = (
    "name", "listed", "macs", "profile", "stage", "speaker", "since", "began", "outcome", "severity",
    "fault", "verdict", "sent", "due", "install", "held", "next", "arch", "interface", "last", "serial",
)  # fmt: skip
MOST_TOUCHED = 20_000  # names between two looks, MACs that a sender invents among them; more mean reading all anew
_MILLISECONDS = 1000
_TOUCHING = frozenset({Kind.STATE, Kind.ALERT, Kind.NOTICE, Kind.INSTALLING, Kind.INSTALLED, Kind.RUNNING, Kind.FAILED})

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Row = list[Any]


class Boots(Protocol):
    """What is known of boots (pxed.server.tracker)."""

    @property
    def version(self) -> int:
        """Grows with every change."""

    def names(self) -> Iterable[str]:
        """Machines of which a boot is known."""

    def current(self, name: str) -> Boot | None:
        """The newest boot of one."""

    def recent(self, name: str) -> Sequence[Boot]:
        """Those that are in memory, newest first."""

    def boot(self, identity: str) -> Boot | None:
        """One boot that is in memory."""

    def changed(self, since: int) -> tuple[int, list[str] | None]:
        """The version now, and the machines that changed since another; None when that is too long ago."""


class Fleet:
    """The rows, and their changes by number. The numbers of another run of the daemon are never this one's."""

    def __init__(self, live: Live, machines: Machines, boots: Boots) -> None:
        self._live = live
        self._machines = machines
        self._boots = boots
        self._seen = boots.version
        self._snapshot = live.snapshot
        self._touched: dict[str, None] = {}
        self._changed: OrderedDict[str, int] = OrderedDict()  # by name, the latest change last; only of names that are
        self._texts: dict[str, str] = {}  # rows encoded, until they change
        self._floor = self._version = int(time.time() * _MILLISECONDS)
        self.alerts = 0  # heard so far

    def observe(self, events: Iterable[Event]) -> None:
        """Take events of the bus: those that change what a row says beside its boot."""
        for event in events:
            if event.kind in _TOUCHING:
                if name := event.machine or event.mac:
                    self._touched[name] = None
                self.alerts += event.kind is Kind.ALERT
        if len(self._touched) > MOST_TOUCHED:
            self._touched.clear()
            self._forget()

    def look(self) -> int:
        """Take in what has changed; the number of the last change."""
        if self._live.snapshot is not self._snapshot:
            self._snapshot = self._live.snapshot
            self._forget()
        if self._boots.version != self._seen:
            self._seen, names = self._boots.changed(self._seen)
            if names is None:
                self._forget()
            else:
                self._touched.update(dict.fromkeys(names))
        if self._touched:
            touched, self._touched = self._touched, {}
            for name in touched:
                self._change(name)
        return self._version

    def changes(self, since: int, most: int) -> tuple[int, list[str]] | None:
        """The oldest `most` of the machines that changed since, and the number of their last change; None for reading
        all anew."""
        if not self._floor <= since <= self._version:
            return None
        names: list[str] = []
        for name in reversed(self._changed):
            if self._changed[name] <= since:
                break
            names.append(name)
        if not names:
            return self._version, []
        names = names[-most:][::-1]
        return self._changed[names[-1]], names

    def names(self) -> list[str]:
        """Listed machines in the inventory's order, then unlisted ones that were heard of."""
        known = dict.fromkeys((*self._snapshot.inventory.machines, *self._boots.names(), *self._machines.names()))
        for name in self._texts.keys() - known.keys():
            del self._texts[name]
        return list(known)

    def text(self, name: str) -> str:
        """The row of a machine as JSON; "" for one of which nothing is known any more."""
        text = self._texts.get(name)
        if text is None:
            row = self.row(name)
            text = "" if row is None else _encode(row)
            if text:
                self._texts[name] = text
        return text

    def row(self, name: str) -> Row | None:
        """One machine, in the order of COLUMNS."""
        inventory = self._snapshot.inventory
        machine, boot, standing = inventory.machines.get(name), self._boots.current(name), self._machines.standing(name)
        if machine is None and boot is None and standing is None:
            return None
        checked = machine is not None and machine.profile is not None and "serial" in machine.profile.ignition_check
        serial = machine.serial if machine is not None and not checked else None
        macs = machine.macs if machine is not None and machine.macs else (boot.macs if boot is not None else ())
        profile, install, held = _means(inventory, self._machines, name, standing)
        one_shot = (standing.next_profile or None) if standing is not None else None
        return [
            name, machine is not None, list(macs or ([name] if machine is None else [])), profile,
            *_boot_cells(boot), install, held, one_shot,
            *((boot.arch or None, boot.interface or None, _time(boot.last)) if boot is not None else (None,) * 3),
            serial,
        ]  # fmt: skip

    def _change(self, name: str) -> None:
        self._version += 1
        self._texts.pop(name, None)
        self._changed[name] = self._version
        self._changed.move_to_end(name)
        if len(self._changed) > 2 * len(self._texts) + 1000:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Names that a sender invents come and go: of changes as many are kept as of rows."""
        while len(self._changed) > len(self._texts) + 500:
            self._floor = max(self._floor, self._changed.popitem(last=False)[1])

    def _forget(self) -> None:
        """All rows may be other ones now."""
        self._version += 1
        self._floor = self._version
        self._changed.clear()
        self._texts.clear()


def _means(
    inventory: Inventory, machines: Machines, name: str, standing: Standing | None
) -> tuple[str | None, str | None, bool]:
    """Its profile, the state of its installation, and whether it is held."""
    machine = inventory.machines.get(name)
    own = machine.profile if machine is not None else None
    if machine is not None and own is not None and own.boot is not Profiled.INSTALL and standing is None:
        return machine.profile_name, None, False  # nearly every machine
    match = found(inventory, name, machines.boots(name))
    if match is None:
        return None, str(standing.state) if standing is not None and standing.state else None, False
    view: Mapping[str, Any] = install_view(standing, ordered(inventory, match, standing).profile) or {}
    return match.profile_name, view.get("state"), bool(view.get("held"))


def _boot_cells(boot: Boot | None) -> tuple[Any, ...]:
    """From `stage` to `due`."""
    if boot is None:
        return (None,) * 10
    last = boot.spans[-1] if boot.spans else None
    finding: Finding | None = boot.finding
    loading = last if last is not None and last.due and not last.ended else None
    return (
        str(boot.stage), str(last.speaker) if last is not None else None, _time(boot.since), _time(boot.began),
        str(boot.outcome) or None, str(finding.severity) if finding else None, str(finding.fault) if finding else None,
        finding.cause if finding else None, loading.bytes if loading else None, loading.due if loading else None,
    )  # fmt: skip


def _time(seconds: float) -> float | None:
    return round(seconds, 3) or None
