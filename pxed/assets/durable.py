"""Files that survive a power cut: written, flushed to the disk, and only then put in place by a rename.

What root makes below a data directory of another user is given to that user, or the daemon could not replace it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Replace a file as a whole: after a power cut there is the old one or the new one. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            give(file.fileno(), path.parent)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    flush(path.parent)


def point(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target`, in one step where there was one before. Raises OSError."""
    if link.is_symlink() and link.readlink() == Path(target):
        return
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    give(temporary, link.parent)
    temporary.replace(link)
    flush(link.parent)


def directory(path: Path) -> Path:
    """The directory, made with its parents when it is not there. Raises OSError."""
    if not path.is_dir():
        directory(path.parent)
        path.mkdir(exist_ok=True)
        give(path, path.parent)
    return path


def flush(path: Path) -> None:
    """Write a directory's entries, or a file's content, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give(made: Path | int, parent: Path) -> None:
    """Let a path, or an open file, belong to whom its directory belongs; only root can and needs to."""
    if os.geteuid() != 0:
        return
    owner = parent.stat()
    if isinstance(made, int):
        os.fchown(made, owner.st_uid, owner.st_gid)
    else:
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)
