"""What is on a wire, told packet by packet, and each boot's verdict: the daemon's own timeline over an observer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pxed.events import Event, Kind
from pxed.probe.capture import Packet, Segment, packets
from pxed.probe.observe import Observer
from pxed.status.boots import Boot, Outcome
from pxed.status.faults import Finding, finding
from pxed.status.network import ServerSeen
from pxed.status.patience import Patience
from pxed.status.timeline import Timeline
from pxed.status.wordings import Fault, Severity

STEP = 1.0  # seconds between two looks at what stands still
MOST_MACHINES = 4096
BROADCAST = "255.255.255.255"
MOST_STEPS = 900  # in a pause of a capture
AFTER = 60.0  # seconds of silence that are taken to follow a capture: no step of a boot up to its script takes longer


@dataclass(frozen=True, slots=True)
class News:
    """A boot's finding that appeared, changed, or went (None), and when it was seen."""

    time: float
    boot: Boot
    finding: Finding | None


class Watcher:
    """An observer and a timeline. Times are those of the packets."""

    def __init__(
        self,
        interface: str = "the wire",
        server: str = "",
        name_of: Callable[[str], str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.interface = interface
        self.observer = Observer(interface, server, name_of or (lambda mac: ""))
        self.timeline = Timeline(patience)
        self._has_inventory = name_of is not None
        self._looked = 0.0
        self._saw_http = False
        self._saw_unicast: set[str] = set()  # machines of which more than broadcasts was seen

    def packet(self, packet: Packet) -> list[Event]:
        """What a packet tells."""
        events = self._fold(self.observer.packet(packet))
        if isinstance(packet, Segment):
            self._saw_http = True
        elif packet.dst != BROADCAST and len(self._saw_unicast) < MOST_MACHINES:
            self._saw_unicast |= {event.mac for event in events}
        return events

    def look(self, now: float) -> tuple[list[Event], list[News]]:
        """What time tells up to `now`, in steps of a second."""
        events: list[Event] = []
        news: list[News] = []
        if not self._looked:
            self._looked = now
        self._looked = max(self._looked, now - MOST_STEPS * STEP)
        while self._looked + STEP <= now:
            self._looked += STEP
            events += self._fold(self.observer.tick(self._looked))
            for boot, found in self.timeline.tick(self._looked):
                news.append(News(self._looked, boot, self.told(boot, found)))
        return events, news

    def boots(self) -> list[Boot]:
        """All boots that were seen, in the order of their beginning."""
        found = [boot for name in self.timeline.names() for boot in self.timeline.recent(name)]
        return sorted(found, key=lambda boot: boot.began)

    def servers(self) -> list[ServerSeen]:
        """The servers whose replies were seen, beside the boot server."""
        return self.timeline.network.servers(self.interface)

    def told(self, boot: Boot, found: Finding | None) -> Finding | None:
        """A finding as one says it who stands beside the wire.

        What is not in sight is not judged: where no TCP is seen, a fetch by HTTP that is missing means nothing. No
        inventory is known, and the boot server has an address.
        """
        if found is None or (found.fault in _BY_HTTP and not self._saw_http):
            return None
        if found.fault in _BY_UNICAST and not self._saw_unicast & set(boot.macs):
            found = replace(found, evidence=(*found.evidence, _BROADCASTS_ONLY))
        if self._has_inventory:
            return found
        server = self.observer.server
        if found.fault in (Fault.NOT_LISTED, Fault.NOT_SERVED):
            reason = "it sends no offer"
            found = finding(Fault.NOT_SERVED, found.stage, found.since, reason=reason)
            if not server:
                found = replace(found, cause=_NOBODY, remedy=_NOBODY_REMEDY)
        named = re.compile(r"\bpxed\b")
        cause = named.sub(server or "the boot server", found.cause)
        evidence = tuple(named.sub(server or "the boot server", one) for one in found.evidence)
        return replace(found, cause=cause, evidence=evidence)

    def verdict(self, boot: Boot) -> str:
        """How a boot stands, in one sentence."""
        found = self.told(boot, boot.finding)
        if found is not None and found.severity is not Severity.INFO:
            return found.sentence
        more = f" ({found.cause})" if found is not None else ""
        if boot.outcome is Outcome.OPEN:
            unseen = boot.finding is not None and found is None
            so_far = "its HTTP is not in sight here" if unseen else "nothing is wrong with it so far"
            return f"it is at {boot.stage}, and {so_far}{more}"
        return f"{_OUTCOMES[boot.outcome]}{more}"

    def _fold(self, events: list[Event]) -> list[Event]:
        for event in events:
            self.timeline.fold(event)
        return events


# Faults that say that something by HTTP, or by unicast, did not come.
_BY_HTTP = frozenset({
    Fault.SCRIPT_NEVER, Fault.LOADER_UNREACHED, Fault.KERNEL_NEVER, Fault.INITRD_NEVER, Fault.RIVAL_IN_IPXE,
    Fault.IGNITION_NEVER, Fault.IGNITION_NO_NETWORK, Fault.IGNITION_NO_FIRST_BOOT, Fault.NO_REPORT,
})  # fmt: skip
_BY_UNICAST = frozenset({
    Fault.BOOTSERVER_BLOCKED, Fault.OFFER_DROPPED, Fault.TFTP_UNREACHED, Fault.RIVAL_PROXY, Fault.DHCP_OPTION_60,
})  # fmt: skip
_BROADCASTS_ONLY = (
    "only broadcasts of this machine are seen here: away from it and from the server (behind a switch) the rest is not"
    " in sight, and this may be wrong"
)
_NOBODY = "No server on this wire answers the machine's request to boot"
_NOBODY_REMEDY = (
    "Start a DHCP server and a PXE server on this network, or look whether their replies are dropped on the way (VLAN,"
    " DHCP snooping)"
)
_OUTCOMES = {
    Outcome.RUNNING: "it has booted",
    Outcome.INSTALLED: "it is installed",
    Outcome.LOCAL: "it boots its own disk",
    Outcome.FAILED: "it reports that it failed",
    Outcome.STUCK: "it stood still",
    Outcome.SUPERSEDED: "the machine began another boot",
}


def told_lines(events: Iterable[Event]) -> Iterator[tuple[float, str, str]]:
    """Time, who and sentence of the events that are worth a line: of a transfer its beginning and its end."""
    for event in events:
        if event.kind is Kind.PROGRESS and event.data.get("bytes"):
            continue
        yield event.time, event.machine or event.mac or str(event.data.get("address", "")), event.text


def read_capture(
    path: Path,
    watcher: Watcher,
    tell: Callable[[list[Event], list[News]], None] = lambda events, news: None,
    after: float = AFTER,
) -> float:
    """All of a capture, and `after` seconds in which nothing comes; the time of its last packet, 0.0 for none."""
    last = 0.0
    for packet in packets(path):
        last = max(last, packet.time)
        tell(*watcher.look(packet.time))
        tell(watcher.packet(packet), [])
    if last:
        tell(*watcher.look(last + after))
    return last


def is_stuck(watcher: Watcher) -> bool:
    """Whether the newest boot of a machine stands still."""
    newest = (watcher.timeline.current(name) for name in watcher.timeline.names())
    found = (watcher.told(boot, boot.finding) for boot in newest if boot is not None)
    return any(one is not None and one.severity is not Severity.INFO for one in found)


def live(interface: str, watcher: Watcher, seconds: float, tell: Callable[[list[Event], list[News]], None]) -> None:
    """The frames of an interface, for so many seconds; 0: until it is interrupted."""
    from pxed.probe.capture import ETHERNET, Fragments, packet_of
    from pxed.probe.nic import Wire

    fragments = Fragments()
    end = time.monotonic() + seconds if seconds else float("inf")
    with Wire(interface) as wire:
        while (left := end - time.monotonic()) > 0:
            for when, frame in wire.frames(min(left, STEP), outgoing=True):
                packet = packet_of(when, ETHERNET, frame, fragments)
                if packet is not None:
                    tell(watcher.packet(packet), [])
            tell(*watcher.look(time.time()))
