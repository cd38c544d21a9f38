"""Everything that is mirrored, checked again: presence, SHA-512, signed digests, signatures.

A file that is damaged takes its release out of the index: it is not served any more, and the next sync brings it anew.
What the key or the policy no longer allows is said, and left to the operator: machines may be booting nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pxed.assets.mirror import layout
from pxed.assets.mirror.digests import sha512_of
from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import (
    Index,
    Key,
    MirroredFile,
    Release,
    Stamp,
    change_index,
    load_index,
    release_directory,
    stamp_at,
)
from pxed.assets.mirror.signatures import Keyring


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of a release. `problem` is "" when it is right; `damaged` when it is not what was mirrored."""

    key: Key
    file: str
    size: int
    problem: str = ""
    damaged: bool = False
    stamp: Stamp | None = None  # of the file when it was read


def verify(mirror_dir: Path, keyring: Keyring, told: Callable[[Checked], None]) -> bool:
    """Check all releases, telling each file; whether all are right. Releases with damaged files leave the index, stamps
    of right ones are renewed where the mirror can be written. Raises MirrorError."""
    right = True
    damaged: set[Key] = set()
    stamps: dict[tuple[Key, str], Stamp] = {}
    for release in load_index(mirror_dir).releases.values():
        for checked in check_release(mirror_dir, release, keyring):
            told(checked)
            right = right and not checked.problem
            if checked.damaged:
                damaged.add(release.key)
            if checked.stamp:
                stamps[release.key, checked.file] = checked.stamp
    try:
        change_index(mirror_dir, lambda index: _after(index, damaged, stamps))
    except MirrorError as error:
        if damaged:
            raise MirrorError(f"{error}; what is damaged is refused by its digest, but stays in the index") from None
    return right


def check_release(mirror_dir: Path, release: Release, keyring: Keyring) -> Iterator[Checked]:
    """Each file of a release, read in full."""
    directory = release_directory(mirror_dir, release.key)
    for name, file in sorted(release.files.items()):
        stamp = stamp_at(directory / name)
        if problem := damage(directory / name, file):
            yield Checked(release.key, name, file.size, problem, damaged=True)
        else:
            yield Checked(release.key, name, file.size, _signed(directory, release, name, keyring), stamp=stamp)


def damage(path: Path, file: MirroredFile) -> str:
    """What is wrong with a file's content; "" when it is the one that was mirrored."""
    try:
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha512").hexdigest()
    except FileNotFoundError:
        return f"{path} is gone"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if found != file.sha512:
        return f"{path} was changed: its SHA-512 is {found[:12]}..., it was mirrored with {file.sha512[:12]}..."
    return ""


def lacking(mirror_dir: Path, release: Release | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """Of the big files `names`, those that a release does not have right on disk. A file whose stamp is the known one
    is right."""
    if release is None:
        return names
    directory = release_directory(mirror_dir, release.key)
    wrong = {name for name, file in release.files.items() if stamp_at(directory / name) != file.stamp}
    wrong = {name for name in wrong if damage(directory / name, release.files[name])}
    if any(name.startswith(layout.VERSION_TXT) for name in wrong):
        return names
    return tuple(name for name in names if name not in release.files or any(one.startswith(name) for one in wrong))


def _signed(directory: Path, release: Release, name: str, keyring: Keyring) -> str:
    """What the signatures say of a file: FILE.sig of every file that has one, and its signed digests."""
    path, digests = directory / name, name + layout.SIGNED_DIGESTS
    try:
        if name + layout.SIGNATURE in release.files:
            signature = directory / f"{name}{layout.SIGNATURE}"
            keyring.detached(signature.read_bytes(), path, str(signature))
        if digests in release.files:
            text, _ = keyring.clearsigned((directory / digests).read_bytes(), str(directory / digests))
            if sha512_of(text, name, str(directory / digests)) != release.files[name].sha512:
                return f"{directory / digests} has another SHA-512 than {name}"
        if name == layout.VERSION_TXT and layout.version_in(path.read_bytes(), str(path)) != release.version:
            return f"{path} is of another version"
    except MirrorError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    return ""


def _after(index: Index, damaged: set[Key], stamps: Mapping[tuple[Key, str], Stamp]) -> Index:
    """Without what is damaged; with the stamps of what was read and found right."""
    kept = {}
    for key, release in index.releases.items():
        if key not in damaged:
            files = {
                name: replace(file, stamp=stamps.get((key, name), file.stamp)) for name, file in release.files.items()
            }
            kept[key] = replace(release, files=files)
    return replace(index, releases=kept)
