"""What the inventory wants mirrored: which lines of which server, for which images, with which files. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pxed.assets.flatcar import version_of
from pxed.assets.mirror import layout
from pxed.assets.mirror.errors import UntrustedError
from pxed.assets.mirror.index import Index
from pxed.assets.mirror.layout import Line
from pxed.inventory.model import Boot, Inventory, Profile
from pxed.inventory.releases import FlatcarImage
from pxed.inventory.targets import IMPLIED, target_of


@dataclass(frozen=True, slots=True)
class Order:
    """One image's wish."""

    image: str
    line: Line
    files: tuple[str, ...]  # the big ones


def orders(inventory: Inventory, only: Collection[str] = ()) -> list[Order]:
    """What each Flatcar image wants, or those of `only`."""
    return [
        Order(name, line_of(inventory, image.flatcar), layout.big_files(wants_install_image(inventory, name)))
        for name, image in inventory.images.items()
        if image.flatcar is not None and (not only or name in only)
    ]


def line_of(inventory: Inventory, image: FlatcarImage) -> Line:
    """Where an image's versions come from."""
    template = image.url or inventory.server.mirror.url
    return Line(layout.base_url(template, image.channel), image.channel, image.arch, image.version)


def wants_install_image(inventory: Inventory, name: str) -> bool:
    """Whether the image for installation is mirrored: as the image says, else when a profile installs it."""
    image = inventory.images[name].flatcar
    if image is not None and image.install_image is not None:
        return image.install_image
    if name.startswith(IMPLIED):
        return True
    own = (machine.profile for machine in inventory.machines.values() if machine.profile is not None)
    distinct = {id(profile): profile for profile in (*inventory.profiles.values(), *own)}
    return any(_installs(profile, name, inventory) for profile in distinct.values())


def _installs(profile: Profile, name: str, inventory: Inventory) -> bool:
    target = target_of(profile, inventory.images) if profile.boot is Boot.INSTALL else None
    return target is not None and target.image == name


def not_older(line: Line, version: str, index: Index) -> tuple[str, str]:
    """The version to follow, and a warning. A line that went back to an older version is not followed: somebody on the
    way may offer an old release with a known hole, which is signed as well as the newest."""
    known = index.current.get(line.key(line.word), "")
    if known and layout.order(version) < layout.order(known):
        return known, (
            f"{line} went back from {known} to {version}: not followed, as an attacker could do that; "
            f"if the publisher did, set version: {version}"
        )
    parsed = version_of(version)
    if parsed is not None and parsed.channel not in ("", line.channel) and line.channel != "edge":
        return version, f"{line} is {version}, whose number is one of {parsed.channel}: ask the publisher of the mirror"
    return version, ""


def check_year(line: Line, version: str, years: dict[int, tuple[int, bool]]) -> str:
    """A warning about an LTS year; "" when all is well. Raises UntrustedError when the version is of another year."""
    year = layout.year_of(line.word)
    if year is None or year not in years:
        return ""
    major, supported = years[year]
    if layout.order(version).major != major:
        raise UntrustedError(f"{line} is {version}, but lts-info says that {year} is {major}: the server mixes them up")
    return "" if supported else f"{line} gets no updates any more: lts-info calls {year} unsupported"
