"""Which mirrored version of an image a machine boots: pinned, the newest, or staged over canaries. Pure.

A staged image (canary or percent) gives a new version to some machines first; everybody else boots the promoted one
until `pxed images promote`. A version that was rolled back is refused from then on; a newer one is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import Index, Key, Release, Rollout
from pxed.inventory.model import Image
from pxed.inventory.releases import FlatcarImage


class RolloutError(MirrorError):
    """There is nothing to promote or to roll back to."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an image boots. Each version is "" when there is none."""

    version: str  # of all machines that get nothing newer first
    staged: str = ""  # of the machines that get it first, while it waits for promotion
    newer: str = ""  # known upstream and not mirrored, or not followed because the version is pinned


def order(version: str) -> tuple[int, ...]:
    """Sorts versions by age: numbers, not text; "" is the oldest."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", version))


def version_for(name: str, image: FlatcarImage, index: Index, machine: str) -> str:
    """The version of image `name` for a machine (its name; the MAC of an unlisted one); "": none is mirrored yet."""
    return newest(name, image, index) if gets_new(name, image, machine) else settled(name, image, index)


def gets_new(name: str, image: FlatcarImage, machine: str) -> bool:
    """Whether the machine is among those that boot a new version first."""
    return image.staged and (machine in image.canary or bucket(name, machine) < image.percent)


def bucket(name: str, machine: str) -> int:
    """0 to 99, the same for ever: raising `percent` adds machines and takes none off."""
    digest = hashlib.sha256(f"{name}\0{machine}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % 100


def newest(name: str, image: FlatcarImage, index: Index) -> str:
    """The newest version that any machine may boot from this image."""
    return next(iter(usable(name, image, index)), "")


def settled(name: str, image: FlatcarImage, index: Index) -> str:
    """The version of the machines that get nothing first: the promoted one where the image is staged."""
    versions = usable(name, image, index)
    promoted = _rollout(name, index).promoted
    if image.staged and promoted:
        # The promoted version itself, unless its files were lost: then what is older, before what was never promoted.
        versions = [version for version in versions if order(version) <= order(promoted)] or versions
    return versions[0] if versions else ""


def usable(name: str, image: FlatcarImage, index: Index) -> list[str]:
    """The verified versions of what the image follows, newest first, without those refused; or the pinned one."""
    if not image.follows:
        return [image.version] if (image.channel, image.arch, image.version) in index.releases else []
    bad = _rollout(name, index).refused
    return [version for version in _line(image, index) if version not in bad]


def choice(name: str, image: FlatcarImage, index: Index, upstream: str = "") -> Choice:
    """What an image boots. `upstream` is what the release server was last seen to offer."""
    version, first = settled(name, image, index), newest(name, image, index)
    word = image.version if image.follows else "current"
    known = max(upstream, index.current.get((image.channel, image.arch, word), ""), key=order)
    mine = first if image.follows else image.version
    newer = known if order(known) > order(mine) and known not in _rollout(name, index).refused else ""
    return Choice(version, first if image.staged and first != version else "", newer)


def settle(images: Mapping[str, Image], index: Index) -> Index:
    """The index with every image's version promoted that has none yet, or that is not staged and so needs no promotion.

    Before a sync this keeps what machines boot, should a staged rollout begin with it; after one, a first sync
    promotes itself.
    """
    rollouts = dict(index.rollouts)
    for name, flatcar in followers(images):
        version = settled(name, flatcar, index)
        if version and version != _rollout(name, index).promoted:
            rollouts[name] = replace(_rollout(name, index), promoted=version)
    return replace(index, rollouts=rollouts)


def lines(images: Mapping[str, Image], index: Index) -> dict[Key, str]:
    """Where each `current` of the mirror points: what most machines boot, of several images the oldest.

    A canary's version there would make update engines of all other machines announce a reboot for ever.
    """
    found = dict(index.current)
    for name, flatcar in followers(images):
        line = (flatcar.channel, flatcar.arch, flatcar.version)
        version = settled(name, flatcar, index)
        if version and line in found:
            found[line] = min(found[line], version, key=order)
    return found


def bootable(images: Mapping[str, Image], index: Index) -> frozenset[Key]:
    """Every release that some machine is to boot: none of them may be pruned. Nor what `current` is upstream, though it
    may be refused: the next sync would bring it again."""
    keys: set[Key] = set()
    for name, image in images.items():
        if (flatcar := image.flatcar) is not None:
            current = index.current.get((flatcar.channel, flatcar.arch, flatcar.version), "")
            for version in (settled(name, flatcar, index), newest(name, flatcar, index), current):
                keys.add((flatcar.channel, flatcar.arch, version))
    return frozenset(keys & index.releases.keys())


def refused(images: Mapping[str, Image], index: Index) -> frozenset[Key]:
    """Every release that some image refuses: none to be kept for a rollback."""
    return frozenset(
        (flatcar.channel, flatcar.arch, version)
        for name, flatcar in followers(images)
        for version in _rollout(name, index).refused
    )


def promote(name: str, image: FlatcarImage, index: Index, version: str = "") -> Index:
    """The index in which all machines boot `version`, by default the newest. It may have been rolled back before."""
    _must_follow(name, image, "promote")
    if version and version not in _line(image, index):
        raise RolloutError(f"image {name}: {version} is not mirrored: {_mirrored(image, index)}")
    before = _rollout(name, index)
    wanted = version or newest(name, image, index)
    if not wanted:
        raise RolloutError(f"image {name}: nothing is mirrored yet: run pxed images sync")
    after = Rollout(wanted, tuple(one for one in before.refused if one != wanted))
    promoted = _with(index, name, after)
    if settled(name, image, promoted) != wanted:
        raise RolloutError(f"image {name} boots the newest version always: roll back what is newer than {wanted}")
    return promoted


def rollback(name: str, image: FlatcarImage, index: Index) -> Index:
    """The index in which the newest version is refused, and the one before it is booted."""
    _must_follow(name, image, "roll back")
    versions = usable(name, image, index)
    if len(versions) < 2:
        known = f"{versions[0]} is the only version" if versions else "there is no version"
        raise RolloutError(f"image {name}: {known} that can be booted: nothing to roll back to")
    before = _rollout(name, index)
    without = _with(index, name, replace(before, refused=(*before.refused, versions[0])))
    return _with(without, name, replace(_rollout(name, without), promoted=settled(name, image, without)))


def followers(images: Mapping[str, Image]) -> Iterator[tuple[str, FlatcarImage]]:
    """The images whose version moves with a channel."""
    for name, image in images.items():
        if image.flatcar is not None and image.flatcar.follows:
            yield name, image.flatcar


def _line(image: FlatcarImage, index: Index) -> list[str]:
    """The verified versions up to what the followed `current` is, newest first."""
    current = index.current.get((image.channel, image.arch, image.version), "")
    return sorted((r.version for r in index.releases.values() if _belongs(r, image, current)), key=order, reverse=True)


def _belongs(release: Release, image: FlatcarImage, current: str) -> bool:
    """Of the same channel, and for an LTS year of the same major version: GROUP=lts-YEAR freezes it."""
    if (release.channel, release.arch) != (image.channel, image.arch) or order(release.version) > order(current):
        return False
    return image.version == "current" or order(release.version)[:1] == order(current)[:1]


def _rollout(name: str, index: Index) -> Rollout:
    return index.rollouts.get(name, Rollout())


def _with(index: Index, name: str, rollout: Rollout) -> Index:
    return replace(index, rollouts={**index.rollouts, name: rollout})


def _must_follow(name: str, image: FlatcarImage, what: str) -> None:
    if not image.follows:
        raise RolloutError(f"image {name} is pinned to {image.version}, nothing to {what}: change its version instead")


def _mirrored(image: FlatcarImage, index: Index) -> str:
    return ", ".join(_line(image, index)) or "nothing is"
