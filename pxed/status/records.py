"""What the state store keeps, one frozen value for each row. Times are seconds since 1970; "" and 0.0 mean none.

A machine's name is the inventory's, or the MAC of one that a group chose. Texts of peers are bounded before they get
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a machine's installation is (README.md, "Install once")."""

    WANTED = "wanted"  # the next boot installs, when its back-off is over
    INSTALLING = "installing"  # the machine has reported that it does
    INSTALLED = "installed"  # the machine has reported that it is done
    LOCAL = "local"  # it boots its disk
    FAILED = "failed"  # every attempt failed: it is held until an operator acts


@dataclass(frozen=True, slots=True)
class Standing:
    """What one machine is to do next: its installation, an operator's order, a one-shot boot."""

    machine: str
    # As listed when this was written: a renamed machine is found by them. Without a MAC "uuid:..." or "serial:...".
    macs: tuple[str, ...] = ()
    state: State | None = None  # None: whatever the inventory says
    ordered: bool = False  # an operator asked for this state
    profile: str = ""  # the profile that the operator named for the installation; "": the machine's own
    since: float = 0.0  # when the state was reached
    attempt: int = 0  # attempts begun since the installation was asked for
    boot: str = ""  # the boot in which the open attempt runs
    deadline: float = 0.0  # of the open attempt: without a report by then it has failed
    not_before: float = 0.0  # the next attempt may begin
    reason: str = ""  # why the last attempt failed
    version: str = ""  # the release that is being installed, or was
    next_profile: str = ""  # one-shot: the profile of the next boot
    next_boot: str = ""  # the boot that got it
    next_loaded: bool = False  # that boot has loaded all of it: it is used up when another boot begins


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to install a machine."""

    machine: str
    boot: str
    number: int
    began: float
    ended: float = 0.0
    outcome: str = ""  # installed | failed | superseded; "": open
    reason: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class BootRecord:
    """One boot that was given a script."""

    id: str
    machine: str
    mac: str
    address: str
    began: float
    profile: str
    way: str  # pxed.boot.course.Way
    deadline: float = 0.0  # for its first report; 0.0: none is expected
    reported: str = ""  # the last stage that it reported: installing, running, installed, failed; "": none yet
    reported_at: float = 0.0
    message: str = ""
    version: str = ""  # of the mirrored release
    ended: float = 0.0  # when the next boot began, or its last report came


class Purpose(StrEnum):
    """What a token opens."""

    CONFIG = "config"  # the Ignition config of a boot: the machine's, or the installer's
    SECURE = "secure"  # the same over HTTPS, named by the config that carries the CA
    SYSTEM = "system"  # the config of the system that the installer writes
    ARCHIVE = "archive"  # the initrd with the config in it
    REPORT = "report"  # reports of one boot
    RESIDENT = "resident"  # reports of the installed system


class Spent(StrEnum):
    """How far a token that works once has been used."""

    FRESH = "fresh"
    SERVING = "serving"  # an answer is under way; after a broken one only the same address may ask again
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that was given out. Only its hash is known."""

    hash: str  # SHA-256, hexadecimal
    machine: str
    boot: str
    purpose: Purpose
    minted: float
    expires: float
    once: bool = False  # the first complete answer spends it
    state: Spent = Spent.FRESH
    address: str = ""  # who asks with it: bound at the first use, or from the start where the profile checks it


@dataclass(frozen=True, slots=True)
class Booted:
    """The mirrored release that a machine booted last."""

    machine: str
    image: str
    version: str
    kernel: str  # SHA-512, hexadecimal
    initrd: str
    time: float


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """The persistent root on which Ignition has run (`root:` profiles)."""

    machine: str
    root: str
    time: float
    macs: tuple[str, ...] = ()  # as of Standing


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an operator should look at. `id` is unique and sorts by time."""

    id: str
    time: float
    machine: str
    mac: str
    address: str
    what: str  # a word: replay, wrong-token, foreign-address, spoofed, unseen, held, ...
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """One boot that is over, stage by stage (pxed.status.archive). Not read at the start."""

    id: str
    machine: str  # its name of then: who has its MAC now is asked when it is read
    mac: str
    began: float
    ended: float
    outcome: str  # pxed.status.boots.Outcome
    fault: str  # pxed.status.wordings.Fault; "": none was found
    body: str  # JSON, of pxed.status.boots.as_dict


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of the store itself, such as the key that tokens are derived with."""

    name: str
    value: str


Row = Standing | Attempt | BootRecord | Token | Booted | FirstBoot | Alert | Timeline | Setting


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the row with this key.

    (machine,) of Standing, Booted, FirstBoot; (hash,) of Token; (id,) of BootRecord, Alert and Timeline;
    (machine, boot) of Attempt; (name,) of Setting.
    """

    kind: type[Row]
    key: tuple[str, ...]


Write = Row | Forget
