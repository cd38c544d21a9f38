"""What a boot has shown so far, beside its stages: the facts that the diagnosis reads.

Kept for the newest boot of each machine only. Times are seconds since 1970, 0.0 for never; every table has a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pxed.status.boots import Boot, Stage
from pxed.status.network import ServerSeen

MOST_FLOWS = 16  # files of one boot
MOST_PAST = 4  # boots remembered beside the current one
LOADS = ("memory", "install")  # ways in which a boot loads an image


@dataclass(slots=True)
class Flow:
    """One file on its way to the machine; repeated requests for it are one flow."""

    file: str
    stage: Stage | None
    transport: str
    first: float  # the first request for it
    began: float  # and the last
    moved: float  # when a byte last arrived
    id: int = -1
    bytes: int = 0
    due: int = 0
    blksize: int = 0
    starts: int = 1
    heard: bool = False  # whether the machine acknowledged anything
    done: float = 0.0
    broke: float = 0.0
    why: str = ""


@dataclass(slots=True)
class Lease:
    """The address that the current client of the boot has asked for."""

    server: str = ""  # the DHCP server that it chose (option 54)
    address: str = ""
    time: float = 0.0
    refused: str = ""  # the server that sent a NAK
    declined: str = ""  # an address that somebody else has


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last request that was answered by an error, of one kind."""

    time: float
    status: int
    reason: str
    what: str  # URL or file
    why: str = ""  # a word: digest


@dataclass(slots=True)
class Plan:
    """What the script has told the machine to do."""

    files: tuple[str, ...] = ()
    config: str = ""
    config_url: str = ""
    report_by: float = 0.0
    first_boot: bool = True
    root: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Install:
    """Where the installation of the machine is, as its STATE events say."""

    state: str = ""
    attempt: int = 0
    attempts: int = 0
    reason: str = ""
    held: bool = False
    since: float = 0.0


NO_INSTALL = Install()


@dataclass(slots=True)
class Trail:
    """The newest boot of one machine with everything that was seen of it."""

    boot: Boot
    offers: int = 0  # pxed's answers on port 67 to its firmware
    offered: str = ""  # the boot file in them
    asked_first: float = 0.0  # when its firmware began to ask, as the client that it is now
    asked_last: float = 0.0  # and when it last spoke by DHCP
    server: str = ""  # pxed's address in them
    left_out: str = ""  # why its firmware is not answered
    unsent: str = ""
    lease: Lease = field(default_factory=Lease)
    replies: dict[str, ServerSeen] = field(default_factory=dict)  # of others, to this machine
    bootservers: int = 0  # its requests on port 4011
    bootserver_last: float = 0.0
    loaders: int = 0  # loaders it got whole since its last script
    ipxe_offered: str = ""
    ipxe_at: float = 0.0
    lacks: str = ""  # features of its iPXE build
    flows: dict[str, Flow] = field(default_factory=dict)  # the newest last
    refusals: dict[str, Refusal] = field(default_factory=dict)  # by route
    plan: Plan = field(default_factory=Plan)
    scripted: float = 0.0
    loaded: float = 0.0  # when it had all files of its script
    spoke: float = 0.0  # when its booted system first spoke
    disk_spoke: float = 0.0  # a system's DHCP while its firmware was at it: it has gone to its disk
    fetched: float = 0.0  # its Ignition config
    others: tuple[str, ...] = ()  # UUIDs of firmware that spoke with its MAC
    clash: float = 0.0  # when two of them took turns
    install: Install = NO_INSTALL
    look: float = 0.0  # when it is to be looked at again

    def flow(self, *stages: Stage) -> Flow | None:
        """The newest file of these stages."""
        return next((flow for flow in reversed(self.flows.values()) if flow.stage in stages), None)

    @property
    def is_open(self) -> bool:
        return not self.boot.ended


@dataclass(slots=True)
class Track:
    """A machine's boots: the newest with its trail, and what is kept of the ones before, newest first."""

    trail: Trail | None = None
    past: list[Boot] = field(default_factory=list)
    changed: int = 0
