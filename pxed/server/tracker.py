"""The live timeline: every event of the bus is folded into boots, and once a second what stands still gets its cause.

Nothing here may stop the daemon: it serves without a picture rather than not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from pxed.events import Emit, Event, Kind, Level
from pxed.status.boots import Boot, Stage
from pxed.status.faults import Finding
from pxed.status.network import Network, Wire
from pxed.status.patience import Patience
from pxed.status.timeline import Timeline
from pxed.status.trail import Track, Trail
from pxed.status.wordings import Fault, Severity

TICK_SECONDS = 1.0
MOST_HANDED_OVER = 2000  # boots that go on over a restart, the newest
ANSWER_SECONDS = 2.0  # for servers to answer the survey, before a cause is told
# Causes that an answer to a question of pxed's own tells apart: by then the machine's own DHCP is over.
_ASKS = frozenset({
    Fault.NO_DHCP_SERVER, Fault.DHCP_NO_LEASE, Fault.OFFER_DROPPED, Fault.BOOTSERVER_BLOCKED, Fault.TFTP_UNREACHED,
    Fault.LOADER_UNREACHED, Fault.SCRIPT_NEVER,
})  # fmt: skip
Survey = Callable[[str, str, bool], Awaitable[bool]]
"""(interface, architecture, as iPXE) -> whether servers were asked; their answers come as REPLY events."""
Ended = Callable[[Boot], None]
FoundIt = Callable[[Boot, Finding | None], None]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the next process is told."""

    tracks: list[Track]
    wires: dict[str, Wire]


class Tracker:
    """Boots of all machines, kept up to date."""

    def __init__(self, emit: Emit, patience: Patience | None = None) -> None:
        self.ended: list[Ended] = []
        self.amended: list[Ended] = []  # a boot that has ended before: a report came late
        self.found: list[FoundIt] = []
        self.survey: Survey | None = None
        self._timeline = Timeline(patience)
        self._emit = emit
        self._asking: set[asyncio.Task[None]] = set()

    def use(self, patience: Patience) -> None:
        """How long each step of a boot may take, from now on."""
        self._timeline.use(patience)

    def take(self, events: Sequence[Event]) -> None:
        """A batch of the bus."""
        fold = self._timeline.fold
        for event in events:
            fold(event)

    async def run(self) -> None:
        """Look once a second, until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                self.tick(time.time())
        finally:
            for task in tuple(self._asking):
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    def tick(self, now: float) -> None:
        """Tell what was found and what has ended."""
        for boot, finding in self._timeline.tick(now):
            self._tell(boot, finding, now)
        for boot in self._timeline.take_ended():
            for ended in self.ended:
                ended(boot)
        for boot in self._timeline.take_amended():
            for amended in self.amended:
                amended(boot)

    def written(self) -> object:
        """The boots that go on, as JSON in a text: pydantic's own is ten times as fast as Python's."""
        known = _Known(self._timeline.going_on(MOST_HANDED_OVER), self.network.wires())
        return TypeAdapter(_Known).dump_json(known).decode()

    def read(self, content: Any) -> None:
        """Go on with boots that another process has written. Raises TypeError or ValueError for anything else."""
        known = TypeAdapter(_Known).validate_json(content)
        for name, wire in known.wires.items():
            self.network.take_up(name, wire)
        for track in known.tracks:
            self._timeline.take_up(track)

    @property
    def network(self) -> Network:
        """What is known of each wire."""
        return self._timeline.network

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._timeline.version

    def names(self) -> Iterable[str]:
        """Machines of which a boot is known."""
        return self._timeline.names()

    def current(self, name: str) -> Boot | None:
        """The newest boot of a machine."""
        return self._timeline.current(name)

    def trail(self, name: str) -> Trail | None:
        """The same with all that was seen of it."""
        return self._timeline.trail(name)

    def recent(self, name: str) -> Sequence[Boot]:
        """The boots of a machine that are in memory, newest first."""
        return self._timeline.recent(name)

    def boot(self, identity: str) -> Boot | None:
        """One of those, by its id."""
        for name in self._timeline.names():
            for boot in self._timeline.recent(name):
                if boot.id == identity:
                    return boot
        return None

    def changed(self, since: int) -> tuple[int, list[str] | None]:
        """(the version now, names that changed after version `since`; None: read all)."""
        return self._timeline.changed(since)

    def move(self, moves: Mapping[str, str]) -> None:
        """Machines that have another name now keep their boots."""
        self._timeline.move(moves)

    def _tell(self, boot: Boot, finding: Finding | None, now: float) -> None:
        if finding is not None and finding.fault in _ASKS and self.survey is not None and boot.interface:
            task = asyncio.get_running_loop().create_task(self._ask(boot, finding))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        else:
            self._say(boot, finding, now)

    def _say(self, boot: Boot, finding: Finding | None, now: float) -> None:
        for found in self.found:
            found(boot, finding)
        if finding is not None and finding.severity is not Severity.INFO:
            self._emit(_stuck(boot, finding, now))

    async def _ask(self, boot: Boot, finding: Finding) -> None:
        """Ask the servers of its wire what they offer to such a machine; their answers may name another cause."""
        if self.survey is not None and await self.survey(boot.interface, boot.arch, boot.stage is Stage.IPXE):
            self.network.wire(boot.interface).surveyed = time.time()
            await asyncio.sleep(ANSWER_SECONDS)
            self._timeline.look(boot.machine)
            self.tick(time.time())
        if boot.finding is not None and boot.finding.fault is finding.fault:
            self._say(boot, boot.finding, time.time())


def _stuck(boot: Boot, finding: Finding, now: float) -> Event:
    level = Level.WARNING if finding.severity is Severity.STUCK else Level.INFO
    listed = "" if boot.machine == boot.mac else boot.machine
    data = {
        "fault": str(finding.fault),
        "severity": str(finding.severity),
        "stage": finding.stage,
        "boot": boot.id,
        "cause": finding.cause,
        "evidence": " | ".join(finding.evidence),
        "remedy": finding.remedy,
    }
    return Event(Kind.STUCK, now, listed, boot.mac, finding.sentence, level, data)
