"""A machine asks for its script: which boot that is, what it does, and which tokens it gets.

Secrets are given to a boot whose DHCP pxed answered, that asks from the NIC that it names, and that is what the
inventory says of it where the profile wants that checked (`ignition_check`). A boot that pxed did not see is told to
show itself; nothing changes by its question.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pxed.boot.course import UNSEEN, Course, Way
from pxed.boot.decide import one_shot
from pxed.boot.delivery import secrets_of
from pxed.boot.page import WAY
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Inventory, Machine
from pxed.inventory.profile import Profile, access_of
from pxed.inventory.scalars import asset_key, serial_key
from pxed.server import strangers
from pxed.server.access import Access
from pxed.server.alerts import Alerts, Subject
from pxed.server.callers import Caller
from pxed.server.heirs import marks_or_name
from pxed.server.machines import Machines
from pxed.server.seen import Seen
from pxed.server.standings import gives_up, rules_of
from pxed.status import install, oneshot
from pxed.status.install import Step
from pxed.status.records import BootRecord, Purpose, Standing, State, Write
from pxed.status.store.errors import StoreError

REPORT_SECONDS = 30 * 86400.0  # a report's token: the boot that follows ends it
FULL = f"pxed knows {strangers.MOST} others that are not, which it may not forget"
TOKEN = "TOKEN"  # noqa: S105  # stands for a secret
_BOOT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and what it says."""

    match: Match
    identity: Identity
    caller: Caller
    boot: str = ""  # the boot that it says it is
    asset: str = ""
    announced: bool = False


class Arrival(NamedTuple):
    """A boot before its course is known."""

    visitor: Visitor
    match: Match  # with the profile of this boot
    way: Way  # what that profile says
    boot: str
    is_new: bool
    continues: bool  # it is known by the id that it says
    standing: Standing  # with its one-shot boot moved on
    said: str
    once: bool  # it is a one-shot boot


@dataclass(slots=True)
class _Secrets:
    """What a boot gets to show."""

    token: str = ""
    report: str = ""
    rows: list[Write] = field(default_factory=list)


class Visits:
    """Gives each boot its course."""

    def __init__(
        self,
        machines: Machines,
        access: Access,
        seen: Seen,
        alerts: Alerts,
        neighbours: Callable[[str], Collection[str]],
    ) -> None:
        self._machines = machines
        self._access = access
        self._seen = seen
        self._alerts = alerts
        self._neighbours = neighbours  # the MACs that an address has on the wire, none when they are not known

    def arrive(self, inventory: Inventory, visitor: Visitor) -> Arrival:
        """Which boot this is and which profile it boots. Changes nothing."""
        match = visitor.match
        standing = self._machines.standing(match.name) or _nothing(match)
        continues = self._continues(visitor)
        failed = standing.boot == visitor.boot and standing.state is State.WANTED and not install.is_open(standing)
        is_new = not continues or failed  # after a failed attempt the next one is another boot
        boot = secrets.token_hex(8) if is_new else visitor.boot
        choice = oneshot.on_boot(standing, boot)
        if choice.profile in inventory.profiles:
            match = one_shot(inventory, match, choice.profile)
            return Arrival(
                visitor, match, WAY[match.profile.boot], boot, is_new, continues, choice.standing, choice.said, True
            )
        match = self._machines.ordered(match, standing)
        way = Way.LOCAL if standing.ordered and standing.state is State.LOCAL else WAY[match.profile.boot]
        return Arrival(visitor, match, way, boot, is_new, continues, choice.standing, choice.said, False)

    async def settle(self, inventory: Inventory, arrival: Arrival, version: str, missing: str) -> Course:
        """What the boot does, kept before it is told. `version` would be booted or installed; `missing` says why it
        cannot be. Raises StoreError."""
        now, guarded = time.time(), is_guarded(inventory, arrival)
        if guarded and (refusal := self._stranger(inventory, arrival, now)) is not None:
            return refusal
        course, step = self._course(arrival, now, version)
        if missing and course.way in (Way.MEMORY, Way.INSTALL):
            return course._replace(boot="" if arrival.is_new else arrival.boot)
        with self._machines.changes.one(arrival.match.name):
            tokens = self._secrets(inventory, arrival, course)
            record = self._record(arrival, course, now, version)
            await self._begin(arrival, now, step, record, tokens.rows, guarded=guarded)
        tls = inventory.server.http.tls
        secure = tls is not None and tls.ca is None and bool(tokens.token or tokens.report)
        return course._replace(boot=arrival.boot, token=tokens.token, report=tokens.report, secure=secure)

    def foresee(self, inventory: Inventory, arrival: Arrival, version: str) -> Course:
        """What settle() would say of this boot once it has shown itself, TOKEN for each secret. Changes nothing."""
        course, _ = self._course(arrival, time.time(), version)
        profile, tls = arrival.match.profile, inventory.server.http.tls
        shows = secrets_of(profile, inventory.images.get(profile.image or ""), course.way)
        token, report = TOKEN if shows.config or shows.archive else "", TOKEN if shows.report else ""
        secure = tls is not None and tls.ca is None and bool(token or report)
        return course._replace(boot="", token=token, report=report, secure=secure)

    async def _begin(
        self, arrival: Arrival, now: float, step: Step, record: BootRecord | None, rows: list[Write], *, guarded: bool
    ) -> None:
        name = arrival.match.name
        old, seen = self._machines.standing(name), self._seen.has_begun(name, now)
        self._seen.take(name)
        if guarded or step.standing != (old or _nothing(arrival.match)):
            try:
                await self._machines.begin(old, step, record, *rows)
            except StoreError:
                if seen:
                    self._seen.boot(name, now)
                raise
        elif record is not None:
            self._machines.began_unguarded(record, *rows)

    def awaits_report(self, arrival: Arrival, course: Course) -> bool:
        """Whether the booted system is to report that it runs."""
        runs = course.way is Way.MEMORY or self._runs_from_disk(arrival, course)
        return arrival.match.profile.report and runs

    def _continues(self, visitor: Visitor) -> bool:
        """Whether iPXE asks again and says which boot it is. A boot whose config was fetched is past iPXE."""
        name, boots = visitor.match.name, self._machines.boots(visitor.match.name)
        if not _BOOT.fullmatch(visitor.boot) or not boots or boots[0].id != visitor.boot:
            return False
        return not self._access.is_spent(name, visitor.boot, Purpose.CONFIG)

    def _stranger(self, inventory: Inventory, arrival: Arrival, now: float) -> Course | None:
        """What a boot gets that may not have its machine's secrets; None for one that may."""
        visitor, name = arrival.visitor, arrival.match.name
        if not self._machines.has_room_for(name):
            self._alert("too-many", arrival, f"{name} is not listed, and {FULL}: list it")
            return Course(Way.HELD, f"it is not listed, and {FULL}: list it", refused=True)
        if wire := self._other_nic(visitor):
            text = f"{visitor.caller.address} asked for the script of {name} as {visitor.identity.mac}, but is {wire}"
            self._alert("spoofed", arrival, text)
            return Course(Way.HELD, "the address that asks belongs to another NIC than the one it names", refused=True)
        if problem := _other_hardware(visitor, arrival.match.profile):
            self._alert("other-hardware", arrival, f"a boot of {name} {problem}: it gets no secret")
            return Course(Way.HELD, f"this boot {problem}: see ignition_check of its profile", refused=True)
        if arrival.continues or inventory.server.script_only or self._seen.has_begun(name, now):
            return None
        relayed = self._seen.refusal(name, now)
        why = relayed or (UNSEEN if visitor.announced else "")
        if why:
            text = f"{visitor.caller.address} asks for the script of {name}, but {why}"
            self._alert("relay" if relayed else "unseen", arrival, text)
        return self._unseen(arrival, why)

    def _other_nic(self, visitor: Visitor) -> str:
        """The NIC that asks, when it is neither the one that it names nor another of the machine's; else ""."""
        wire, machine = self._neighbours(visitor.caller.address), visitor.match.machine
        own = {visitor.identity.mac, *(machine.macs if machine is not None else ())}
        return "" if not wire or not visitor.identity.mac or own.intersection(wire) else next(iter(wire))

    def _unseen(self, arrival: Arrival, why: str) -> Course:
        """What has no secret in it is told to anybody; for the rest the boot shows itself first."""
        standing, profile = arrival.standing, arrival.match.profile
        if arrival.way is Way.INSTALL:
            if standing.state in (State.INSTALLED, State.LOCAL) or gives_up(standing, profile):
                return Course(Way.LOCAL)
            if standing.state is State.FAILED:
                turn = install.on_boot(standing, arrival.boot, time.time(), rules_of(profile))
                return Course(turn.way, turn.text, turn.seconds)
        return Course(Way.ANNOUNCE, why)

    def _course(self, arrival: Arrival, now: float, version: str) -> tuple[Course, Step]:
        standing, profile = arrival.standing, arrival.match.profile
        if arrival.way is not Way.INSTALL:
            if arrival.once and arrival.way is Way.LOCAL:
                standing = oneshot.on_loaded(standing)
            return Course(arrival.way), Step(standing, (), arrival.said)
        if standing.state is None:
            wanted = install.wanted(standing.machine, standing.macs, now)
            standing = _keep_next(wanted, standing)
        turn = install.on_boot(standing, arrival.boot, now, rules_of(profile), version)
        if turn.way is Way.HELD and gives_up(turn.step.standing, profile):
            return Course(Way.LOCAL), turn.step
        return Course(turn.way, turn.text, turn.seconds), turn.step

    def _secrets(self, inventory: Inventory, arrival: Arrival, course: Course) -> _Secrets:
        """The tokens that the script carries; a boot that asks again gets new ones, the old ones end."""
        made, name, profile = _Secrets(), arrival.match.name, arrival.match.profile
        shows = secrets_of(profile, inventory.images.get(profile.image or ""), course.way)
        if arrival.is_new or any(shows):
            made.rows += self._access.drop(name, keep=(Purpose.RESIDENT,))
        if shows.config or shows.archive:
            purpose = Purpose.CONFIG if shows.config else Purpose.ARCHIVE
            once = course.way is Way.INSTALL or access_of(profile) == "once"
            bound = arrival.visitor.caller.address if "address" in profile.ignition_check else ""
            ttl = float(inventory.server.token_ttl)
            made.token = self._access.mint(purpose, name, arrival.boot, ttl, once=once, address=bound)
        if shows.report:
            made.report = self._access.mint(Purpose.REPORT, name, arrival.boot, REPORT_SECONDS, once=False)
        made.rows += self._access.rows(name, arrival.boot)
        return made

    def _record(self, arrival: Arrival, course: Course, now: float, version: str) -> BootRecord | None:
        """The row of a boot that is new, or does something else now: it may have waited until now. None: no news."""
        profile, caller = arrival.match.profile, arrival.visitor.caller
        awaited = self.awaits_report(arrival, course)
        version = version if course.way in (Way.MEMORY, Way.INSTALL) else ""
        if not arrival.is_new:
            known = self._machines.boots(arrival.match.name)[0]
            news = known.way != course.way or known.version != version
            return replace(known, way=str(course.way), version=version) if news else None
        return BootRecord(
            arrival.boot,
            arrival.match.name,
            arrival.visitor.identity.mac,
            caller.address,
            now,
            arrival.match.profile_name,
            str(course.way),
            deadline=now + profile.report_within if awaited else 0.0,
            version=version,
        )

    def _runs_from_disk(self, arrival: Arrival, course: Course) -> bool:
        """Whether this boot is of a system that pxed installed, and told how to report."""
        rows = self._access.rows(arrival.match.name, arrival.standing.boot)
        return course.way is Way.LOCAL and any(row.purpose is Purpose.RESIDENT for row in rows)

    def _alert(self, what: str, arrival: Arrival, text: str) -> None:
        caller = arrival.visitor.caller
        self._alerts.alert(what, Subject(arrival.match.name, caller.mac, caller.address), text)


def is_guarded(inventory: Inventory, arrival: Arrival) -> bool:
    """Whether who asks must be the machine: what this boot gets is for it only, or uses up an operator's order."""
    profile = arrival.match.profile
    return arrival.once or any(secrets_of(profile, inventory.images.get(profile.image or ""), arrival.way))


def _nothing(match: Match) -> Standing:
    """Nothing is known of it."""
    return Standing(match.name, marks_or_name(match.machine, match.name))


def _keep_next(new: Standing, old: Standing) -> Standing:
    """An installation that begins leaves the one-shot boot as it is."""
    return replace(new, next_profile=old.next_profile, next_boot=old.next_boot, next_loaded=old.next_loaded)


def _other_hardware(visitor: Visitor, profile: Profile) -> str:
    """What of the machine is not as the inventory has it, of what the profile wants checked; "" when all is."""
    machine, identity = visitor.match.machine, visitor.identity
    for check in profile.ignition_check:
        if check == "address":
            continue
        if machine is None:
            return f"is of a machine that is not listed, and ignition_check wants its {check}"
        if check == "serial" and serial_key(identity.serial or "") != serial_key(machine.serial or ""):
            return "says another serial number than the inventory"
        if check == "uuid" and not _is_uuid(identity.uuid, machine):
            return "says another UUID than the inventory"
        if check == "asset" and (not visitor.asset or asset_key(visitor.asset) != asset_key(machine.asset_tag or "")):
            return "says another asset tag than the inventory"
    return ""


def _is_uuid(said: bytes | None, machine: Machine) -> bool:
    """In either byte order (RFC 4578 2.3 and SMBIOS disagree)."""
    return said is not None and machine.uuid is not None and said in (machine.uuid.bytes, machine.uuid.bytes_le)
