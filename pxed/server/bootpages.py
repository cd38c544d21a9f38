"""What a booting machine asks for: its script, its Ignition config, and a place to report to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from pxed.boot.delivery import OEM_SUFFIX, embeds_config, needs_archive, serves_config
from pxed.boot.page import Page, page_for
from pxed.boot.script import entry_script
from pxed.events import Emit, Kind, Level
from pxed.ignition.config import IgnitionError
from pxed.ignition.document import Config, newer_than, supported_spec
from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.inventory.model import Machine
from pxed.server.bodies import read_body
from pxed.server.callers import Caller, ClientMap, identity_of, named
from pxed.server.firstboot import FirstBootError, FirstBoots
from pxed.server.happenings import happened, printable, sent
from pxed.server.releases import Releases
from pxed.server.replies import Asked, json_reply, refuse, tagged_reply, text_reply

MAX_REPORT = 64 << 10  # bytes
_IDENTITY_FIELDS = frozenset({"mac", "uuid", "serial"})
_STAGES = {
    "running": Kind.RUNNING,
    "installing": Kind.INSTALLING,
    "installed": Kind.INSTALLED,
    "failed": Kind.FAILED,
}


class BootPages:
    """Answers machines out of the snapshot that each request keeps."""

    def __init__(self, emit: Emit, clients: ClientMap, first_boots: FirstBoots, releases: Releases) -> None:
        self._emit = emit
        self._clients = clients
        self._first_boots = first_boots
        self._releases = releases

    async def entry(self, asked: Asked) -> web.StreamResponse:
        """The script that asks again and says who it is."""
        return text_reply(entry_script(asked.caller.endpoint))

    async def boot(self, asked: Asked) -> web.StreamResponse:
        """/boot.ipxe: with a query that names the machine, its script; otherwise the entry."""
        if not _IDENTITY_FIELDS & asked.found.query.keys():
            return await self.entry(asked)
        try:
            identity = identity_of(asked.found.query)
        except ValueError:
            refuse(400, "The query's mac= is not the MAC address of an interface.")
        if asked.is_get and identity.mac:
            self._clients.learn(asked.caller.address, identity.mac)
        identity = identity._replace(mac=identity.mac or asked.caller.mac)
        match = resolve(asked.snapshot.inventory, identity)
        caller = _known_as(asked.caller, match.machine, identity.mac)
        if match.machine is not None and identity.mac not in match.machine.macs:
            self._clients.learn_name(identity.mac, match.machine.name)
        if isinstance(match, Match) and not match.name:
            refuse(400, "A machine that is not listed must say its MAC address: mac=")
        round_ = _small_number(asked.found.query.get("held", ""))
        done = isinstance(match, Match) and self._first_boots.done(match.name, match.profile.root)
        inventory, endpoint = asked.snapshot.inventory, asked.caller.endpoint
        release = self._releases.booted_by(inventory, match, identity.arch) if isinstance(match, Match) else None
        page = page_for(inventory, match, identity, endpoint, release=release, first_boot_done=done, held_rounds=round_)
        if asked.is_get and isinstance(match, Match):
            self._say_matched(caller, match, identity, page)
        elif asked.is_get and isinstance(match, Unmatched):
            self._say_unmatched(asked, caller, match, round_)
        return text_reply(page.script)

    async def ignition(self, asked: Asked) -> web.StreamResponse:
        """/ignition/MACHINE: 4xx only when it is meant (Ignition gives up at once), 503 to be asked again (1.7)."""
        match, identity, caller = _match_of(asked)
        if not serves_config(match.profile):
            refuse(404, _no_config(match))
        configs, endpoint = asked.snapshot.configs, asked.caller.endpoint
        try:
            config = configs.kept(match, identity, endpoint)
            if config is None:
                config = await asyncio.to_thread(configs.render, match, identity, endpoint)
        except IgnitionError as error:
            refuse(503, f"No Ignition config for {match.name} now: {error}", {"Retry-After": "5"})
        _check_spec(asked.request.headers.get("Accept", ""), config, match.name)
        response = tagged_reply(asked.request, config.body, config.content_type, config.digest)
        if asked.is_get and response.status == 200:
            await self._deliver(asked, caller, match, response, "its Ignition config")
        return response

    async def archive(self, asked: Asked) -> web.StreamResponse:
        """/oem/MACHINE.cpio.gz: the initrd with its config and files in it."""
        text = asked.found.args[0]
        if not text.endswith(OEM_SUFFIX):
            refuse(404, f"A machine's initrd is at /oem/MACHINE{OEM_SUFFIX}.")
        match, identity, caller = _match_of(asked, text.removesuffix(OEM_SUFFIX))
        if not needs_archive(match.profile):
            refuse(404, f"Profile {match.profile_name} of {match.name} puts nothing into an initrd.")
        try:
            archive = await asyncio.to_thread(asked.snapshot.configs.archive, match, identity, asked.caller.endpoint)
        except IgnitionError as error:
            refuse(503, f"No initrd for {match.name} now: {error}", {"Retry-After": "5"})
        response = tagged_reply(asked.request, archive.body, "application/gzip", archive.digest)
        if asked.is_get and response.status == 200:
            embedded = embeds_config(match.profile)
            what = "an initrd with its Ignition config" if embedded else "an initrd with its files"
            await self._deliver(asked, caller, match, response, what, embedded)
        return response

    async def report(self, asked: Asked) -> web.StreamResponse:
        """POST /report/MACHINE {"stage": ..., "message": ...}."""
        match, _, caller = _match_of(asked)
        content = _report(await read_body(asked.request, MAX_REPORT, "A report"))
        stage, message = content["stage"], printable(content["message"])
        kind = _STAGES[stage]
        text = f"the machine reports: {stage}" + (f": {message}" if message else "")
        level = Level.WARNING if kind is Kind.FAILED else Level.INFO
        self._emit(happened(kind, caller, text, level, profile=match.profile_name, reason=message or None))
        if kind is Kind.RUNNING:
            await self._had_first_boot(caller, match)
        return json_reply({"machine": match.name, "stage": stage})

    def _say_unmatched(self, asked: Asked, caller: Caller, match: Unmatched, round_: int) -> None:
        if not match.hold:
            self._emit(happened(Kind.IGNORED, caller, match.reason, reason=match.reason))
            return
        level = Level.INFO if round_ == 0 else Level.DEBUG
        text = f"shows the waiting screen: {match.reason}"
        figures = {key: asked.found.query.get(key, "")[:64] for key in ("uuid", "serial", "arch", "platform")}
        self._emit(happened(Kind.HELD, caller, text, level, **{k: printable(v) for k, v in figures.items()}))

    def _say_matched(self, caller: Caller, match: Match, identity: Identity, page: Page) -> None:
        if page.problem:
            text = f"cannot be booted: {page.problem}"
            self._emit(happened(Kind.REFUSED, caller, text, Level.WARNING, reason=page.problem))
        text = f"gave the script of profile {match.profile_name} ({match.profile.boot})"
        profile, reason = match.profile_name, match.reason
        self._emit(happened(Kind.SCRIPT, caller, text, profile=profile, arch=identity.arch, reason=reason))

    async def _deliver(
        self,
        asked: Asked,
        caller: Caller,
        match: Match,
        response: web.Response,
        what: str,
        has_config: bool = True,
    ) -> None:
        """Send it; what has the config in it is the stage of the boot, and the first boot of a root."""
        began = time.monotonic()
        transport = asked.request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=0)  # writing then ends when the kernel has all of it
        await response.prepare(asked.request)
        await response.write_eof()
        size = len(response.body) if isinstance(response.body, bytes) else 0
        self._emit(sent(Kind.IGNITION if has_config else Kind.TRANSFER, caller, what, size, time.monotonic() - began))
        if has_config:
            await self._had_first_boot(caller, match)

    async def _had_first_boot(self, caller: Caller, match: Match) -> None:
        root = match.profile.root
        if root is None:
            return
        try:
            if await self._first_boots.mark(match.name, root):
                text = f"its root {root} has had its first boot: Ignition runs no more"
                self._emit(happened(Kind.NOTICE, caller, text))
        except FirstBootError as error:
            self._emit(happened(Kind.NOTICE, caller, f"its first boot is not recorded: {error}", Level.WARNING))


def _match_of(asked: Asked, name: str = "") -> tuple[Match, Identity, Caller]:
    """The machine that the path names, with its profile. Raises HttpRefusalError (404)."""
    text = name or asked.found.args[0]
    machine, mac = named(asked.snapshot.inventory, text)
    if machine is None and not mac:
        refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
    identity = _identity(asked, machine, mac)
    match = resolve(asked.snapshot.inventory, identity)
    if isinstance(match, Unmatched):
        refuse(404, f"{text[:80]} has no profile: {match.reason}")
    return match, identity, _known_as(asked.caller, machine, identity.mac)


def _no_config(match: Match) -> str:
    if match.profile.ignition_url:
        return f"The Ignition config of {match.name} is at {match.profile.ignition_url}"
    return f"Profile {match.profile_name} of {match.name} has no Ignition config."


def _check_spec(accept: str, config: Config, name: str) -> None:
    """Ignition says in Accept which specs it reads; a newer config would stop its boot with a text that few see."""
    supported = supported_spec(accept)
    if supported and config.spec and newer_than(config.spec, supported):
        refuse(
            406,
            f"The config of {name} is of Ignition version {config.spec}, but the Ignition that asks reads {supported} "
            f"at most: write the config for {supported}, or boot a newer release.",
        )


def _identity(asked: Asked, machine: Machine | None, mac: str) -> Identity:
    """What the inventory says of a listed machine; what its query says of anything else (see cmdline.ignition_url)."""
    said = identity_of({key: value for key, value in asked.found.query.items() if key != "mac"})
    if machine is None:
        return said._replace(mac=mac)
    own = asked.caller.mac if asked.caller.mac in machine.macs else next(iter(machine.macs), "")
    return Identity(
        mac=mac or own,
        uuid=machine.uuid.bytes if machine.uuid else said.uuid,
        serial=machine.serial or said.serial,
        arch=said.arch,
    )


def _known_as(caller: Caller, machine: Machine | None, mac: str) -> Caller:
    return replace(caller, machine=machine.name if machine else "", mac=mac or caller.mac)


def _report(body: bytes) -> Mapping[str, str]:
    """Stage and message. Raises HttpRefusalError."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        refuse(400, 'A report is JSON: {"stage": "running", "message": "..."}')
    stage = content.get("stage") if isinstance(content, dict) else None
    message = content.get("message", "") if isinstance(content, dict) else None
    if not isinstance(stage, str) or stage not in _STAGES:
        refuse(400, f"A report's stage is one of {', '.join(_STAGES)}.")
    if not isinstance(message, str):
        refuse(400, "A report's message is a text.")
    return {"stage": stage, "message": message}


def _small_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
