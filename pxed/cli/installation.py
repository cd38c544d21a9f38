"""What a command shows of an installation: the config that installs, and that of the system it installs.

In place of each secret stands TOKEN.
"""

from __future__ import annotations

from pxed.assets.mirror.index import load_index
from pxed.assets.mirror.keyfile import key_bytes
from pxed.assets.mirror.rollout import version_for
from pxed.boot.course import Course
from pxed.boot.delivery import embeds_config, ignition_url, report_url, secrets_of
from pxed.boot.endpoint import Endpoint
from pxed.boot.page import WAY
from pxed.ignition.compose import job_of, live_config, system_config
from pxed.ignition.config import Archive, IgnitionError, recipe_of, system_recipe_of
from pxed.ignition.document import Config
from pxed.ignition.installer import Job
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Boot, Install
from pxed.inventory.targets import Target, target_of
from pxed.server.guarded import ca_of
from pxed.server.live import Snapshot

TOKEN = "TOKEN"  # noqa: S105  # stands for a secret


def target_for(snapshot: Snapshot, match: Match) -> Target | None:
    """The release of Flatcar that a machine's profile installs; None for none."""
    if match.profile.boot is not Boot.INSTALL:
        return None
    return target_of(match.profile, snapshot.inventory.images)


def version_to_install(snapshot: Snapshot, match: Match, target: Target) -> str:
    """Its mirrored version; "" when there is none yet. Raises MirrorError."""
    index = load_index(snapshot.inventory.server.data_dir / "mirror")
    return version_for(target.image, target.flatcar, index, match.name)


def course_of(snapshot: Snapshot, match: Match) -> Course:
    """What a boot does of a machine of which nothing else is known than the inventory: the first one."""
    way = WAY[match.profile.boot]
    shows = secrets_of(match.profile, snapshot.inventory.images.get(match.profile.image or ""), way)
    token, tls = TOKEN if shows.config or shows.archive else "", snapshot.inventory.server.http.tls
    secure = tls is not None and tls.ca is None and bool(token)
    return Course(way, token=token, report=TOKEN if shows.report else "", secure=secure)


def booted(snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint) -> Config:
    """The config of what a machine boots, that of the installer too. Raises PxedError."""
    target = target_for(snapshot, match)
    if target is None or recipe_of(match.profile).paths:
        own = snapshot.configs.render(match, identity, endpoint)
    else:
        own = None
    job = _job(snapshot, match, identity, endpoint, target) if target is not None else None
    return live_config(
        own, match.profile, _report_url(match, endpoint, identity), job, ca_of(snapshot.inventory.server)
    )


def archived(snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint) -> Archive:
    """The initrd that is made for a machine, with the unit that reports where that is in it. Raises PxedError."""
    if match.profile.report and embeds_config(match.profile):
        return snapshot.configs.packed(match, booted(snapshot, match, identity, endpoint))
    return snapshot.configs.archive(match, identity, endpoint)


def installed(snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint) -> Config:
    """The config of the system that a machine installs. Raises PxedError."""
    if target_for(snapshot, match) is None:
        raise IgnitionError(f"profile {match.profile_name} installs no Flatcar")
    own = snapshot.configs.system(match, identity, endpoint)
    if own is None and not match.profile.report:
        raise IgnitionError(f"profile {match.profile_name} installs a system without an Ignition config")
    return system_config(own, match.profile, _report_url(match, endpoint, identity), ca_of(snapshot.inventory.server))


def summary(snapshot: Snapshot, match: Match, target: Target | None) -> tuple[str, str]:
    """What `boot: install` does with a machine, and by which rules; each as a sentence. Raises MirrorError."""
    install, profile = match.profile.installation, match.profile
    then = "reboots" if install.reboot else "stays up (reboot: false)"
    if target is None:
        return (
            f"image {profile.image} installs itself, and reports to the URL in pxed.report= on its command line",
            _rules(install),
        )
    version = version_to_install(snapshot, match, target)
    release = f"Flatcar {version}" if version else f"Flatcar {target.flatcar.channel}, not mirrored yet,"
    config = next((str(path) for path in system_recipe_of(profile).paths), "")
    with_config = f"with the config of {config}" if config else "without an Ignition config"
    disk = install.disk if (install.disk or "").startswith("/") else f"the {install.disk} disk"
    return f"writes {release} of image {target.image} to {disk}, {with_config}, reports, and {then}", _rules(install)


def _rules(install: Install) -> str:
    last = "is held" if install.after_failure == "hold" else "boots its disk"
    return (
        f"boot: install, until the machine reports that it is installed; then it boots its disk. An attempt fails "
        f"{words(install.deadline)} after its last report; the next begins {words(install.backoff)} later, then after "
        f"twice as long; after {install.attempts} failed attempt{'s' * (install.attempts > 1)} the machine {last}"
    )


def words(seconds: int) -> str:
    """A time as it stands in an inventory: "90s", "30m", "2h"."""
    unit, size = next(
        (unit, size) for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if not seconds % size
    )
    return f"{seconds // size}{unit}"


def _job(snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint, target: Target) -> Job:
    return job_of(
        match,
        target,
        version_to_install(snapshot, match, target) or target.flatcar.version,
        endpoint,
        report_url=_report_url(match, endpoint, identity),
        config_url=ignition_url(match, endpoint, identity, TOKEN, made=True, secure=True),
        key=key_bytes(snapshot.inventory.server.mirror),
        ca=ca_of(snapshot.inventory.server),
    )


def _report_url(match: Match, endpoint: Endpoint, identity: Identity) -> str:
    return report_url(match, endpoint, identity, TOKEN, secure=True)
