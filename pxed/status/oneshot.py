"""The one-shot boot: a profile for the next boot only (`pxed machines next NAME --profile rescue`). Pure.

It is used up when another boot begins after the one that has loaded all of it, so that a download that broke off does
not cost it; a boot that did not get that far is followed by one that tries again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from pxed.status.records import Standing


class Choice(NamedTuple):
    """The profile of this boot, "" for the usual one; what is known now; the sentence for the log, "" for none."""

    profile: str
    standing: Standing
    said: str = ""


def order(standing: Standing, profile: str) -> Standing:
    """An operator wants `profile` at the next boot; "" takes that back."""
    return replace(standing, next_profile=profile, next_boot="", next_loaded=False)


def on_boot(standing: Standing, boot: str) -> Choice:
    """The machine asks for its script in the boot `boot`."""
    profile = standing.next_profile
    if not profile or standing.next_boot == boot:
        return Choice(profile, standing)
    if standing.next_loaded:
        return Choice("", order(standing, ""), f"its one-shot boot of profile {profile} is over")
    return Choice(profile, replace(standing, next_boot=boot), f"boots profile {profile} once")


def on_loaded(standing: Standing) -> Standing:
    """The boot that has it has got all its files, or has reported."""
    return replace(standing, next_loaded=True) if standing.next_boot else standing
