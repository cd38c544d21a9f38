"""Rules about files: what user pxed and the service's sandbox may not read, and where they may not write."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pxed.server.host.access import Access, Need
from pxed.server.host.sandbox import Service
from pxed.server.host.wordings import Code, Finding, finding

LITTLE = 100 << 20  # bytes free: less than one boot image


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom pxed runs as."""

    user: str
    group: str


def file_finding(access: Access, reader: Reader, service: Service | None) -> Finding | None:
    """What keeps the service from reading a file. A file that nobody has is the inventory's own problem."""
    path, at = str(access.wanted.path), str(access.at)
    if service is not None and (directive := service.hides(access.wanted.path)):
        return finding(
            Code.FILE_HIDDEN, path=path, directive=directive, group=reader.group, name=access.wanted.path.name
        )
    if access.error != errno.EACCES:
        return None
    if access.at != Path(os.path.realpath(access.wanted.path)):
        return finding(Code.DIRECTORY_CLOSED, user=reader.user, group=reader.group, path=path, directory=at)
    if access.wanted.private:
        return finding(Code.FILE_PRIVATE, user=reader.user, group=reader.group, path=path)
    return finding(Code.FILE_CLOSED, user=reader.user, group=reader.group, path=path)


def directory_finding(access: Access, reader: Reader, service: Service | None) -> Finding | None:
    """What keeps the service from writing into data_dir."""
    path = access.wanted.path
    if service is not None:
        made = any(path.is_relative_to(place) for place in service.state)
        if directive := service.hides(path):
            return finding(Code.DATA_HIDDEN, path=str(path), directive=directive)
        if directive := service.protects(path):
            return finding(Code.DATA_PROTECTED, path=str(path), directive=directive)
        if made and access.error == errno.ENOENT:
            return None  # systemd makes it
    if access.error == errno.ENOENT:
        return finding(Code.DATA_MISSING, user=reader.user, group=reader.group, path=str(path))
    if access.error == errno.EROFS:
        return finding(Code.DATA_READ_ONLY, path=str(path))
    if access.error == errno.EACCES and access.at != Path(os.path.realpath(path)):
        return finding(
            Code.DIRECTORY_CLOSED, user=reader.user, group=reader.group, path=str(path), directory=str(access.at)
        )
    return finding(Code.DATA_CLOSED, user=reader.user, group=reader.group, path=str(path)) if access.error else None


def space_finding(path: Path, free: int, inodes: int) -> Finding | None:
    """What a file system with so many bytes and inodes free is short of. `inodes` -1: it does not count them."""
    if free == 0 or inodes == 0:
        what = "space" if free == 0 else "inodes"
        return finding(Code.DATA_FULL, path=str(path), what=what)
    return finding(Code.DATA_SPACE, path=str(path), megabytes=str(free >> 20)) if free < LITTLE else None


def findings_of(accesses: Sequence[Access], reader: Reader, service: Service | None) -> list[Finding]:
    """Of every file and directory."""
    found = [
        directory_finding(one, reader, service) if one.wanted.need is Need.WRITE else file_finding(one, reader, service)
        for one in accesses
    ]
    return [*dict.fromkeys(one for one in found if one is not None)]
