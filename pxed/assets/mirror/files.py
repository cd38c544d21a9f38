"""The mirror's files as they are handed out: only those of the index, and only with the content that was verified.

A file whose stamp is no longer that of its verification is hashed again before a byte of it leaves: rsync and chmod
change stamps, bit rot and hands change content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pxed.assets.library import Asset, AssetError, NotFound, confined, open_asset
from pxed.assets.mirror.index import Index, Release, Stamp, release_directory, stamp_of
from pxed.assets.mirror.rollout import lines
from pxed.inventory.model import Image

_PIECE = 1 << 20
MAX_REMEMBERED = 10_000  # files hashed again; the oldest is hashed once more


class Damaged(AssetError):  # noqa: N818 -- named by what the client is told
    """The file on disk is not the one that was verified. Refused until `pxed images sync` has brought it again."""

    status = 503


def release_at(index: Index, images: Mapping[str, Image], channel: str, arch: str, word: str) -> Release | None:
    """The release that /flatcar/CHANNEL/ARCH-usr/WORD names: a version, or a `current`, which follows the rollout."""
    version = word if (channel, arch, word) in index.releases else lines(images, index).get((channel, arch, word), "")
    return index.releases.get((channel, arch, version))


class MirrorFiles:
    """Finds files of releases below data_dir/mirror and knows which of them are right."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "mirror"
        self._judged: dict[Path, tuple[Stamp, str, bool]] = {}

    def find(self, release: Release, name: str) -> Asset:
        """The file of that name. Raises AssetError."""
        if name not in release.files:
            raise NotFound(f"release {release.version} has no file {name!r} here")
        asset = confined(self._root, str(release_directory(Path(), release.key) / name))
        if asset is None:
            raise Damaged(f"{name} of {release.version} is gone from {self._root}: run pxed images sync", "missing")
        return asset

    def is_known_right(self, release: Release, asset: Asset) -> bool:
        """Whether it can be handed out without another look into it. Raises Damaged."""
        file, stamp = release.files[_name(asset)], _stamp(asset)
        if stamp == file.stamp:
            return True
        judged = self._judged.get(asset.path)
        if judged is None or judged[:2] != (stamp, file.sha512):
            return False
        if not judged[2]:
            raise _damaged(release, asset)
        return True

    def recheck(self, release: Release, asset: Asset) -> None:
        """Read all of it and compare: takes seconds. Raises Damaged, also at every later look at the same file."""
        file, stamp = release.files[_name(asset)], _stamp(asset)
        right = _sha512(asset) == file.sha512
        self._judged.pop(asset.path, None)
        self._judged[asset.path] = (stamp, file.sha512, right)
        while len(self._judged) > MAX_REMEMBERED:
            del self._judged[next(iter(self._judged))]
        if not right:
            raise _damaged(release, asset)


def _name(asset: Asset) -> str:
    return asset.name.rpartition("/")[2]


def _stamp(asset: Asset) -> Stamp:
    try:
        return stamp_of(asset.path.stat())
    except OSError as error:
        raise NotFound(f"{asset.name} cannot be read: {error.strerror}") from None


def _sha512(asset: Asset) -> str:
    digest = hashlib.sha512()
    with open_asset(asset) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _damaged(release: Release, asset: Asset) -> Damaged:
    return Damaged(
        f"{_name(asset)} of {release.version} is not what was verified, its digest (SHA-512) differs: "
        "pxed images sync brings it again",
        why="digest",
    )
