"""The machines' boots: which one an event belongs to, when another begins, and what has changed since."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from pxed.events import Event
from pxed.status.boots import ORDER, Boot, Outcome, Stage
from pxed.status.faults import Finding
from pxed.status.network import Network
from pxed.status.patience import Patience
from pxed.status.timeline import spans
from pxed.status.trail import MOST_PAST, NO_INSTALL, Track, Trail
from pxed.status.wordings import Severity

MOST_MACHINES = 32_768  # the one that was quiet for longest is forgotten; each takes 5 kB, 40 kB at most
MOST_STRANGERS = 8_192  # machines that are not listed, whose MACs can be invented: 20 MB
NEW_STRANGERS = 250  # a second that are taken up by their first DHCP; others are by what they send next
MOST_ADDRESSES = 65_536
AT_ONCE = 1.5  # seconds; a flood of offers is counted, and costs a tenth of the first one
LATE = Stage.LOADER


class Book:
    """All boots, by the machine's name in the inventory or its MAC."""

    def __init__(self, patience: Patience, most: int = MOST_MACHINES) -> None:
        self.patience = patience
        self.network = Network()
        self.version = 0
        self.ended: list[Boot] = []  # boots that ended, until their owner takes them
        self.amended: list[Boot] = []  # those of which more is known after their end
        self.urgent: dict[str, None] = {}  # machines to be looked at, at the next tick
        self._tracks: OrderedDict[str, Track] = OrderedDict()  # the one that changed last is the last
        self._names: OrderedDict[str, str] = OrderedDict()  # by IP address
        self.fresh: list[str] = []  # machines whose boot has begun since the last tick
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._second = (0, 0)  # a second, and the strangers that were new in it
        self._most = most

    def name(self, event: Event) -> str:
        """Whose event it is: the machine's name, its MAC, or who has the address it tells; "" for nobody's."""
        name = event.machine or event.mac
        if name:
            return name
        return self._names.get(str(event.data.get("address", "")), "")

    def track(self, name: str) -> Track | None:
        """What is known of a machine."""
        return self._tracks.get(name)

    def trail(self, event: Event) -> Trail | None:
        """The boot that an event belongs to, as far as one is known."""
        track = self._tracks.get(self.name(event))
        return track.trail if track is not None else None

    def open_trail(self, event: Event, stage: Stage) -> Trail | None:
        """The same, with a boot begun where none goes on; None for an event of nobody."""
        name = self.name(event)
        track = self._tracks.get(name)
        trail = track.trail if track is not None else None
        if trail is not None and trail.is_open:
            return self.touched(trail, event)
        return self.begin(name, event, stage) if name else None

    def begin(self, name: str, event: Event, stage: Stage) -> Trail:
        """Another boot of a machine; the one before is over."""
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks[name] = Track()
        install = NO_INSTALL
        if track.trail is not None:
            install = track.trail.install
            self.supersede(track, event.time)
        identity = hashlib.sha256(f"{name} {event.time!r} {self.version}".encode()).hexdigest()[:12]
        boot = Boot(identity, name, event.mac, event.time, event.time, stage, event.time)
        # No step may take less than that; what goes wrong at once raises an alarm.
        trail = track.trail = Trail(boot, install=install, look=event.time + self.patience.first_block)
        self.fresh.append(name)
        if not event.machine:
            self._strangers[name] = None
            self._strangers.move_to_end(name)
            if len(self._strangers) > MOST_STRANGERS:
                self._forget(next(iter(self._strangers)))
        while len(self._tracks) > self._most:
            self._forget(next(iter(self._tracks)))
        return self.touched(trail, event)

    def admits(self, event: Event) -> bool:
        """Whether a boot may begin with this DHCP message: a flood of invented MACs is not followed one by one."""
        if event.machine:
            return True
        second, count = self._second
        now = int(event.time)
        self._second = (now, count + 1 if second == now else 1)
        return self._second[1] <= NEW_STRANGERS

    def touched(self, trail: Trail, event: Event) -> Trail:
        """Something was heard of it."""
        boot = trail.boot
        boot.last = max(boot.last, event.time)
        spans.add_mac(boot, event.mac)
        interface = event.data.get("interface")
        if interface and not boot.interface:
            boot.interface = str(interface)
        if boot.finding is not None:  # else it is looked at in a moment anyway
            self.urgent[boot.machine] = None
        self.mark(boot.machine)
        return trail

    def passes_over(self, event: Event) -> bool:
        """Whether an offer is one of a flood: like the last one and right after it (firmware waits for seconds), or to
        one more invented MAC."""
        track = self._tracks.get(event.machine or event.mac)
        if track is None:
            return not self.admits(event)
        trail = track.trail
        if trail is None or trail.boot.stage is not Stage.OFFER or trail.boot.ended:
            return False
        if event.time - trail.asked_last >= AT_ONCE or event.data.get("uuid", "") != trail.boot.uuid:
            return False
        trail.offers += 1
        return True

    def alarm(self, trail: Trail) -> None:
        """Look at it at the next tick: something went wrong."""
        self.urgent[trail.boot.machine] = None

    def mark(self, name: str) -> None:
        """Readers of this machine have something new to see."""
        self.version += 1
        self._tracks[name].changed = self.version
        self._tracks.move_to_end(name)

    def learn(self, trail: Trail, address: str) -> None:
        """The boot has this address: files are asked for from it."""
        spans.add_address(trail.boot, address)
        name = trail.boot.machine
        if not address or not name:
            return
        self._names[address] = name
        self._names.move_to_end(address)
        if len(self._names) > MOST_ADDRESSES:
            self._names.popitem(last=False)

    def end(self, trail: Trail, when: float, outcome: Outcome) -> None:
        """The boot has come to its end."""
        boot = trail.boot
        if boot.ended:
            return
        boot.ended, boot.outcome = when, outcome
        spans.close(boot, when)
        if boot.machine not in self._strangers or ORDER[boot.stage] >= ORDER[LATE]:
            self.ended.append(boot)  # else a flood of invented MACs would push real boots out of the history
        self.urgent[boot.machine] = None
        self.mark(boot.machine)

    def supersede(self, track: Track, when: float) -> None:
        """Another boot begins: the newest one is history."""
        if track.trail is None:
            return
        boot = track.trail.boot
        stuck = boot.finding is not None and boot.finding.severity is Severity.STUCK
        self.end(track.trail, when, Outcome.STUCK if stuck else Outcome.SUPERSEDED)
        for older in track.past:  # by now the history has them
            older.samples = older.samples[-1:]
        track.past.insert(0, boot)
        del track.past[MOST_PAST:]
        track.trail = None

    def stood(self, track: Track, since: float) -> list[Boot]:
        """The boots before the current one, back to `since`, up to one that came up; newest first."""
        failed: list[Boot] = []
        next_began = track.trail.boot.began if track.trail is not None else 0.0
        for boot in track.past:
            if boot.began < since or self._came_up(boot, next_began):
                break
            if ORDER[boot.stage] >= ORDER[LATE]:
                failed.append(boot)
            next_began = boot.began
        return failed

    def _came_up(self, boot: Boot, next_began: float) -> bool:
        """By its own word; without one, when nothing more was heard of it for a while."""
        if boot.outcome is Outcome.RUNNING and boot.stage is not Stage.RUNNING:
            return next_began - boot.last > self.patience.unseen
        return boot.outcome in (Outcome.RUNNING, Outcome.INSTALLED, Outcome.LOCAL)

    # from one process of pxed to the next

    def going_on(self, most: int) -> list[Track]:
        """The machines whose boot goes on, those that changed last."""
        going: list[Track] = []
        for track in reversed(self._tracks.values()):
            if track.trail is not None and track.trail.is_open:
                going.append(track)
                if len(going) == most:
                    break
        return going

    def take_up(self, track: Track) -> None:
        """A boot that goes on, as another process knew it; nothing is known of the machine here."""
        trail = track.trail
        if trail is None or trail.boot.machine in self._tracks:
            return
        boot = trail.boot
        trail.look = 0.0
        self._tracks[boot.machine] = track
        if boot.machine == boot.mac:
            self._strangers[boot.machine] = None
        for address in boot.addresses:
            self._names[address] = boot.machine
        self.urgent[boot.machine] = None
        self.mark(boot.machine)

    # for readers

    def names(self) -> Iterable[str]:
        """Machines of which a boot is known."""
        return tuple(self._tracks)

    def recent(self, name: str) -> Sequence[Boot]:
        """The boots of a machine that are in memory, newest first."""
        track = self._tracks.get(name)
        if track is None:
            return ()
        return [*([track.trail.boot] if track.trail is not None else []), *track.past]

    def changed(self, since: int) -> tuple[int, list[str] | None]:
        """(the version now, the names that changed after version `since`); None for a version that is none."""
        if since > self.version:
            return self.version, None
        names: list[str] = []
        for name in reversed(self._tracks):
            if self._tracks[name].changed <= since:
                break
            names.append(name)
        return self.version, names

    def move(self, moves: Mapping[str, str]) -> None:
        """Machines that have another name now keep their boots."""
        taken = [(new, self._tracks.pop(old, None)) for old, new in moves.items()]
        for new, track in taken:
            if track is None:
                continue
            for boot in (*([track.trail.boot] if track.trail else []), *track.past):
                boot.machine = new
            self._tracks[new] = track
            if track.trail is not None:
                track.trail.look = 0.0
            self.urgent[new] = None
            self.mark(new)
        for address, name in self._names.items():
            if name in moves:
                self._names[address] = moves[name]

    def finding(self, trail: Trail, found: Finding | None) -> bool:
        """Keep what was found; whether that is news. The same fault keeps the time at which it was first seen."""
        boot, before = trail.boot, trail.boot.finding
        if found is None and before is None:
            return False
        boot.finding = found
        news = (found.fault if found else None) is not (before.fault if before else None)
        if news:
            self.mark(boot.machine)
        return news

    def _forget(self, name: str) -> None:
        track = self._tracks[name]
        if track.trail is not None:
            self.end(track.trail, track.trail.boot.last, Outcome.SUPERSEDED)
        del self._tracks[name]
        self._strangers.pop(name, None)
        self.urgent.pop(name, None)


def number(event: Event, key: str, otherwise: int = 0) -> int:
    """A figure of an event's data."""
    value = event.data.get(key)
    return int(value) if isinstance(value, (int, float)) else otherwise
