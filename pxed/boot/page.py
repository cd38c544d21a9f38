"""Which script a machine gets: its image, its local disk, the waiting screen, or why nothing can be booted."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.boot.cmdline import CommandLineError, checked, kernel_command_line
from pxed.boot.course import UNSEEN, Course, Way
from pxed.boot.delivery import machine_files
from pxed.boot.endpoint import Endpoint
from pxed.boot.script import (
    announcing_script,
    failed_script,
    hold_script,
    ignored_script,
    local_script,
    machine_script,
    waiting_script,
)
from pxed.inventory.lookup import Identity, Match, Unmatched
from pxed.inventory.model import Boot, Inventory

HELD_SECONDS = 30  # between two questions of a machine that an operator has to free
MAX_WAIT = 60  # seconds: an operator who frees a machine in its back-off is heard within a minute
WAY = {Boot.MEMORY: Way.MEMORY, Boot.INSTALL: Way.INSTALL, Boot.LOCAL: Way.LOCAL}


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
    files: tuple[str, ...] = ()  # of its image, what pxed sends, by name, the kernel first
    version: str = ""  # of the release that it boots


def page_for(
    inventory: Inventory,
    match: Match | Unmatched,
    identity: Identity,
    endpoint: Endpoint,
    *,
    release: Release | None = None,
    first_boot_done: bool = False,
    held_rounds: int = 0,
    course: Course | None = None,
) -> Page:
    """What iPXE gets from /boot.ipxe. `held_rounds` counts how often it came back from the waiting screen.

    `release`: what is mirrored for the machine, None to leave that aside: the newest is then meant. `course`: what this
    boot does; left out, what the profile says of a machine of which nothing else is known.
    """
    if isinstance(match, Unmatched):
        return _unmatched(match, endpoint, held_rounds)
    course = course or Course(WAY[match.profile.boot])
    if course.way in (Way.MEMORY, Way.INSTALL):
        try:
            return _loaded(inventory, match, identity, endpoint, course, release, first_boot_done)
        except CommandLineError as error:
            return Page(failed_script(match.name, str(error), endpoint, course.boot), problem=str(error))
    return _other(match.name, endpoint, course)


def _other(name: str, endpoint: Endpoint, course: Course) -> Page:
    """What boots nothing of pxed's."""
    if course.way is Way.LOCAL:
        return Page(local_script(name))
    if course.way is Way.ANNOUNCE:
        why = "" if course.text == UNSEEN else course.text
        return Page(announcing_script(name, endpoint, announced=bool(course.text), why=why), problem=course.text)
    seconds = course.seconds or HELD_SECONDS
    return Page(waiting_script(name, course.text, min(seconds, MAX_WAIT), endpoint, course.boot), problem=course.text)


def _unmatched(match: Unmatched, endpoint: Endpoint, held_rounds: int) -> Page:
    if match.hold:
        return Page(hold_script(endpoint, held_rounds))
    return Page(ignored_script(match.reason), problem=match.reason)


def _loaded(
    inventory: Inventory,
    match: Match,
    identity: Identity,
    endpoint: Endpoint,
    course: Course,
    release: Release | None,
    first_boot_done: bool,
) -> Page:
    profile = match.profile
    image = inventory.images.get(profile.image or "")
    if profile.image is None or image is None:
        raise CommandLineError(f"profile {match.profile_name} has no image to boot")
    if release is not None and release.missing:
        raise CommandLineError(f"image {profile.image}: {release.missing}")
    version = release.version if release else ""
    files = machine_files(match, image, endpoint, identity, version=version, token=course.token)
    line = kernel_command_line(
        match,
        endpoint,
        image,
        identity,
        token=course.token,
        report=course.report,
        installs=course.way is Way.INSTALL,
        secure=course.secure,
        first_boot_done=first_boot_done,
    )
    checked(line, files[0].name if files else "")
    script = machine_script(
        match.name, match.profile_name, profile.image, files, endpoint=endpoint, cmdline=line, boot=course.boot
    )
    return Page(script, line, files=tuple(file.name for file in files if not file.remote), version=version)
