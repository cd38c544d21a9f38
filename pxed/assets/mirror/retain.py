"""Which releases stay, and the removal of the others.

Kept are the newest ones of each channel and architecture (server.mirror.keep), whatever an image is pinned to or its
machines are to boot, and what a machine is booting just now (mirror/booting.json, which the daemon writes).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from pxed.assets.flatcar import Version
from pxed.assets.mirror import layout, publish
from pxed.assets.mirror.events import Removed
from pxed.assets.mirror.index import Index, Key, Release, change_index
from pxed.assets.mirror.rollout import bootable, refused
from pxed.inventory.model import Inventory

BOOTING = "booting.json"
IN_USE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """`keep` says why a release stays."""

    keep: dict[Key, str]
    drop: tuple[Release, ...]


def retention(inventory: Inventory, index: Index, in_use: Collection[Key]) -> Retention:
    """What stays and what goes. Pure."""
    keep: dict[Key, str] = {}
    for key in bootable(inventory.images, index):
        keep[key] = f"booted by image {', '.join(_names(inventory, key))}"
    for key in in_use:
        if key in index.releases:
            keep.setdefault(key, "a machine is booting it")
    count, good = inventory.server.mirror.keep, index.releases.keys() - refused(inventory.images, index)
    for line in sorted({key[:2] for key in good}):
        newest = sorted((key for key in good if key[:2] == line), key=_order, reverse=True)
        for key in newest[:count]:
            keep.setdefault(key, f"one of the {count} newest" if count > 1 else "the newest")
    drop = sorted((release for key, release in index.releases.items() if key not in keep), key=lambda one: one.key)
    return Retention(keep, tuple(drop))


def booting(mirror_dir: Path, now: float) -> frozenset[Key]:
    """The releases that were given out within the last hour; none when the daemon has not written any."""
    try:
        entries = json.loads((mirror_dir / BOOTING).read_text(encoding="utf-8"))
        fresh = [str(key).split("/") for key, when in entries.items() if now - float(when) < IN_USE_SECONDS]
    except (OSError, ValueError, TypeError, AttributeError):
        return frozenset()
    return frozenset((key[0], key[1], key[2]) for key in fresh if len(key) == 3)


def prune(
    mirror_dir: Path, inventory: Inventory, emit: Callable[[Removed], None], in_use: Collection[Key] = ()
) -> None:
    """Remove what need not stay. The caller holds the mirror (lock.writing). Raises MirrorError, OSError.

    A release leaves its place before it leaves the index: whatever ends the process between, the next sync goes on.
    """
    dropped: list[Release] = []

    def change(index: Index) -> Index:
        used = {*in_use, *booting(mirror_dir, time.time())}
        dropped.extend(retention(inventory, index, used).drop)
        gone = {release.key for release in dropped}
        for key in gone:
            publish.remove(mirror_dir, key)
        current = {line: version for line, version in index.current.items() if (*line[:2], version) not in gone}
        releases = {key: release for key, release in index.releases.items() if key not in gone}
        return replace(index, releases=releases, current=current)

    index = change_index(mirror_dir, change)
    publish.point(mirror_dir, inventory.images, index)
    publish.empty_trash(mirror_dir)
    for release in dropped:
        emit(Removed(*release.key, sum(file.size for file in release.files.values())))


def _order(key: Key) -> Version:
    return layout.order(key[2])


def _names(inventory: Inventory, key: Key) -> list[str]:
    """The images that boot a release, or may."""
    found = []
    for name, image in inventory.images.items():
        line = image.flatcar
        if line and (line.channel, line.arch) == key[:2] and (line.follows or line.version == key[2]):
            found.append(name)
    return found
