"""What is said of a machine's standing, and what follows from it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pxed.architecture import KNOWN_NAMES
from pxed.boot.course import Detour
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory
from pxed.inventory.profile import Boot, Profile, with_overrides
from pxed.status.install import Rules
from pxed.status.records import BootRecord, Standing, State


def found(inventory: Inventory, name: str, boots: Sequence[BootRecord] = ()) -> Match | None:
    """The profile of a machine by its name, or the MAC of an unlisted one, as far as that alone tells.

    A group may choose it by its architecture: then its last boots say which profile that gave it.
    """
    machine = inventory.machines.get(name)
    if machine is None:
        identity = Identity(mac=name)
    else:
        uuid = machine.uuid.bytes if machine.uuid else None
        identity = Identity(next(iter(machine.macs), ""), uuid, machine.serial)
    own = machine is not None and machine.profile_name is not None
    by_arch = None if own else _by_architecture(inventory, identity, boots)
    match = by_arch or resolve(inventory, identity)
    return match if isinstance(match, Match) else None


def _by_architecture(inventory: Inventory, identity: Identity, boots: Sequence[BootRecord]) -> Match | None:
    if not boots or not any(group.match.arch for group in inventory.groups):
        return None
    tried = (resolve(inventory, identity._replace(arch=arch)) for arch in sorted(KNOWN_NAMES))
    matches = {match.profile_name: match for match in tried if isinstance(match, Match)}
    booted = (matches[boot.profile] for boot in boots if boot.profile in matches)
    return next(booted, None)


def ordered(inventory: Inventory, match: Match, standing: Standing | None) -> Match:
    """The match with the profile that an operator named for its installation."""
    name = standing.profile if standing is not None and standing.state is not None else ""
    profile = inventory.profiles.get(name)
    if profile is None:
        return match
    overrides = match.machine.overrides if match.machine else {}
    return match._replace(profile_name=name, profile=with_overrides(profile, overrides))


def rules_of(profile: Profile) -> Rules:
    """How the profile has an installation tried."""
    how = profile.installation
    return Rules(how.attempts, how.deadline, how.backoff, then_local=how.after_failure == "local")


def gives_up(standing: Standing, profile: Profile) -> bool:
    """Whether a machine that could not be installed boots its disk all the same."""
    return standing.state is State.FAILED and profile.installation.after_failure == "local"


def detour_of(standing: Standing, profile: Profile) -> Detour | None:
    """What DHCP does otherwise for a machine: most installed ones are answered as all others, and iPXE tells them."""
    installs = profile.boot is Boot.INSTALL or standing.ordered
    to_disk = standing.state in (State.INSTALLED, State.LOCAL) or gives_up(standing, profile)
    disk = installs and to_disk and profile.local == "silent"
    one_shot = "" if standing.next_loaded else standing.next_profile
    return Detour(disk, one_shot) if disk or one_shot else None


def summary(standing: Standing | None, profile: Profile | None, boot: BootRecord | None, now: float) -> str:
    """One plain line: what it does now, or did last."""
    if standing is not None and standing.next_profile and not standing.next_loaded:
        return f"boots profile {standing.next_profile} next, once"
    installs = profile is not None and profile.boot is Boot.INSTALL
    if standing is not None and standing.state is not None and (installs or standing.ordered):
        return _installation(standing, profile, now)
    if installs:
        return "wanted: its next boot installs it"
    return _booted(boot, now) if boot is not None else ""


def _installation(standing: Standing, profile: Profile | None, now: float) -> str:
    attempts = profile.installation.attempts if profile is not None else standing.attempt
    attempt, since = f"attempt {standing.attempt} of {attempts}", _clock(standing.since)
    if profile is not None and gives_up(standing, profile):
        return f"boots its disk since {since}: attempt {standing.attempt} failed: {standing.reason}"
    if standing.state is State.FAILED:
        return f"held since {since}: attempt {standing.attempt} failed, no more are made: {standing.reason}"
    if standing.state is State.INSTALLING:
        return f"installing, {attempt}, since {since}, deadline {_clock(standing.deadline)}"
    if standing.state is State.INSTALLED:
        return f"installed at {since}, its next boot is from its disk"
    if standing.state is State.LOCAL:
        return f"boots its disk since {since}" + (", by an operator's order" if standing.ordered else "")
    if standing.deadline:
        return f"booted for {attempt}, no report of the installer yet, deadline {_clock(standing.deadline)}"
    if standing.reason:
        wait = max(0.0, standing.not_before - now)
        when = f"the next one may begin in {wait:.0f} s" if wait else "its next boot tries again"
        return f"{attempt} failed: {standing.reason}; {when}"
    return "wanted: its next boot installs it"


def _booted(boot: BootRecord, now: float) -> str:
    ago = _ago(now - boot.began)
    if boot.reported:
        return f"booted {ago}, reported {boot.reported}" + (f": {boot.message}" if boot.message else "")
    if not boot.deadline:
        return f"booted {ago} ({boot.way})"
    return f"booted {ago}, no report yet" if now < boot.deadline else f"booted {ago} and has not reported that it runs"


def _clock(when: float) -> str:
    """The hour, with the day when it is not today's."""
    local = time.localtime(when)
    today = time.localtime()[:3] == local[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", local)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"
