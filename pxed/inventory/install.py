"""What `boot: install` does to a machine: the fields of `install`. What release that installs is in targets.py."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pxed.inventory import fields
from pxed.inventory.fields import Base

# Fields of which one takes the place of all others of its line.
_CHOICES = (frozenset({"butane", "ignition"}), frozenset({"image", "channel", "version"}))


class Install(Base):
    """An installation to disk."""

    disk: fields.Disk | None = Field(
        None,
        description="The disk that is overwritten: a path, of which one below /dev/disk/by-id stays the same over "
        "reboots, or smallest, or largest. Needed where Flatcar is installed.",
    )
    butane: fields.Template | None = Field(
        None, description="Butane config of the installed system, relative to this file."
    )
    ignition: fields.Template | None = Field(
        None, description="Ignition config of the installed system, relative to this file.", examples=["node.ign"]
    )
    image: fields.Name | None = Field(
        None,
        description="Flatcar image whose release is installed. Left out: the one that is booted.",
        examples=["flatcar"],
    )
    channel: Literal["stable", "beta", "alpha", "lts", "edge"] | None = Field(
        None, description="Channel of the release that is installed, instead of an image's name."
    )
    version: fields.FlatcarVersion | None = Field(
        None,
        description="Version of the release that is installed: current, current-YEAR (of lts) or such as 4593.2.5.",
    )
    reboot: fields.Truth = Field(
        True, description="Reboot when the attempt is over. false: the machine stays up for inspection."
    )
    attempts: fields.Number = Field(
        3, ge=1, le=100, description="Attempts that may fail before the machine is held and nothing is tried any more."
    )
    deadline: fields.Duration = Field(
        30 * 60,
        description="How long an attempt may be without a report before it counts as failed.",
        json_schema_extra={"default": "30m"},
    )
    backoff: fields.Duration = Field(
        30,
        description="How long to wait after the first failed attempt; doubled after each further one.",
        json_schema_extra={"default": "30s"},
    )
    after_failure: Literal["hold", "local"] = Field(
        "hold",
        description="What a machine does after the last attempt: hold (show the reason and wait) or local (boot its "
        "disk).",
    )

    def over(self, other: Install) -> Install:
        """These fields where the text gives them, else the other's."""
        given = self.given()
        dropped = {name for choice in _CHOICES if not choice.isdisjoint(given) for name in choice}
        rest: dict[str, Any] = {name: value for name, value in other.given().items() if name not in dropped}
        return other.model_copy(update={**dict.fromkeys(dropped), **rest, **given}) if given else other
