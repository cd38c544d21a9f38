"""Putting what is verified in place: all files of a release at once, then the index, then `current`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pxed.assets import durable
from pxed.assets.mirror.index import Index, Key, MirroredFile, Release, release_directory, stamp_of
from pxed.assets.mirror.rollout import lines
from pxed.inventory.model import Image

PARTIAL = ".partial"  # below the mirror's directory: what is arriving, in the same layout
_TRASH = "trash-"


def staging(mirror_dir: Path, key: Key) -> Path:
    """Where the files of a release arrive."""
    return release_directory(mirror_dir / PARTIAL, key)


def place(mirror_dir: Path, release: Release, arrived: Iterable[str]) -> Release:
    """Move the files that have arrived from the staging directory to where they are served, flushed to the disk before
    and after. A new release appears as a whole. Returns it with the stamps of its files. Raises OSError."""
    source, target = staging(mirror_dir, release.key), release_directory(mirror_dir, release.key)
    names = set(arrived)
    for path in source.iterdir():
        if path.name in names:
            durable.flush(path)
        else:
            path.unlink()
    durable.flush(source)
    durable.directory(target.parent)
    if target.exists():
        for name in names:
            (source / name).replace(target / name)
        durable.flush(target)
        source.rmdir()
    else:
        source.rename(target)
    durable.flush(target.parent)
    return replace(release, files=stamped(target, release.files))


def stamped(directory: Path, files: Mapping[str, MirroredFile]) -> dict[str, MirroredFile]:
    """The files with the stamps that they have now. Raises OSError."""
    return {name: replace(file, stamp=stamp_of((directory / name).stat())) for name, file in files.items()}


def point(mirror_dir: Path, images: Mapping[str, Image], index: Index) -> None:
    """Let every `current` on disk be what most machines boot; one that leads nowhere goes. Raises OSError."""
    wanted = lines(images, index)
    for (channel, arch, word), version in wanted.items():
        if (channel, arch, version) in index.releases:
            durable.point(release_directory(mirror_dir, (channel, arch, word)), version)
    for link in mirror_dir.glob("*/*-usr/current*"):
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)


def remove(mirror_dir: Path, key: Key) -> None:
    """Take a release from where it is served. Its bytes go with `empty_trash`. Raises OSError."""
    directory = release_directory(mirror_dir, key)
    if directory.exists():
        durable.directory(mirror_dir / PARTIAL)
        directory.rename(Path(tempfile.mkdtemp(prefix=_TRASH, dir=mirror_dir / PARTIAL)) / directory.name)


def empty_trash(mirror_dir: Path) -> None:
    """Delete what was removed, also by a process that ended meanwhile."""
    for path in (mirror_dir / PARTIAL).glob(f"{_TRASH}*"):
        shutil.rmtree(path, ignore_errors=True)


def forget_partials(mirror_dir: Path, keep: Iterable[Key], lines_known: Iterable[tuple[str, str]]) -> None:
    """Delete the arriving files of releases that nobody wants any more, of those (channel, arch) whose wishes are
    known."""
    kept, known = {staging(mirror_dir, key) for key in keep}, set(lines_known)
    for directory in (mirror_dir / PARTIAL).glob("*/*-usr/*"):
        channel, arch = directory.parent.parent.name, directory.parent.name.removesuffix("-usr")
        if directory not in kept and (channel, arch) in known:
            shutil.rmtree(directory, ignore_errors=True)
