"""Whether a user may read a file or write into a directory: tried by becoming that user, for nothing else knows it all
(modes, groups, access control lists, mounts).
"""

from __future__ import annotations

import errno
import json
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Need(StrEnum):
    """What pxed does with a path."""

    READ = "read"
    WRITE = "write"  # to a file, or into a directory


@dataclass(frozen=True, slots=True)
class Wanted:
    """A path that pxed needs. `private`: pxed takes it only when nobody else may read it."""

    path: Path
    need: Need = Need.READ
    private: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What came of trying: an errno, 0 when it went well, and the file or directory that it is due to."""

    wanted: Wanted
    error: int = 0
    at: Path = Path("/")


def probe(wanted: Wanted) -> Access:
    """Try it as the user who we are."""
    path = Path(os.path.realpath(wanted.path))
    for part in (*reversed(path.parents), path):
        try:
            part.stat()
        except OSError as error:
            denied = error.errno == errno.EACCES
            if wanted.need is Need.WRITE and error.errno == errno.ENOENT and os.access(part.parent, os.W_OK | os.X_OK):
                return Access(wanted)  # it can be made
            return Access(wanted, error.errno or errno.EIO, part.parent if denied else part)
    if wanted.need is Need.WRITE:
        return Access(wanted, _writing(path), path)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return Access(wanted, error.errno or errno.EIO, path)
    return Access(wanted)


def _writing(path: Path) -> int:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return errno.EROFS
    return 0 if os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)) else errno.EACCES


def probe_as(user: str, wanted: Sequence[Wanted], more_groups: Sequence[int] = ()) -> list[Access]:
    """Try each as that user, who must exist, in a process of its own. Only root may do this."""
    entry = pwd.getpwnam(user)
    groups = {*os.getgrouplist(user, entry.pw_gid), *more_groups}
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(writing, entry.pw_uid, entry.pw_gid, sorted(groups), wanted)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 -- a descriptor
        answers = json.loads(pipe.read() or b"[]")
    os.waitpid(child, 0)
    return [Access(one, error, Path(at)) for one, (error, at) in zip(wanted, answers, strict=True)]


def _child(writing: int, uid: int, gid: int, groups: Sequence[int], wanted: Sequence[Wanted]) -> None:
    """Never returns: what a forked copy of this program would do next is not its business."""
    status = 1
    try:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        found = [(access.error, str(access.at)) for access in map(probe, wanted)]
        with open(writing, "wb") as pipe:
            pipe.write(json.dumps(found).encode())
        status = 0
    finally:
        os._exit(status)
