"""The fold itself: an event goes to what it changes; a tick looks at what is due and says what was found."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence

from pxed.events import Event, Kind
from pxed.status.boots import Boot, Outcome, Stage
from pxed.status.diagnose import Surroundings, diagnose
from pxed.status.faults import Finding
from pxed.status.network import Network
from pxed.status.patience import Patience
from pxed.status.timeline import dhcp, files, system
from pxed.status.timeline.book import MOST_MACHINES, Book
from pxed.status.trail import Track, Trail

LOOK = 2.0  # seconds between two looks at a boot that goes on
STUCK = 5.0  # at one that stands still: what it shows next is looked at at once
LATER = 30.0  # and at one that has been quiet for long
Found = tuple[Boot, Finding | None]

_HANDLERS: Mapping[Kind, Callable[[Book, Event], None]] = {
    Kind.OFFER: dhcp.on_offer,
    Kind.BOOTSERVER: dhcp.on_bootserver,
    Kind.IPXE: dhcp.on_ipxe,
    Kind.REPLY: dhcp.on_reply,
    Kind.PROGRESS: files.on_progress,
    Kind.LOADER: files.on_file,
    Kind.KERNEL: files.on_file,
    Kind.INITRD: files.on_file,
    Kind.TRANSFER: files.on_transfer,
    Kind.REFUSED: files.on_refused,
    Kind.SCRIPT: system.on_script,
    Kind.HELD: system.on_held,
    Kind.IGNITION: system.on_ignition,
    Kind.INSTALLING: system.on_report,
    Kind.RUNNING: system.on_report,
    Kind.INSTALLED: system.on_report,
    Kind.FAILED: system.on_failed,
    Kind.STATE: system.on_state,
    Kind.SYSLOG: system.on_syslog,
}


class Timeline:
    """The boots of all machines."""

    def __init__(self, patience: Patience | None = None, most: int = MOST_MACHINES) -> None:
        self._book = Book(patience or Patience(), most)
        self._due: list[tuple[float, str]] = []

    def use(self, patience: Patience) -> None:
        """How long each step may take, from now on."""
        self._book.patience = patience

    def fold(self, event: Event) -> None:
        """Take one event. Whatever is in it, nothing is raised."""
        if event.kind is Kind.OFFER and self._book.passes_over(event):
            return
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self._book, event)
        elif event.kind is Kind.IGNORED:
            self._ignored(event)

    def tick(self, now: float) -> list[Found]:
        """Look at what is due at `now`: the boots whose finding appeared, changed, or went (None)."""
        found: list[Found] = []
        names = self._book.urgent
        self._book.urgent = {}
        for name in self._book.fresh:
            if (begun := self.trail(name)) is not None:
                heapq.heappush(self._due, (begun.look, name))
        self._book.fresh.clear()
        while self._due and self._due[0][0] <= now:
            name = heapq.heappop(self._due)[1]
            names[name] = None
        for name in names:
            track = self._book.track(name)
            if track is not None and track.trail is not None:
                self._look(track, track.trail, now, found)
        return found

    def look(self, name: str) -> None:
        """Look at this machine at the next tick."""
        self._book.urgent[name] = None

    def take_ended(self) -> list[Boot]:
        """The boots that ended since this was last asked."""
        taken, self._book.ended = self._book.ended, []
        return taken

    def take_amended(self) -> list[Boot]:
        """The boots that had ended, and of which more is known since this was last asked."""
        taken, self._book.amended = self._book.amended, []
        return taken

    def going_on(self, most: int) -> list[Track]:
        """The machines whose boot goes on: for the process that goes on with them."""
        return self._book.going_on(most)

    def take_up(self, track: Track) -> None:
        """One of those."""
        self._book.take_up(track)

    @property
    def network(self) -> Network:
        """What is known of each wire."""
        return self._book.network

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._book.version

    def names(self) -> Iterable[str]:
        """Machines of which a boot is known, the one that changed last at the end."""
        return self._book.names()

    def current(self, name: str) -> Boot | None:
        """The newest boot of a machine."""
        track = self._book.track(name)
        return track.trail.boot if track is not None and track.trail is not None else None

    def trail(self, name: str) -> Trail | None:
        """The same with all that was seen of it."""
        track = self._book.track(name)
        return track.trail if track is not None else None

    def recent(self, name: str) -> Sequence[Boot]:
        """The boots of a machine that are in memory, newest first."""
        return self._book.recent(name)

    def changed(self, since: int) -> tuple[int, list[str] | None]:
        """(the version now, names that changed after version `since`, or None when all are to be read)."""
        return self._book.changed(since)

    def move(self, moves: Mapping[str, str]) -> None:
        """Machines that have another name now."""
        self._book.move(moves)

    def _ignored(self, event: Event) -> None:
        if "message" in event.data:
            dhcp.on_unanswered(self._book, event)
        else:
            system.on_ignored_script(self._book, event)

    def _look(self, track: Track, trail: Trail, now: float, found: list[Found]) -> None:
        boot, book = trail.boot, self._book
        past = book.stood(track, now - book.patience.loop) if track.past else ()
        if book.finding(trail, diagnose(trail, Surroundings(book.network, book.patience, past), now)):
            found.append((boot, boot.finding))
        if not boot.ended:
            self._close_if_over(trail, now)
        if boot.ended:
            return
        quiet = now - boot.last > book.patience.silence
        when = now + (LATER if quiet else STUCK if boot.finding is not None else LOOK)
        if trail.look <= now or when < trail.look:
            trail.look = when
            heapq.heappush(self._due, (when, boot.machine))

    def _close_if_over(self, trail: Trail, now: float) -> None:
        """A boot of which nothing more is to be seen is over."""
        patience, boot, plan = self._book.patience, trail.boot, trail.plan
        if trail.disk_spoke > trail.asked_last and now - trail.asked_last > patience.lease:
            self._book.end(trail, trail.disk_spoke, Outcome.LOCAL)
        elif trail.loaded and not plan.report_by and boot.way == "memory" and boot.finding is None:
            config = plan.config == "url" and plan.first_boot
            quiet = now - trail.loaded > patience.unseen
            if trail.fetched if config else trail.spoke > trail.loaded or quiet:
                self._book.end(trail, max(trail.fetched, trail.spoke) or now, Outcome.RUNNING)
        if (
            not boot.ended
            and now - max(boot.last, plan.report_by) > patience.forget
            and boot.stage is not Stage.INSTALLING
        ):
            self._book.end(trail, now, Outcome.STUCK if boot.finding else Outcome.SUPERSEDED)
