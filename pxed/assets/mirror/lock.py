"""Who may write a mirror: flock(2) on mirror/.lock for those that change its files, on .index.lock for its index.

One process syncs or prunes at a time, and .lock says which. The index is changed under a lock of its own, which is held
for a moment only: rolling back a version must not wait for a download. The kernel releases both when a process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pxed.assets import durable
from pxed.assets.mirror.errors import MirrorError

FILE_NAME = ".lock"
INDEX_NAME = ".index.lock"
_POLL = 0.2  # seconds


class LockedError(MirrorError):
    """Another process writes the mirror."""


@contextlib.contextmanager
def writing(mirror_dir: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the mirror, making its directory first. Raises LockedError, unless it is to wait for it; MirrorError when
    the directory cannot be written."""
    with _open(mirror_dir, FILE_NAME) as descriptor:
        if not wait and not _taken(descriptor):
            raise LockedError(_held(descriptor, mirror_dir))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _say(descriptor)
        yield


@contextlib.asynccontextmanager
async def writing_async(mirror_dir: Path, *, wait: bool = False) -> AsyncIterator[None]:
    """The same, for a task: it can be cancelled while it waits."""
    with _open(mirror_dir, FILE_NAME) as descriptor:
        while not _taken(descriptor):
            if not wait:
                raise LockedError(_held(descriptor, mirror_dir))
            await asyncio.sleep(_POLL)
        _say(descriptor)
        yield


@contextlib.contextmanager
def changing_index(mirror_dir: Path) -> Iterator[None]:
    """Hold the index, waiting for it. Raises MirrorError when the directory cannot be written."""
    with _open(mirror_dir, INDEX_NAME) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _open(mirror_dir: Path, name: str) -> Iterator[int]:
    path = mirror_dir / name
    try:
        durable.directory(mirror_dir)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        durable.give(descriptor, mirror_dir)
    except OSError as error:
        raise MirrorError(f"cannot write {path}: {error.strerror}: run this as the user whom it belongs to") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode(), 0)


def _held(descriptor: int, mirror_dir: Path) -> str:
    holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
    return f"{mirror_dir} is being written by {holder}: try again when it is done, or wait for it with --wait"
