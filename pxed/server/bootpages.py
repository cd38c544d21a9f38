"""What iPXE asks for: its machine's script."""

from __future__ import annotations

from aiohttp import web

from pxed.boot.course import Course, Way
from pxed.boot.page import Page, Release, page_for
from pxed.boot.script import entry_script
from pxed.events import Emit, Kind, Level, Value
from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.server.access import NOT_KEPT
from pxed.server.callers import Caller, ClientMap, identity_of, smbios_text
from pxed.server.firstboot import FirstBoots
from pxed.server.happenings import happened, printable
from pxed.server.named import known_as
from pxed.server.releases import Releases
from pxed.server.replies import Asked, refuse, text_reply
from pxed.server.script_events import script_data
from pxed.server.visits import Arrival, Visitor, Visits, is_guarded
from pxed.status.store.errors import StoreError

_IDENTITY_FIELDS = frozenset({"mac", "uuid", "serial"})


class BootPages:
    """Answers machines out of the snapshot that each request keeps."""

    def __init__(
        self, emit: Emit, clients: ClientMap, first_boots: FirstBoots, releases: Releases, visits: Visits
    ) -> None:
        self._emit = emit
        self._clients = clients
        self._first_boots = first_boots
        self._releases = releases
        self._visits = visits

    async def entry(self, asked: Asked) -> web.StreamResponse:
        """The script that asks again and says who it is."""
        return text_reply(entry_script(asked.caller.endpoint))

    async def boot(self, asked: Asked) -> web.StreamResponse:
        """/boot.ipxe: with a query that names the machine, its script; otherwise the entry."""
        if not _IDENTITY_FIELDS & asked.found.query.keys():
            return await self.entry(asked)
        try:
            said = identity_of(asked.found.query)
        except ValueError:
            refuse(400, "The query's mac= is not the MAC address of an interface.")
        identity = said._replace(mac=said.mac or asked.caller.mac)
        match = resolve(asked.snapshot.inventory, identity)
        caller = known_as(asked.caller, match.machine, identity.mac)
        if isinstance(match, Unmatched):
            self._learn(asked, match, identity, said.mac)
            return self._unmatched(asked, caller, match, identity)
        if not match.name:
            refuse(400, "A machine that is not listed must say its MAC address: mac=")
        query = asked.found.query
        asset = smbios_text(query.get("asset", "")) or ""
        visitor = Visitor(match, identity, caller, query.get("boot", ""), asset, "announced" in query)
        return await self._matched(asked, self._visits.arrive(asked.snapshot.inventory, visitor), said.mac)

    async def _matched(self, asked: Asked, arrival: Arrival, said: str) -> web.StreamResponse:
        """A boot of a machine with a profile: its course is kept before it is told."""
        inventory, match, caller = asked.snapshot.inventory, arrival.match, arrival.visitor.caller
        release, version = self._releases.needed(
            inventory, match, arrival.visitor.identity.arch, installs=arrival.way is Way.INSTALL
        )
        if not asked.is_get:
            course = Course(Way.ANNOUNCE if is_guarded(inventory, arrival) else arrival.way)
            return text_reply(self._page(asked, arrival, course, release).script)
        try:
            course = await self._visits.settle(inventory, arrival, version, release.missing if release else "")
        except StoreError:
            refuse(503, f"No script for {match.name}. {NOT_KEPT}: ask again.", {"Retry-After": "5"})
        if not course.refused:
            self._learn(asked, arrival.visitor.match, arrival.visitor.identity, said)
        page = self._page(asked, arrival, course, release)
        self._say_matched(asked, caller, arrival, course, page)
        return text_reply(page.script)

    def _page(self, asked: Asked, arrival: Arrival, course: Course, release: Release | None) -> Page:
        match = arrival.match
        return page_for(
            asked.snapshot.inventory,
            match,
            arrival.visitor.identity,
            asked.caller.endpoint,
            release=release,
            first_boot_done=self._first_boots.done(match.name, match.profile.root),
            course=course,
        )

    def _learn(self, asked: Asked, match: Match | Unmatched, identity: Identity, said: str) -> None:
        """Which NIC is at the caller's address, and which machine boots from it."""
        if asked.is_get and said:
            self._clients.learn(asked.caller.address, said)
        if match.machine is not None and identity.mac not in match.machine.macs:
            self._clients.learn_name(identity.mac, match.machine.name)

    def _unmatched(self, asked: Asked, caller: Caller, match: Unmatched, identity: Identity) -> web.StreamResponse:
        round_ = _small_number(asked.found.query.get("held", ""))
        page = page_for(asked.snapshot.inventory, match, identity, asked.caller.endpoint, held_rounds=round_)
        if asked.is_get:
            self._say_unmatched(asked, caller, match, round_)
        return text_reply(page.script)

    def _say_unmatched(self, asked: Asked, caller: Caller, match: Unmatched, round_: int) -> None:
        if not match.hold:
            self._emit(happened(Kind.IGNORED, caller, match.reason, reason=match.reason))
            return
        level = Level.INFO if round_ == 0 else Level.DEBUG
        text = f"shows the waiting screen: {match.reason}"
        figures = {key: asked.found.query.get(key, "")[:64] for key in ("uuid", "serial", "arch", "platform")}
        self._emit(happened(Kind.HELD, caller, text, level, **{k: printable(v) for k, v in figures.items()}))

    def _say_matched(self, asked: Asked, caller: Caller, arrival: Arrival, course: Course, page: Page) -> None:
        """A boot that waits, or is held, says so when it begins to; at each further question it is no news."""
        match, news = arrival.match, arrival.is_new or not arrival.continues
        if page.problem:
            text = f"cannot be booted: {page.problem}"
            level = Level.WARNING if news or course.way in (Way.MEMORY, Way.INSTALL) else Level.DEBUG
            told: dict[str, Value] = {"route": str(asked.found.route), "transport": "http", "status": 200}
            self._emit(happened(Kind.REFUSED, caller, text, level, reason=page.problem, **told))
        text = f"gave the script of profile {match.profile_name} ({course.way})"
        level = Level.INFO if news or course.way in (Way.MEMORY, Way.INSTALL, Way.LOCAL) else Level.DEBUG
        report = course.way is Way.INSTALL or self._visits.awaits_report(arrival, course)
        endpoint, query = asked.caller.endpoint, asked.found.query
        data = script_data(arrival, course.boot, course.way, page, endpoint, query, report=report)
        self._emit(happened(Kind.SCRIPT, caller, text, level, **data))


def _small_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
