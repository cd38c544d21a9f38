"""Flatcar releases in the inventory: which one an image follows, and how they are mirrored."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from pxed.inventory import fields
from pxed.inventory.fields import Base

RELEASE_SERVERS = "https://{channel}.release.flatcar-linux.net"
# Flatcar Buildbot (Official Builds); the yearly subkeys that sign are bound to it.
SIGNING_KEY = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"


class ExpiredSubkeys(StrEnum):
    """What becomes of a signature whose subkey was valid when it was made and has expired since."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class FlatcarImage(Base):
    """A Flatcar release, mirrored and verified."""

    channel: Literal["stable", "beta", "alpha", "lts", "edge"] = Field("stable", description="Release channel.")
    arch: Literal["amd64", "arm64"] = Field("amd64", description="CPU architecture.")
    version: fields.FlatcarVersion = Field(
        "current", description="current, current-YEAR (of lts) or a version such as 4593.2.5."
    )
    url: fields.MirrorUrl | None = Field(
        None, description="Where this release comes from, instead of server.mirror.url."
    )
    install_image: fields.Truth | None = Field(
        None,
        description="Whether the image for installation to disk is mirrored too (about 500 MB). Left out: when a "
        "profile with boot: install names this image.",
    )
    canary: fields.Names = Field((), description="Machines that boot a new version first, until it is promoted.")
    percent: fields.Number = Field(
        0,
        ge=0,
        le=100,
        description="Share of the machines that boot a new version first, until it is promoted; 0: none before that.",
    )

    @property
    def follows(self) -> bool:
        """Whether the version moves with the channel."""
        return self.version.startswith("current")

    @property
    def staged(self) -> bool:
        """Whether a new version waits for `pxed images promote`."""
        return self.follows and (bool(self.canary) or "percent" in self.model_fields_set)


class MirrorSettings(Base):
    """The mirror of Flatcar releases."""

    url: fields.MirrorUrl = Field(
        RELEASE_SERVERS,
        description="Base URL of the releases; {channel} is replaced. ARCH-usr/VERSION/FILE follows it, so another "
        "pxed is http://HOST:8080/flatcar/{channel}.",
    )
    interval: fields.Interval = Field(
        6 * 3600, description="How often the daemon looks for new versions: 30m, 6h, 1d, or off."
    )
    keep: fields.Number = Field(
        2, ge=1, le=100, description="Versions kept of each channel, besides those that are pinned or being booted."
    )
    key: fields.Directory | None = Field(
        None,
        description="File with the OpenPGP key of the releases, relative to this file. Left out: Flatcar's own.",
        examples=["releases.asc"],
    )
    fingerprint: fields.Fingerprint = Field(
        SIGNING_KEY, description="Fingerprint of that key's primary key. No other key is trusted."
    )
    expired_subkeys: ExpiredSubkeys = Field(
        ExpiredSubkeys.ACCEPT,
        description="Old releases are signed by subkeys that have expired since: accept or refuse them. Signatures "
        "made after the subkey's expiry are refused always.",
    )

    def key_file(self, default: Path) -> Path:
        """The key file to use."""
        return self.key or default
