"""How a machine gets its Ignition config: from a URL, or in an initrd of its own.

The initrd (Flatcar's "custom OEM", https://www.flatcar.org/docs/latest/installing/bare-metal/booting-with-pxe/) also
carries the profile's oem_files. Ignition takes the URL of the command line before an embedded config, and merges the
embedded base config into either.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode
from uuid import UUID

from pxed.boot.course import Way
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import BootFile, Role, boot_files, unique_name
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Image, Profile
from pxed.inventory.profile import access_of

OEM_SUFFIX = ".cpio.gz"
OEM_NAME = "oem.cpio.gz"
_MAX_SERIAL = 64


def has_ignition(profile: Profile) -> bool:
    """Whether machines of this profile have an Ignition config."""
    return bool(profile.config() or profile.ignition_base)


def serves_config(profile: Profile) -> bool:
    """Whether pxed makes that config itself."""
    return bool(profile.butane or profile.ignition or profile.ignition_base)


def fetches_config(profile: Profile) -> bool:
    """Whether the machine fetches its config over the network."""
    return bool(profile.ignition_url) or (serves_config(profile) and not embeds_config(profile))


def embeds_config(profile: Profile) -> bool:
    """Whether the config that pxed makes comes in an initrd."""
    return serves_config(profile) and profile.ignition_delivery == "embedded"


def needs_archive(profile: Profile) -> bool:
    """Whether the machine gets an initrd of its own."""
    return embeds_config(profile) or bool(profile.oem_files)


def made_installer(image: Image, installs: bool) -> bool:
    """Whether a boot that installs gets the installer that pxed makes: any image but Flatcar's installs itself."""
    return installs and image.flatcar is not None


class Secrets(NamedTuple):
    """Which secrets a boot's script carries."""

    config: bool = False  # in the URL of its Ignition config
    archive: bool = False  # in that of the initrd with the config in it
    report: bool = False  # on the command line, as no config of pxed's says where to report


def secrets_of(profile: Profile, image: Image | None, way: Way) -> Secrets:
    """What a boot of this profile needs to show."""
    if way not in (Way.MEMORY, Way.INSTALL):
        return Secrets()
    installer = image is not None and made_installer(image, way is Way.INSTALL)
    guarded = serves_config(profile) and (profile.report or access_of(profile) != "open")
    return Secrets(
        config=installer or (guarded and fetches_config(profile)),
        archive=not installer and guarded and embeds_config(profile),
        report=not installer and (way is Way.INSTALL or (profile.report and not serves_config(profile))),
    )


def ignition_url(
    match: Match,
    endpoint: Endpoint,
    identity: Identity,
    token: str = "",
    *,
    made: bool = False,
    secure: bool = False,
) -> str:
    """Where the machine fetches its config; `made`: one that pxed makes, whatever the profile names; `secure`: by
    HTTPS where pxed has that.

    A machine whose profile a group chose says again what chose it.
    """
    if match.profile.ignition_url and not made:
        return match.profile.ignition_url
    return _own_url("ignition", match, endpoint, identity, token, secure=secure)


def report_url(match: Match, endpoint: Endpoint, identity: Identity, token: str, *, secure: bool = False) -> str:
    """Where the machine reports what it does; `&stage=...` may follow. `secure`: by HTTPS where pxed has that."""
    return _own_url("report", match, endpoint, identity, token, secure=secure)


def machine_files(
    match: Match,
    image: Image,
    endpoint: Endpoint,
    identity: Identity,
    *,
    version: str = "",
    token: str = "",
) -> tuple[BootFile, ...]:
    """What the machine loads: the image's files, then the initrd of its own if it gets one.

    `token` is the boot's; the initrd's URL has it where the config is in there, else it is the config's own.
    """
    files = boot_files(image, version)
    if not needs_archive(match.profile):
        return files
    name = unique_name(OEM_NAME, {file.name for file in files})
    token = token if embeds_config(match.profile) else ""
    url = _own_url("oem", match, endpoint, identity, token, OEM_SUFFIX)  # iPXE loads it: it need not know our CA
    return (*files, BootFile(Role.INITRD, name, url, made=True))


def _own_url(
    kind: str,
    match: Match,
    endpoint: Endpoint,
    identity: Identity,
    token: str,
    suffix: str = "",
    *,
    secure: bool = False,
) -> str:
    query = {"token": token} if token else {}
    if match.machine is None or match.machine.profile is None:
        query |= _identity_query(identity)
    base = (endpoint.secure_url if secure else "") or endpoint.url
    url = f"{base}/{kind}/{quote(match.name, safe=':')}{suffix}"
    return f"{url}?{urlencode(query)}" if query else url


def _identity_query(identity: Identity) -> dict[str, str]:
    said = {
        "arch": identity.arch,
        "uuid": str(UUID(bytes=identity.uuid)) if identity.uuid else None,
        "serial": identity.serial[:_MAX_SERIAL] if identity.serial else None,
    }
    return {key: value for key, value in said.items() if value}
