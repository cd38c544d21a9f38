"""The rows of the state as the API shows them: plain JSON, null for what is not known, and nothing that opens anything.

A boot's id is shown as a digest of it: the id itself stands in the script's URL, and whoever knows it may ask again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pxed.inventory.profile import Boot, Profile
from pxed.status.records import Alert, Attempt, BootRecord, Standing, State

_SHOWN = 12  # hexadecimal digits of a boot's digest

View = dict[str, Any]


def install_view(standing: Standing | None, profile: Profile | None) -> View | None:
    """Where an installation is; None for a machine that is not to be installed and never was.

    `profile` is the one that it is installed with.
    """
    settings = profile.install if profile is not None else None
    wanted = State.WANTED if profile is not None and profile.boot is Boot.INSTALL else None
    standing = standing or Standing("")
    state = standing.state or wanted
    if state is None:
        return None
    return {
        "state": str(state),
        "held": state is State.FAILED and (settings is None or settings.after_failure == "hold"),
        "attempt": standing.attempt,
        "attempts": settings.attempts if settings is not None else None,
        "deadline": _time(standing.deadline),
        "not_before": _time(standing.not_before),
        "reason": standing.reason or None,
        "version": standing.version or None,
        "since": _time(standing.since),
        "ordered": standing.ordered,
        "profile": standing.profile or None,
    }


def next_view(standing: Standing | None) -> View | None:
    """The one-shot boot that is ordered; `loaded` when a boot has taken all of it."""
    if standing is None or not standing.next_profile:
        return None
    boot = boot_id(standing.next_boot) if standing.next_boot else None
    return {"profile": standing.next_profile, "boot": boot, "loaded": standing.next_loaded}


def boot_view(boot: BootRecord, now: float) -> View:
    """One boot. `no_report` says that its report is overdue."""
    return {
        "id": boot_id(boot.id),
        "machine": boot.machine,
        "mac": boot.mac,
        "address": boot.address,
        "began": _time(boot.began),
        "profile": boot.profile,
        "way": boot.way,
        "version": boot.version or None,
        "deadline": _time(boot.deadline),
        "reported": boot.reported or None,
        "reported_at": _time(boot.reported_at),
        "message": boot.message or None,
        "no_report": bool(boot.deadline) and not boot.reported and now > boot.deadline,
        "ended": _time(boot.ended),
    }


def attempt_view(attempt: Attempt) -> View:
    """One attempt to install."""
    return {
        "boot": boot_id(attempt.boot),
        "number": attempt.number,
        "began": _time(attempt.began),
        "ended": _time(attempt.ended),
        "outcome": attempt.outcome or None,
        "reason": attempt.reason or None,
        "version": attempt.version or None,
    }


def alert_view(alert: Alert) -> View:
    """Something to look at."""
    return {
        "id": alert.id,
        "time": _time(alert.time),
        "machine": alert.machine or None,
        "mac": alert.mac or None,
        "address": alert.address or None,
        "what": alert.what,
        "text": alert.text,
    }


def boot_id(identifier: str) -> str:
    """What the API calls a boot."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:_SHOWN]


def _time(seconds: float) -> float | None:
    return round(seconds, 3) or None
