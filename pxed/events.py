"""Events: every milestone of a boot is one frozen value. Log, API, dashboard, metrics and tests read the same ones.

A kind that is a stage of a boot carries the stage's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Level(IntEnum):
    """INFO is a machine's milestone, WARNING is something somebody should act on, DEBUG is a packet."""

    DEBUG = 10
    INFO = 20
    WARNING = 30


class Kind(StrEnum):
    """What happened. The first group are the stages of a boot, in their order."""

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
    FAILED = "failed"

    IGNORED = "ignored"  # a request that policy leaves unanswered, with the reason
    UNDECODABLE = "undecodable"
    HELD = "held"  # the waiting screen was given
    TRANSFER = "transfer"  # a TFTP or HTTP transfer that is no stage by itself
    REFUSED = "refused"  # a request answered by an error: not found, not allowed
    ALERT = "alert"  # somebody should look: a token used twice, a machine held
    STATE = "state"  # where a machine's installation is
    PROGRESS = "progress"  # a transfer under way: how far it is
    REPLY = "reply"  # another server's DHCP reply, seen on the wire
    STUCK = "stuck"  # a boot does not go on: the cause, with evidence and remedy in `data`
    SYSLOG = "syslog"  # a line that a machine sent to the syslog receiver

    READY = "ready"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload-failed"
    STOPPING = "stopping"
    NOTICE = "notice"  # of the daemon itself
    DROPPED = "dropped"  # the event queue was full


Value = str | int | float | bool | None


class Event(NamedTuple):
    """One thing that happened. `time` is in seconds since 1970; `machine` is the inventory's name or "".

    A tuple rather than a dataclass: tens of thousands a second are made when a hall powers on.
    """

    kind: Kind
    time: float
    machine: str = ""
    mac: str = ""
    text: str = ""  # the sentence, without the machine: "offered snponly.efi"
    level: Level = Level.INFO
    data: Mapping[str, Value] = MappingProxyType({})

    def line(self) -> str:
        """The log line: the machine first."""
        who = f"{self.machine} [{self.mac}]" if self.machine and self.mac else self.machine or self.mac or "pxed"
        return f"{who}: {self.kind}: {self.text}"


Emit = Callable[[Event], None]
