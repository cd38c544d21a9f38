"""What no boot would get as it is meant, found when the inventory is loaded: see also pxed.boot.flatcar.

A profile is judged once, and once more for each machine that overrides some of its fields, of which only what follows
from those fields is told. Rules that need an Ignition config are in pxed.ignition.lint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pxed.assets.flatcar import MIN_MEMORY, Release, boot_problem, release_of, version_of
from pxed.boot.cmdline import check_length, faults, kernel_command_line
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.boot.flatcar import Remark, remarks
from pxed.boot.images import boot_files
from pxed.errors import Problem
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Boot, Image, Inventory, Machine, Profile
from pxed.inventory.targets import target_of

_NOTHING: Mapping[str, object] = MappingProxyType({})
_ANY_MAC = "ff:ff:ff:ff:ff:ff"
# The longest that a machine says of itself in the URL of its config: see cmdline.ignition_url.
_ANYBODY = Identity(mac=_ANY_MAC, uuid=b"\xff" * 16, serial="x" * 20, arch="loongarch64-efi")


class _Use(NamedTuple):
    """A profile as some machines get it."""

    key: str
    name: str  # the longest of those machines' names
    profile: Profile
    own: frozenset[str] | None  # the fields that a machine overrides; None for the profile itself

    def line(self, image: Image, endpoint: Endpoint) -> str:
        """The longest command line of these machines."""
        match = Match(self.name, None, self.key, self.profile, _NOTHING, "")
        return kernel_command_line(match, endpoint, image, _ANYBODY)


def command_line_problems(inventory: Inventory) -> list[Problem]:
    """Every profile, as it is and as machines override it, checked with its longest machine name and address."""
    endpoint = _endpoint(inventory)
    return [
        Problem(inventory.path, 0, 0, use.key, sentence)
        for use, image in _live(inventory)
        for sentence in _sentences(use, image, endpoint)
    ]


def profile_findings(inventory: Inventory, versions: Mapping[str, str] = MappingProxyType({})) -> list[Problem]:
    """Errors and warnings about what boots Flatcar from memory.

    `versions` gives, by image name, the version that an image which follows its channel boots at this time.
    """
    endpoint = _endpoint(inventory)
    live = list(_live(inventory))
    used = {use.profile.image or "": image for use, image in live}
    found = [problem for name, image in used.items() for problem in _image_problems(inventory, name, image, versions)]
    for use, image in live:
        release = flatcar_release(use.profile.image or "", image, versions)
        if release is not None:
            for remark in remarks(use.profile, use.line(image, endpoint), release):
                found += _placed(inventory, use, remark)
        found += _target_problems(inventory, use)
    return found


def flatcar_release(name: str, image: Image, versions: Mapping[str, str] = MappingProxyType({})) -> Release | None:
    """The Flatcar release that an image boots, with its version at this time if it is known; None for another OS."""
    release = release_of(image)
    if release is None or release.pinned or name not in versions:
        return release
    return Release(release.channel, versions[name], follows=True)


def notes(inventory: Inventory) -> list[Problem]:
    """What is worth knowing and nothing to put right, one sentence each, at the first place that it is about."""
    uses = [use for use, image in _live(inventory) if release_of(image) is not None]
    if not uses:
        return []
    names = sorted({use.key.partition(".")[2] for use in uses})
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    what = (
        f"machines that boot Flatcar from memory need {MIN_MEMORY // 1024**3} GB of it at least: see that those of "
        f"{', '.join(names[:3])}{more} have it"
    )
    return [Problem(inventory.path, 0, 0, f"{uses[0].key}.image", what, warning=True)]


def _endpoint(inventory: Inventory) -> Endpoint:
    return endpoint_at("255.255.255.255", inventory.server)


def _live(inventory: Inventory) -> Iterator[tuple[_Use, Image]]:
    """Every use that boots an image from memory, that of an installer too, with the image."""
    for use in _uses(inventory):
        image = inventory.images.get(use.profile.image or "")
        if use.profile.boot is not Boot.LOCAL and image is not None:
            yield use, image


def _uses(inventory: Inventory) -> Iterator[_Use]:
    """Each distinct profile once."""
    free = max((m.name for m in inventory.machines.values() if m.profile is None), key=len, default="")
    named = {id(profile): key for key, profile in inventory.profiles.items()}
    longest: dict[int, Machine] = {}
    for machine in inventory.machines.values():
        known = longest.get(id(machine.profile))
        if machine.profile is not None and (known is None or len(machine.name) > len(known.name)):
            longest[id(machine.profile)] = machine
    for key, profile in inventory.profiles.items():
        own = longest.get(id(profile))
        yield _Use(f"profiles.{key}", max(_ANY_MAC, free, own.name if own else "", key=len), profile, None)
    for machine in inventory.machines.values():
        if machine.profile is None and machine.overrides:
            uuid = machine.uuid.bytes if machine.uuid else None
            match = resolve(inventory, Identity(next(iter(machine.macs), ""), uuid))
            if isinstance(match, Match):
                yield _overridden(machine, match.profile)
    for machine in longest.values():
        if machine.profile is not None and id(machine.profile) not in named:
            yield _overridden(machine, machine.profile)


def _overridden(machine: Machine, profile: Profile) -> _Use:
    return _Use(f"machines.{machine.name}", machine.name, profile, frozenset(machine.overrides))


def _sentences(use: _Use, image: Image, endpoint: Endpoint) -> Iterator[str]:
    for key in use.profile.ssh_keys:
        if '"' in key:
            yield f"the ssh key {key[:40]!r} has a double quote in it, where Flatcar would end it: remove the quote"
    line = use.line(image, endpoint)
    yield from faults(line)
    names = [file.name for file in boot_files(image)]
    if too_long := check_length(line, names[0] if names else ""):
        yield too_long


def _placed(inventory: Inventory, use: _Use, remark: Remark) -> Iterator[Problem]:
    """The problem at the field to change; of a machine only what follows from its own fields."""
    given = use.profile.model_fields_set if use.own is None else use.own
    fields = [field for field in remark.fields if field in given]
    if fields or use.own is None:
        key = f"{use.key}.{(fields or remark.fields)[0]}"
        yield Problem(inventory.path, 0, 0, key, remark.sentence, remark.warning)


def _image_problems(inventory: Inventory, name: str, image: Image, versions: Mapping[str, str]) -> Iterator[Problem]:
    release = flatcar_release(name, image, versions)
    if release is None:
        return
    key = f"images.{name}.flatcar.version" if image.flatcar else f"images.{name}.kernel"
    if problem := boot_problem(release.channel, release.version):
        sentence = f"{release} cannot be used: {problem}; take another version"
        yield Problem(inventory.path, 0, 0, key, sentence, warning=not release.pinned)
    yield from _channel_problems(inventory, key, release)


def _target_problems(inventory: Inventory, use: _Use) -> Iterator[Problem]:
    """Of a release that an installation names itself."""
    install = use.profile.install
    target = target_of(use.profile, inventory.images) if use.profile.boot is Boot.INSTALL else None
    if target is not None and install is not None and install.version is not None:
        release = Release(target.flatcar.channel, target.flatcar.version)
        yield from _channel_problems(inventory, f"{use.key}.install.version", release)


def _channel_problems(inventory: Inventory, key: str, release: Release) -> Iterator[Problem]:
    version = version_of(release.version)
    if version and version.channel and release.channel and version.channel != release.channel:
        sentence = f"{version} is a version of {version.channel}, and its channel here is {release.channel}: change one"
        yield Problem(inventory.path, 0, 0, key, sentence, warning=True)
