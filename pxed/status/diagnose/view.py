"""What a rule sees, and how it names what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pxed.status.boots import Boot, Span, Stage
from pxed.status.faults import Finding, finding
from pxed.status.network import RECENT, Network, ServerSeen
from pxed.status.patience import Patience
from pxed.status.trail import Trail
from pxed.status.wordings import Fault

ALONE = "leaves it alone"  # what pxed does with a machine that is not listed


class View(NamedTuple):
    """One boot at one time."""

    trail: Trail
    network: Network
    patience: Patience
    past: Sequence[Boot]
    now: float

    @property
    def boot(self) -> Boot:
        return self.trail.boot

    def found(self, fault: Fault, since: float, *evidence: str, **values: object) -> Finding:
        """The fault in words; every wording may name the machine, its MAC, its wire and pxed's address."""
        boot = self.boot
        known: dict[str, object] = {
            "machine": boot.machine,
            "mac": boot.mac,
            "interface": boot.interface or "this network",
            "arch": boot.arch or "of unknown kind",
            "server": self.trail.server or "pxed",
        }
        return finding(fault, str(boot.stage), since, *evidence, **(known | values))

    def span(self, stage: Stage) -> Span | None:
        """The newest bar of a stage."""
        return next((span for span in reversed(self.boot.spans) if span.stage is stage), None)

    def others(self) -> list[ServerSeen]:
        """Other servers: those that answered this machine itself, then those that were heard on its wire of late."""
        own = self.trail.replies
        wire = {one.address: one for one in self.network.servers(self.boot.interface) if self.now - one.last < RECENT}
        # What a server tells pxed's own question is more than what is seen of its answers to the machine.
        return [*(wire.pop(address, seen) for address, seen in own.items()), *wire.values()]


def ago(now: float, when: float) -> str:
    """ "12 s ago", "3 min ago": times in evidence are whole, so that a finding stays the same for a while."""
    seconds = max(0, round(now - when))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"


def size(count: int) -> str:
    """ "1.5 MB" of a number of bytes."""
    for unit, divisor in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if count >= divisor:
            return f"{count / divisor:.1f} {unit}"
    return f"{count} bytes"


def port_of(url: str) -> str:
    """The port that an http URL leads to."""
    host = url.partition("://")[2].partition("/")[0]
    return host.rpartition(":")[2] if ":" in host else "80"
