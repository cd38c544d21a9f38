"""Which release of Flatcar an installation writes to disk.

`install.image` names an image; `install.channel` and `install.version` name a release, which then is an image of the
inventory too, so that the mirror fetches it, `pxed images` shows it and its versions move as any other's. Its name has
a colon, which no name of the operator's has. An image that is just this release is used instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pxed.inventory.install import Install
from pxed.inventory.model import Boot, FlatcarImage, Image, Profile

IMPLIED = "install:"
"""How the name of a release begins that only an installation names."""


class Target(NamedTuple):
    """The release to install."""

    image: str  # its name in Inventory.images
    flatcar: FlatcarImage


def target_of(profile: Profile, images: Mapping[str, Image]) -> Target | None:
    """What `boot: install` writes to disk; None where the image that is booted is not Flatcar: it installs itself."""
    own = images.get(profile.image or "")
    if own is None or own.flatcar is None:
        return None
    install, name = profile.installation, profile.image or ""
    if install.image is not None:
        name = install.image
    elif install.channel is not None or install.version is not None:
        name = _named(_release(install, own.flatcar), name, images)
    found = images.get(name)
    return Target(name, found.flatcar) if found is not None and found.flatcar is not None else None


def implied(profiles: Iterable[Profile], images: Mapping[str, Image]) -> dict[str, Image]:
    """The images that installations name by channel and version and that the inventory does not list."""
    found: dict[str, Image] = {}
    for profile in profiles:
        install, own = profile.installation, images.get(profile.image or "")
        names_release = install.channel is not None or install.version is not None
        if profile.boot is Boot.INSTALL and names_release and own is not None and own.flatcar is not None:
            release = _release(install, own.flatcar)
            name = _named(release, profile.image or "", images)
            if name not in images:
                found[name] = Image(flatcar=release)
    return found


def _release(install: Install, own: FlatcarImage) -> FlatcarImage:
    """The release that channel and version name: what they leave out is the booted image's."""
    channel = install.channel or own.channel
    version = install.version or (own.version if channel == own.channel else "current")
    return FlatcarImage(channel=channel, version=version, arch=own.arch, url=own.url)


def _named(release: FlatcarImage, first: str, images: Mapping[str, Image]) -> str:
    """The image of that release: the booted one, else the first listed that may be installed, else one of its own."""
    for name in (first, *images):
        flatcar = images[name].flatcar if name in images else None
        if flatcar is not None and _same(flatcar, release):
            return name
    elsewhere = f":{first}" if release.url else ""  # from where that image comes
    return f"{IMPLIED}{release.channel}-{release.arch}-{release.version}{elsewhere}"


def _same(one: FlatcarImage, other: FlatcarImage) -> bool:
    """Whether the image `one` gives the release `other` for a disk."""
    same = (one.channel, one.arch, one.version, one.url) == (other.channel, other.arch, other.version, other.url)
    return same and one.install_image is not False
