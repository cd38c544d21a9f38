"""What Ignition asks for: a machine's config, as JSON or in an initrd. What is guarded is given for a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from pxed.boot.delivery import OEM_NAME, OEM_SUFFIX, embeds_config, needs_archive, serves_config
from pxed.events import Emit, Kind
from pxed.ignition.config import IgnitionError
from pxed.ignition.document import Config, newer_than, supported_spec
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.profile import Boot, access_of
from pxed.server.access import Access
from pxed.server.callers import Caller
from pxed.server.delivered import deliver
from pxed.server.guarded import Asking, Guarded
from pxed.server.happenings import Sent, sent
from pxed.server.machines import Machines
from pxed.server.named import match_of
from pxed.server.replies import SERVER, Asked, refuse, tagged_reply
from pxed.server.routes import Route
from pxed.status.records import Purpose, Token
from pxed.status.tokens import Denied

_CONFIGS = frozenset({Purpose.CONFIG, Purpose.SECURE, Purpose.SYSTEM})
_ARCHIVES = frozenset({Purpose.ARCHIVE})
_AGAIN = {"Retry-After": "5"}
HadFirstBoot = Callable[[Caller, Match], Awaitable[None]]


class ConfigPages:
    """Hands out configs: 4xx only when it is meant (Ignition gives up at once), 503 to be asked again (1.7)."""

    def __init__(
        self, emit: Emit, access: Access, machines: Machines, guarded: Guarded, had_first_boot: HadFirstBoot
    ) -> None:
        self._emit = emit
        self._access = access
        self._machines = machines
        self._guarded = guarded
        self._had_first_boot = had_first_boot

    async def ignition(self, asked: Asked) -> web.StreamResponse:
        """/ignition/MACHINE[?token=...]."""
        match, identity, caller = match_of(asked, self._access)
        raw = asked.found.query.get("token")
        if raw is None:
            return await self._open_config(asked, match, identity, caller)
        token = self._access.check(raw, match.name, _CONFIGS, caller)
        if token.purpose is Purpose.SECURE and not caller.secure:
            refuse(403, "This config is for HTTPS only.")
        asking = self._asking(asked, match, identity, token)
        try:
            made = await asyncio.to_thread(self._guarded.config, asking, raw, token, secure=caller.secure)
        except IgnitionError as error:
            refuse(503, f"No Ignition config for {match.name} now: {error}", _AGAIN, "template")
        _check_spec(asked.request.headers.get("Accept", ""), made.config, match.name)
        response = _secret(made.config.body, made.config.content_type)
        if asked.is_get:
            what = {Purpose.SYSTEM: "the config of its installed system"}.get(token.purpose, "its Ignition config")
            await self._give(asked, caller, asking.match, response, token, made.tokens, what)
        return response

    async def archive(self, asked: Asked) -> web.StreamResponse:
        """/oem/MACHINE.cpio.gz[?token=...]: the initrd with its config and files in it."""
        text = asked.found.args[0]
        if not text.endswith(OEM_SUFFIX):
            refuse(404, f"A machine's initrd is at /oem/MACHINE{OEM_SUFFIX}.")
        match, identity, caller = match_of(asked, self._access, text.removesuffix(OEM_SUFFIX))
        raw = asked.found.query.get("token")
        if raw is None:
            return await self._open_archive(asked, match, identity, caller)
        token = self._access.check(raw, match.name, _ARCHIVES, caller)
        asking = self._asking(asked, match, identity, token)
        try:
            archive, tokens = await asyncio.to_thread(self._guarded.archive, asking, raw, token)
        except IgnitionError as error:
            refuse(503, f"No initrd for {match.name} now: {error}", _AGAIN, "template")
        response = _secret(archive.body, "application/gzip")
        if asked.is_get:
            what = "an initrd with its Ignition config"
            await self._give(asked, caller, asking.match, response, token, tokens, what)
        return response

    async def _open_config(self, asked: Asked, match: Match, identity: Identity, caller: Caller) -> web.StreamResponse:
        """Without a token: what anybody may have."""
        configs, endpoint = asked.snapshot.configs, asked.caller.endpoint
        installs = match.profile.boot is Boot.INSTALL
        if not installs and not serves_config(match.profile):
            refuse(404, _no_config(match))
        self._check_open(match, caller)
        try:
            config = None if installs else configs.kept(match, identity, endpoint)
            if config is None:
                make = configs.system if installs else configs.render
                config = await asyncio.to_thread(make, match, identity, endpoint)
        except IgnitionError as error:
            refuse(503, f"No Ignition config for {match.name} now: {error}", _AGAIN, "template")
        if config is None:
            refuse(404, _no_config(match))
        _check_spec(asked.request.headers.get("Accept", ""), config, match.name)
        response = tagged_reply(asked.request, config.body, config.content_type, config.digest)
        if asked.is_get and response.status == 200:
            await self._deliver(asked, caller, match, response, "its Ignition config")
        return response

    async def _open_archive(self, asked: Asked, match: Match, identity: Identity, caller: Caller) -> web.StreamResponse:
        if not needs_archive(match.profile):
            refuse(404, f"Profile {match.profile_name} of {match.name} puts nothing into an initrd.")
        embedded = embeds_config(match.profile)
        if embedded:
            self._check_open(match, caller)
        try:
            archive = await asyncio.to_thread(asked.snapshot.configs.archive, match, identity, asked.caller.endpoint)
        except IgnitionError as error:
            refuse(503, f"No initrd for {match.name} now: {error}", _AGAIN, "template")
        response = tagged_reply(asked.request, archive.body, "application/gzip", archive.digest)
        if asked.is_get and response.status == 200:
            what = "an initrd with its Ignition config" if embedded else "an initrd with its files"
            await self._deliver(asked, caller, match, response, what, has_config=embedded)
        return response

    def _check_open(self, match: Match, caller: Caller) -> None:
        """Raises HttpRefusalError, and an alert, where a token is needed."""
        if access_of(match.profile) != "open":
            sentence = "its config is given to its own boots only (ignition_access)"
            self._access.deny(Denied(403, "no-token", sentence), match.name, caller)

    def _asking(self, asked: Asked, match: Match, identity: Identity, token: Token) -> Asking:
        """What the token's boot has: the profile of that boot, and the version that it installs."""
        inventory, standing = asked.snapshot.inventory, self._machines.standing(match.name)
        match = self._machines.match_of_boot(inventory, match, token.boot)
        version = standing.version if standing is not None else ""
        way = self._machines.way_of(match.name, token.boot)
        return Asking(inventory, asked.snapshot.configs, match, identity, asked.caller.endpoint, way, version)

    async def _give(
        self,
        asked: Asked,
        caller: Caller,
        match: Match,
        response: web.Response,
        token: Token,
        tokens: tuple[Token, ...],
        what: str,
    ) -> None:
        """Send what a token opens: it is used up when all of it has arrived."""
        await self._access.begin(token, caller, *tokens)
        whole = False
        try:
            whole = await self._deliver(asked, caller, match, response, what, once=token.once)
        finally:
            await self._access.end(token, caller.address, whole=whole)

    async def _deliver(
        self,
        asked: Asked,
        caller: Caller,
        match: Match,
        response: web.Response,
        what: str,
        *,
        has_config: bool = True,
        once: bool = False,
    ) -> bool:
        """Send it; whether it arrived. What has the config in it is the boot's stage, and the first boot of a root."""
        began, kind = time.monotonic(), Kind.IGNITION if has_config else Kind.TRANSFER
        size = len(response.body) if isinstance(response.body, bytes) else 0
        file = OEM_NAME if asked.found.route is Route.ARCHIVE else what
        arrived = await deliver(
            asked,
            response,
            lambda: self._emit(sent(kind, caller, Sent(file, size, size, time.monotonic() - began, words=what))),
            watch=once or (has_config and match.profile.root is not None),
        )
        if has_config and arrived:
            await self._had_first_boot(caller, match)
        return arrived


def _secret(body: bytes, content_type: str) -> web.Response:
    """An answer that nothing in between may keep."""
    headers = {"Server": SERVER, "Cache-Control": "no-store"}
    return web.Response(body=body, content_type=content_type, headers=headers)


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
            why="spec",
        )
