"""One boot as data: its stages over time, what was sent in each, and the finding when it does not go on.

Design section 6. A boot begins with the first DISCOVER of a ROM and ends with the machine's report, with the next boot,
or when nothing more can be seen of it. All times are seconds since 1970; 0.0 and "" mean none. Everything that a peer
can make grow has a bound here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pxed.status.faults import Finding

MOST_SPANS = 40  # of one boot; of one that loops the newest are dropped, their number counts on
MOST_SAMPLES = 240  # of throughput: older ones are thinned out
MOST_NOTES = 20


class Stage(StrEnum):
    """In the order of a boot."""

    DISCOVER = "discover"
    OFFER = "offer"
    BOOTSERVER = "bootserver"
    LOADER = "loader"
    IPXE = "ipxe"
    SCRIPT = "script"
    KERNEL = "kernel"
    INITRD = "initrd"
    IGNITION = "ignition"
    INSTALLING = "installing"
    RUNNING = "running"
    INSTALLED = "installed"


ORDER = {stage: number for number, stage in enumerate(Stage)}


class Speaker(StrEnum):
    """Who of a boot's clients was active: all have the machine's MAC."""

    ROM = "rom"
    IPXE = "ipxe"
    INITRAMFS = "initramfs"
    OS = "os"


class Outcome(StrEnum):
    """How a boot ended; OPEN while it goes on."""

    OPEN = ""
    RUNNING = "running"  # it reported, or it is past the last stage that can be seen
    INSTALLED = "installed"
    LOCAL = "local"  # told to boot its disk
    FAILED = "failed"  # it reported so
    STUCK = "stuck"  # a cause was found, and nothing came after it
    SUPERSEDED = "superseded"  # the next boot began before anything of that


@dataclass(slots=True)
class Span:
    """A stage of one boot: one bar of the waterfall."""

    stage: Stage
    speaker: Speaker
    began: float
    ended: float = 0.0  # 0.0: under way
    count: int = 1  # how often it was seen: retransmits and repetitions
    ok: bool = True  # False: answered by an error, broken off, or given up
    file: str = ""
    transport: str = ""  # dhcp | tftp | http
    bytes: int = 0
    due: int = 0  # bytes in all, 0 when that is not known
    retransmits: int = 0
    text: str = ""  # what happened last


@dataclass(slots=True)
class Note:
    """Something seen on the way that is no stage: an address that changed, a line by syslog."""

    time: float
    text: str


@dataclass(slots=True)
class Boot:
    """One boot of one machine."""

    id: str
    machine: str  # the inventory's name, or the MAC of one that is not listed
    mac: str
    began: float
    last: float  # when something was heard of it
    stage: Stage = Stage.DISCOVER
    since: float = 0.0  # when that stage began
    ended: float = 0.0
    outcome: Outcome = Outcome.OPEN
    macs: tuple[str, ...] = ()  # all NICs that took part
    interface: str = ""
    addresses: tuple[str, ...] = ()  # that it had, the newest last
    arch: str = ""
    uuid: str = ""  # 32 hexadecimal digits as in option 97
    firmware: str = ""  # "PXE firmware", "UEFI HTTP Boot", "iPXE"
    loader: str = ""
    profile: str = ""
    way: str = ""  # pxed.boot.course.Way
    image: str = ""
    version: str = ""
    digest: str = ""  # of the kernel, as served
    record: str = ""  # the id by which the API's /boots knows it once it has a script
    spans: list[Span] = field(default_factory=list)
    samples: list[tuple[float, int]] = field(default_factory=list)  # time, bytes sent by then in all
    notes: list[Note] = field(default_factory=list)
    finding: Finding | None = None


def as_dict(boot: Boot) -> dict[str, object]:
    """As the API and the store have it."""
    return {
        "id": boot.id,
        "machine": boot.machine,
        "mac": boot.mac,
        "macs": list(boot.macs),
        "interface": boot.interface,
        "addresses": list(boot.addresses),
        "began": _time(boot.began),
        "ended": _time(boot.ended),
        "last": _time(boot.last),
        "outcome": str(boot.outcome) or None,
        "stage": str(boot.stage),
        "since": _time(boot.since),
        "arch": boot.arch or None,
        "uuid": boot.uuid or None,
        "firmware": boot.firmware or None,
        "loader": boot.loader or None,
        "profile": boot.profile or None,
        "way": boot.way or None,
        "image": boot.image or None,
        "version": boot.version or None,
        "digest": boot.digest or None,
        "record": boot.record or None,
        "bytes": sum(span.bytes for span in boot.spans),
        "retransmits": sum(span.retransmits for span in boot.spans),
        "verdict": boot.finding.as_dict() if boot.finding else None,
        "spans": [span_dict(span) for span in boot.spans],
        "samples": [[_time(when), sent] for when, sent in boot.samples],
        "notes": [{"time": _time(note.time), "text": note.text} for note in boot.notes],
    }


def span_dict(span: Span) -> dict[str, object]:
    """One stage as the API and the store have it."""
    return {
        "stage": str(span.stage),
        "speaker": str(span.speaker),
        "began": _time(span.began),
        "ended": _time(span.ended),
        "count": span.count,
        "ok": span.ok,
        "file": span.file or None,
        "transport": span.transport or None,
        "bytes": span.bytes,
        "due": span.due or None,
        "retransmits": span.retransmits,
        "text": span.text or None,
    }


def _time(seconds: float) -> float | None:
    return round(seconds, 3) or None
