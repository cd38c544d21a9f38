"""The config that a token opens: a machine's own, the installer's, the installed system's, or the stub before HTTPS.

Each carries tokens of the same boot for what comes next. They are made from the one that is shown, so that an answer
that broke off is given again byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha512
from pathlib import Path
from typing import NamedTuple

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.keyfile import key_bytes
from pxed.boot.course import Way
from pxed.boot.delivery import embeds_config, ignition_url, made_installer, report_url, serves_config
from pxed.boot.endpoint import Endpoint
from pxed.ignition.compose import job_of, live_config, system_config
from pxed.ignition.config import Archive, IgnitionConfigs, IgnitionError
from pxed.ignition.document import Config
from pxed.ignition.installer import Job
from pxed.ignition.snippet import SnippetError
from pxed.ignition.stub import stub_config
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Inventory, Server
from pxed.inventory.profile import access_of
from pxed.inventory.targets import target_of
from pxed.status.records import Purpose, Token

REPORT_SECONDS = 30 * 86400.0  # the next boot ends them
RESIDENT_SECONDS = 20 * 365 * 86400.0  # the next installation ends them

Derive = Callable[[str, Token, Purpose, float, bool], tuple[str, Token]]


class Made(NamedTuple):
    """A config, and the rows of the tokens in it."""

    config: Config
    tokens: tuple[Token, ...] = ()


class Asking(NamedTuple):
    """What a config is made for: a token's boot, whose profile `match` has."""

    inventory: Inventory
    configs: IgnitionConfigs
    match: Match
    identity: Identity
    endpoint: Endpoint
    way: str  # of the boot
    version: str  # that is installed


class Guarded:
    """Makes configs for tokens. Runs in threads: it keeps nothing."""

    def __init__(self, derive: Derive) -> None:
        self._derive = derive

    def config(self, asking: Asking, raw: str, token: Token, *, secure: bool) -> Made:
        """What the token opens. Raises IgnitionError."""
        try:
            if token.purpose is Purpose.SYSTEM:
                return self._system(asking, raw, token)
            ca = ca_of(asking.inventory.server)
            if token.purpose is Purpose.CONFIG and ca and not secure:
                return self._stub(asking, raw, token, ca)
            return self._live(asking, raw, token)
        except (SnippetError, MirrorError) as error:
            raise IgnitionError(str(error)) from None

    def archive(self, asking: Asking, raw: str, token: Token) -> tuple[Archive, tuple[Token, ...]]:
        """The initrd with the config in it. Raises IgnitionError."""
        match = asking.match
        if not (match.profile.report and embeds_config(match.profile)):
            return asking.configs.archive(match, asking.identity, asking.endpoint), ()
        made = self._live(asking, raw, token)
        return asking.configs.packed(match, made.config), made.tokens

    def _live(self, asking: Asking, raw: str, token: Token) -> Made:
        """What a machine that is booted from memory gets, the installer's too."""
        match, profile, server = asking.match, asking.match.profile, asking.inventory.server
        own = None
        if serves_config(profile):
            own = asking.configs.render(match, asking.identity, asking.endpoint)
        if not _installs(asking) and not profile.report:
            return Made(own) if own is not None else self._none(match)
        secret, row = self._derive(raw, token, Purpose.REPORT, REPORT_SECONDS, False)
        url = report_url(match, asking.endpoint, asking.identity, secret, secure=True)
        if not _installs(asking):
            return Made(live_config(own, profile, url, None, ca_of(server)), (row,))
        job, system = self._job(asking, raw, token, url)
        return Made(live_config(own, profile, url, job, job.ca), (row, system))

    def _job(self, asking: Asking, raw: str, token: Token, url: str) -> tuple[Job, Token]:
        match, server = asking.match, asking.inventory.server
        target = target_of(match.profile, asking.inventory.images)
        if target is None:
            raise IgnitionError(f"profile {match.profile_name} installs no release of Flatcar")
        once, deadline = access_of(match.profile) == "once", float(match.profile.installation.deadline)
        secret, row = self._derive(raw, token, Purpose.SYSTEM, deadline, once)
        job = job_of(
            match,
            target,
            asking.version,
            asking.endpoint,
            report_url=url,
            config_url=ignition_url(match, asking.endpoint, asking.identity, secret, made=True, secure=True),
            key=key_bytes(server.mirror),
            ca=ca_of(server),
        )
        return job, row

    def _system(self, asking: Asking, raw: str, token: Token) -> Made:
        match, profile = asking.match, asking.match.profile
        own = asking.configs.system(match, asking.identity, asking.endpoint)
        if not profile.report:
            return Made(own) if own is not None else self._none(match)
        secret, row = self._derive(raw, token, Purpose.RESIDENT, RESIDENT_SECONDS, False)
        url = report_url(match, asking.endpoint, asking.identity, secret, secure=True)
        return Made(system_config(own, profile, url, ca_of(asking.inventory.server)), (row,))

    def _stub(self, asking: Asking, raw: str, token: Token, ca: bytes) -> Made:
        """The config that carries the CA and names the real one, by HTTPS and by its digest."""
        ttl = max(1.0, token.expires - token.minted)
        secret, row = self._derive(raw, token, Purpose.SECURE, ttl, token.once)
        real = self._live(asking, secret, row)
        url = ignition_url(asking.match, asking.endpoint, asking.identity, secret, made=True, secure=True)
        digest = sha512(real.config.body).hexdigest()
        return Made(stub_config(real.config.spec, url, digest, ca), (row,))

    def _none(self, match: Match) -> Made:
        raise IgnitionError(f"profile {match.profile_name} has no Ignition config")


def _installs(asking: Asking) -> bool:
    """Whether the config is the installer's."""
    image = asking.inventory.images.get(asking.match.profile.image or "")
    return image is not None and made_installer(image, asking.way == Way.INSTALL)


def ca_of(server: Server) -> bytes:
    """The CA that machines are told to trust; b"" without one. Raises IgnitionError."""
    path: Path | None = server.http.tls.ca if server.http.tls is not None else None
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise IgnitionError(f"cannot read {path} (server.http.tls.ca): {error.strerror}") from None
