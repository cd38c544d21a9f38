"""Which script a machine gets: its image, its local disk, the waiting screen, or why nothing can be booted."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.boot.cmdline import CommandLineError, checked, kernel_command_line
from pxed.boot.delivery import machine_files
from pxed.boot.endpoint import Endpoint
from pxed.boot.script import failed_script, hold_script, ignored_script, local_script, machine_script
from pxed.inventory.lookup import Identity, Match, Unmatched
from pxed.inventory.model import Boot, Inventory


@dataclass(frozen=True, slots=True)
class Release:
    """The mirrored release that a machine boots; `missing` says why there is none."""

    version: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A script for iPXE. `problem` says why it boots nothing; "" when it boots."""

    script: str
    cmdline: str = ""
    problem: str = ""


def page_for(
    inventory: Inventory,
    match: Match | Unmatched,
    identity: Identity,
    endpoint: Endpoint,
    *,
    release: Release | None = None,
    first_boot_done: bool = False,
    held_rounds: int = 0,
) -> Page:
    """What iPXE gets from /boot.ipxe. `held_rounds` counts how often it came back from the waiting screen.

    `release`: what is mirrored for the machine, None to leave that aside: the newest is then meant.
    """
    if isinstance(match, Unmatched):
        return _unmatched(match, endpoint, held_rounds)
    if match.profile.boot is Boot.LOCAL:
        return Page(local_script(match.name))
    try:
        return _from_memory(inventory, match, identity, endpoint, release, first_boot_done)
    except CommandLineError as error:
        return Page(failed_script(match.name, str(error), endpoint), problem=str(error))


def _unmatched(match: Unmatched, endpoint: Endpoint, held_rounds: int) -> Page:
    if match.hold:
        return Page(hold_script(endpoint, held_rounds))
    return Page(ignored_script(match.reason), problem=match.reason)


def _from_memory(
    inventory: Inventory,
    match: Match,
    identity: Identity,
    endpoint: Endpoint,
    release: Release | None,
    first_boot_done: bool,
) -> Page:
    profile = match.profile
    image = inventory.images.get(profile.image or "")
    if profile.boot is not Boot.MEMORY or profile.image is None or image is None:
        raise CommandLineError(f"profile {match.profile_name} has nothing to boot from memory")
    if release is not None and release.missing:
        raise CommandLineError(f"image {profile.image}: {release.missing}")
    files = machine_files(match, image, endpoint, identity, version=release.version if release else "")
    line = kernel_command_line(match, endpoint, image, identity, first_boot_done=first_boot_done)
    checked(line, files[0].name if files else "")
    script = machine_script(match.name, match.profile_name, profile.image, files, endpoint=endpoint, cmdline=line)
    return Page(script, line)
