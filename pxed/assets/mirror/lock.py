"""One writer of a mirror at a time: flock(2) on mirror/.lock, which says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pxed.assets.mirror import durable
from pxed.assets.mirror.errors import MirrorError

FILE_NAME = ".lock"


class LockedError(MirrorError):
    """Another process writes the mirror."""


@contextlib.contextmanager
def writing(mirror_dir: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the mirror's lock, making the mirror's directory first. Raises LockedError, unless it is to wait for it;
    MirrorError when the directory cannot be written. The kernel releases it when the process ends, however it ends."""
    descriptor = _open(mirror_dir)
    try:
        _take(descriptor, mirror_dir, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(mirror_dir: Path) -> int:
    path = mirror_dir / FILE_NAME
    try:
        durable.directory(mirror_dir)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        durable.give(descriptor, mirror_dir)
    except OSError as error:
        raise MirrorError(f"cannot write {path}: {error.strerror}: run this as the user whom it belongs to") from None
    return descriptor


def _take(descriptor: int, mirror_dir: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
            raise LockedError(
                f"{mirror_dir} is being written by {holder}: try again when it is done, or wait for it with --wait"
            ) from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
