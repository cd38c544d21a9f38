"""What to do about a file that the daemon itself could not use: the sentence that `pxed check --host` has for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pxed.errors import ConfigError, Problem
from pxed.inventory.model import Server
from pxed.server.host.access import Wanted, probe
from pxed.server.host.binding import user
from pxed.server.host.files import findings_of
from pxed.server.host.reach import reader_of, written
from pxed.server.host.sandbox import UNIT, service
from pxed.status.store.errors import StoreError

_DENIED = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EROFS)


def remedies(error: BaseException, server: Server | None = None) -> list[str]:
    """A sentence for each file that the error comes of, where there is something to do on the host."""
    if isinstance(error, StoreError):
        wanted = written(server.data_dir) if server is not None else []
    else:
        wanted = [Wanted(path) for path in dict.fromkeys(_files(error))]
    return _sentences(wanted)


def remedies_of(warnings: Iterable[Problem]) -> list[str]:
    """The same for what stops no start: those are the files of secrets, which pxed wants for itself alone."""
    return _sentences([Wanted(one.unreadable, private=True) for one in warnings if one.unreadable])


def _sentences(wanted: Sequence[Wanted]) -> list[str]:
    if not wanted:
        return []
    unit = service() if _in_service() else None
    reader = reader_of(user())
    return [found.sentence for found in findings_of([probe(one) for one in wanted], reader, unit)]


def _in_service() -> bool:
    """Whether this process is the service's: its own control group is to be seen in the sandbox too."""
    try:
        return UNIT in Path("/proc/self/cgroup").read_text().replace("\n", "/").split("/")
    except OSError:
        return False


def _files(error: BaseException) -> Iterator[Path]:
    if isinstance(error, ConfigError):
        yield from (problem.unreadable for problem in error.problems if problem.unreadable is not None)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _DENIED and isinstance(cause.filename, (str, os.PathLike)):
            yield Path(cause.filename)
        cause = cause.__cause__ or cause.__context__
