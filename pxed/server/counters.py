"""What the daemon counts, as plain numbers: of events, of HTTP answers and of boots that have ended.

A flood makes tens of thousands of events a second, so that nothing more than a number is kept here; metrics.py makes
Prometheus' form of it when somebody asks. Labels are of closed vocabularies: whatever a peer can invent is "other".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from pxed.architecture import KNOWN_NAMES
from pxed.dhcp.pxe import Stage as Client
from pxed.events import Event, Kind, Value
from pxed.server.histogram import Histogram
from pxed.status.boots import ORDER, Boot, Stage

OTHER = "other"
STAGE_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)  # seconds
# What a reason of silence has in it -> its word. Reasons name addresses, architectures and what a peer sent.
REASONS: tuple[tuple[str, str], ...] = (
    ("not a network boot", "no-network-boot"),
    ("belongs to the DHCP server", "for-dhcp-server"),
    ("names another server", "other-server"),
    ("not listed", "not-listed"),
    ("without a profile of its own", "no-profile"),
    ("boots its disk", "boots-disk"),
    ("no boot loader", "no-loader"),
    ("is not for a boot server", "not-for-boot-server"),
    ("is colocated", "colocated"),
    ("server.dhcp is off", "dhcp-off"),
    ("Boot Integrity", "boot-integrity"),
    ("a reply, not a request", "reply"),
    ("too many transfers", "too-many-transfers"),
)
ALERTS = frozenset({
    "expired", "failed", "foreign-address", "foreign-token", "held", "no-report", "no-token", "other-hardware", "relay",
    "replay", "rival", "spoofed", "too-many", "unseen", "wrong-token",
})  # fmt: skip
RESULTS = frozenset({"complete", "probed", "aborted", "timed-out", "broke-off", "refused"})
PORTS = frozenset({"67", "4011", "tftp", "http", "https"})
_CLIENTS = frozenset(Client)
_REPORTS = (Kind.INSTALLING, Kind.RUNNING, Kind.INSTALLED, Kind.FAILED)

Count = defaultdict[str, int]


class Counters:
    """Numbers since the daemon's start."""

    def __init__(self) -> None:
        self.offers: defaultdict[tuple[str, str], int] = defaultdict(int)  # by client and architecture
        self.ignored, self.undecodable, self.alerts, self.reports = _counts(), _counts(), _counts(), _counts()
        self.tftp_transfers, self.boots, self.ignition, self.webhooks = _counts(), _counts(), _counts(), _counts()
        self.tftp_bytes = self.tftp_retransmits = self.http_bytes = self.dropped = 0
        self.responses: defaultdict[tuple[str, str], int] = defaultdict(int)  # by route and class of status
        self.stages = {str(stage): Histogram(STAGE_BOUNDS) for stage in Stage}
        take: dict[Kind, Callable[[Event], None]] = {
            **dict.fromkeys((Kind.OFFER, Kind.BOOTSERVER, Kind.IPXE), self._offer),
            **dict.fromkeys((Kind.LOADER, Kind.KERNEL, Kind.INITRD, Kind.TRANSFER), self._transfer),
            **dict.fromkeys(_REPORTS, self._report),
            Kind.IGNORED: self._ignore,
            Kind.REFUSED: self._refuse,
            Kind.UNDECODABLE: self._fail_to_decode,
            Kind.ALERT: self._alert,
            Kind.DROPPED: self._drop,
        }
        self._take = {str(kind): taker for kind, taker in take.items()}  # the hash of an enum takes longer

    def observe(self, events: Iterable[Event]) -> None:
        """Count events: one of the bus's observers."""
        take = self._take
        for event in events:
            taker = take.get(event.kind._value_)
            if taker is not None:
                taker(event)

    def responded(self, route: str, status: int, size: int) -> None:
        """Count an HTTP answer; `size` is that of a body which is no file."""
        self.responses[route, f"{status // 100}xx"] += 1
        self.http_bytes += size
        if route in ("ignition", "archive"):
            self.ignition[_IGNITION.get(status, "refused" if 400 <= status < 500 else "failed")] += 1

    def ended(self, boot: Boot) -> None:
        """Count a boot, and how long it was in each stage: until the next one began."""
        self.boots[str(boot.outcome) or OTHER] += 1
        began: dict[Stage, float] = {}
        for span in boot.spans:
            began[span.stage] = min(span.began, began.get(span.stage, span.began))
        times = sorted(began.items(), key=lambda item: (item[1], ORDER[item[0]]))
        ends = [when for _, when in times[1:]]
        for (stage, start), end in zip(times, ends, strict=False):
            self.stages[str(stage)].observe(max(0.0, end - start))

    def _offer(self, event: Event) -> None:
        data = event.data
        self.offers[_one_of(_CLIENTS, data.get("client")), _one_of(KNOWN_NAMES, data.get("arch"))] += 1

    def _ignore(self, event: Event) -> None:
        reason = str(event.data.get("reason", ""))
        self.ignored[next((word for part, word in REASONS if part in reason), OTHER)] += 1

    def _transfer(self, event: Event) -> None:
        data = event.data
        if not is_tftp(data):
            self.http_bytes += _number(data.get("bytes"))
            return
        complete = "complete" if event.kind is not Kind.TRANSFER or not data.get("reason") else OTHER
        self.tftp_transfers[_one_of(RESULTS, data.get("result", complete))] += 1
        self.tftp_bytes += _number(data.get("bytes"))
        self.tftp_retransmits += _number(data.get("retransmits"))

    def _refuse(self, event: Event) -> None:
        if event.data.get("transport") == "tftp":
            self.tftp_transfers["refused"] += 1

    def _report(self, event: Event) -> None:
        self.reports[str(event.kind)] += 1

    def _alert(self, event: Event) -> None:
        self.alerts[_one_of(ALERTS, event.data.get("what"))] += 1

    def _fail_to_decode(self, event: Event) -> None:
        self.undecodable[_one_of(PORTS, str(event.data.get("port", "")))] += 1

    def _drop(self, event: Event) -> None:
        self.dropped += _number(event.data.get("lost"))


_IGNITION = {200: "served", 206: "served", 304: "served", 503: "later"}


def is_tftp(data: Mapping[str, Value]) -> bool:
    """Whether a transfer's figures are those of TFTP."""
    return data.get("transport") == "tftp" or "blksize" in data


def _counts() -> Count:
    return defaultdict(int)


def _one_of(known: frozenset[str] | frozenset[Client], value: Value) -> str:
    return str(value) if value in known else OTHER


def _number(value: Value) -> int:
    return int(value) if isinstance(value, int | float) else 0
