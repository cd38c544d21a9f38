"""The mirror's index: the one truth about which releases are verified, and what their files were then.

mirror/index.json is replaced as a whole. A file's `stamp` tells whether it was touched since its digest was last seen
right: who serves it hashes it again when the stamp differs. Left out: how it gets there (sync), who boots what
(rollout).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pxed.assets import durable
from pxed.assets.mirror import lock
from pxed.assets.mirror.errors import MirrorError

FILE_NAME = "index.json"
_FORMAT = 1

Stamp = tuple[int, int, int, int]  # size, mtime_ns, ctime_ns, inode
Key = tuple[str, str, str]  # channel, arch, version; or channel, arch, "current" or "current-2024"


@dataclass(frozen=True, slots=True)
class MirroredFile:
    """A file as it was when it was verified."""

    size: int
    sha512: str  # hexadecimal
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Release:
    """A published release. Its files are those of the release server, signatures included, by name."""

    channel: str
    arch: str
    version: str
    files: Mapping[str, MirroredFile]
    verified: float  # Unix time, seconds
    signed_by: str  # fingerprint of the signing subkey

    @property
    def key(self) -> Key:
        """What the index knows it by."""
        return (self.channel, self.arch, self.version)


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far a new version of one image has come."""

    promoted: str = ""
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """Everything that is verified. `current` maps (channel, arch, "current" or "current-2024") to the newest one."""

    releases: Mapping[Key, Release] = field(default_factory=dict)
    current: Mapping[Key, str] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file that was just looked at."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def stamp_at(path: Path) -> Stamp | None:
    """The stamp of what is at a path now; None for nothing, or for what cannot be looked at."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return None


def release_directory(mirror_dir: Path, key: Key) -> Path:
    """Where a published release lies: the release server's own layout."""
    channel, arch, version = key
    return mirror_dir / channel / f"{arch}-usr" / version


def load_index(mirror_dir: Path) -> Index:
    """The index of a mirror; empty where there is none yet. Raises MirrorError."""
    path = mirror_dir / FILE_NAME
    try:
        return _index(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Index()
    except OSError as error:
        raise MirrorError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MirrorError(
            f"{path} is not an index of a mirror ({type(error).__name__}: {error}): remove it and run "
            "pxed images sync, which then downloads the releases again"
        ) from None


def save_index(mirror_dir: Path, index: Index) -> None:
    """Replace the index, durably. Raises MirrorError."""
    path = mirror_dir / FILE_NAME
    try:
        durable.replace(path, (json.dumps(_document(index), indent=1) + "\n").encode())
    except OSError as error:
        raise MirrorError(f"cannot write {path}: {error.strerror}") from None


def change_index(mirror_dir: Path, change: Callable[[Index], Index]) -> Index:
    """Load, change, save, while nobody else does. Returns the new index. Raises MirrorError, and what `change` does."""
    with lock.changing_index(mirror_dir):
        before = load_index(mirror_dir)
        after = change(before)
        if after != before:
            save_index(mirror_dir, after)
        return after


def _document(index: Index) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "releases": [
            {**asdict(release), "files": {name: asdict(file) for name, file in release.files.items()}}
            for _, release in sorted(index.releases.items())
        ],
        "current": [[*key, version] for key, version in sorted(index.current.items())],
        "rollouts": {name: asdict(rollout) for name, rollout in sorted(index.rollouts.items())},
    }


def _index(document: Mapping[str, Any]) -> Index:
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, expected {_FORMAT}")
    releases = [_release(entry) for entry in document["releases"]]
    return Index(
        {release.key: release for release in releases},
        {_key(entry[:3]): _text(entry[3]) for entry in document["current"]},
        {
            name: Rollout(_text(entry["promoted"]), tuple(map(_text, entry["refused"])))
            for name, entry in document["rollouts"].items()
        },
    )


def _release(entry: Mapping[str, Any]) -> Release:
    channel, arch, version = _key(entry[name] for name in ("channel", "arch", "version"))
    files = {_part(name): _file(file) for name, file in entry["files"].items()}
    return Release(channel, arch, version, files, float(entry["verified"]), _text(entry["signed_by"]))


def _file(entry: Mapping[str, Any]) -> MirroredFile:
    size, modified, changed, inode = map(int, entry["stamp"])
    return MirroredFile(int(entry["size"]), _text(entry["sha512"]), (size, modified, changed, inode))


def _key(parts: Iterable[Any]) -> Key:
    channel, arch, version = map(_part, parts)
    return (channel, arch, version)


def _part(value: Any) -> str:
    """One part of a path: the index may be written by other hands, and paths are made of these."""
    if _text(value) in ("", ".", "..") or "/" in value or "\0" in value:
        raise ValueError(f"{value!r} is not the name of a file or directory")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r}, expected a string")
    return value
