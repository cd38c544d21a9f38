"""Which script a machine gets: its image, its local disk, the waiting screen, or why nothing can be booted."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.boot.cmdline import CommandLineError, checked, kernel_command_line
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import boot_files
from pxed.boot.script import failed_script, hold_script, ignored_script, local_script, machine_script
from pxed.inventory.lookup import Identity, Match, Unmatched
from pxed.inventory.model import Boot, Inventory


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
    first_boot_done: bool = False,
    held_rounds: int = 0,
) -> Page:
    """What iPXE gets from /boot.ipxe. `held_rounds` counts how often it came back from the waiting screen."""
    if isinstance(match, Unmatched):
        return _unmatched(match, endpoint, held_rounds)
    if match.profile.boot is Boot.LOCAL:
        return Page(local_script(match.name))
    try:
        return _from_memory(inventory, match, identity, endpoint, first_boot_done)
    except CommandLineError as error:
        return Page(failed_script(match.name, str(error), endpoint), problem=str(error))


def _unmatched(match: Unmatched, endpoint: Endpoint, held_rounds: int) -> Page:
    if match.hold:
        return Page(hold_script(endpoint, held_rounds))
    return Page(ignored_script(match.reason), problem=match.reason)


def _from_memory(
    inventory: Inventory, match: Match, identity: Identity, endpoint: Endpoint, first_boot_done: bool
) -> Page:
    profile = match.profile
    image = inventory.images.get(profile.image or "")
    if profile.boot is not Boot.MEMORY or profile.image is None or image is None:
        raise CommandLineError(f"profile {match.profile_name} has nothing to boot from memory")
    line = kernel_command_line(match, endpoint, image, identity, first_boot_done=first_boot_done)
    checked(line, next((file.name for file in boot_files(image)), ""))
    script = machine_script(match.name, match.profile_name, profile.image, image, endpoint=endpoint, cmdline=line)
    return Page(script, line)
