"""The files beside a Butane config, on disk: confined to their directory, symbolic links included.

Implements pxed.ignition.butane.LocalFiles. A link may lead anywhere within the directory; one that leads out of it is
an error that says so (the reference tool follows it). Only regular files are read, up to MAX_FILE bytes.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pxed.ignition.butane import Kind, Stat

_T = TypeVar("_T")

MAX_FILE = 64 << 20  # bytes; a config that holds more could not be fetched by a machine

_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIRECTORY, modes.S_IFLNK: Kind.SYMLINK}


class FilesDir:
    """A files directory. Errors name paths as the directory was given, as the reference tool does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, path: str) -> bytes:
        """The bytes of a regular file. Raises OSError."""
        # O_NONBLOCK: opening a fifo without a writer would wait for one.
        descriptor = self._call(os.open, path, True, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if modes.S_ISDIR(mode):
                raise self._error(errno.EISDIR, path)
            if not modes.S_ISREG(mode):
                raise self._error(errno.EINVAL, path, "not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_FILE + 1)
        finally:
            os.close(descriptor)
        if len(data) > MAX_FILE:
            raise self._error(errno.EFBIG, path, f"more than {MAX_FILE >> 20} MiB")
        return data

    def stat(self, path: str, *, follow: bool) -> Stat:
        """Kind and x bits. Raises OSError."""
        mode = self._call(os.lstat, path, follow).st_mode
        return Stat(_KINDS.get(modes.S_IFMT(mode), Kind.OTHER), bool(mode & 0o111))

    def names(self, path: str) -> list[str]:
        """The names in a directory. Raises OSError."""
        return self._call(os.listdir, path, True)

    def readlink(self, path: str) -> str:
        """The target of a symbolic link. Raises OSError."""
        return str(self._call(os.readlink, path, False))

    def _call(self, function: Callable[..., _T], path: str, follow: bool, *more: int) -> _T:
        """Calls a function of `os` with the confined path."""
        try:
            return function(self._resolve(path, follow), *more)
        except ValueError:
            raise self._error(errno.EINVAL, path) from None  # a NUL in the name
        except OSError as failure:
            raise self._error(failure.errno or errno.EIO, path, failure.strerror or "") from None

    def _resolve(self, path: str, follow: bool) -> str:
        """The path without symbolic links; its last part may be one unless `follow`."""
        root = os.path.realpath(self.directory)
        parent, name = os.path.split(path)
        if follow or path == ".":
            parent, name = path, ""
        real = os.path.realpath(os.path.join(root, parent), strict=True)  # noqa: PTH118
        if real != root and not real.startswith(root.rstrip("/") + "/"):
            raise OSError(errno.EPERM, "symbolic link leads outside of the files directory")
        return os.path.join(real, name) if name else real  # noqa: PTH118

    def _error(self, number: int, path: str, reason: str = "") -> OSError:
        name = os.path.normpath(os.path.join(self.directory, path))  # noqa: PTH118
        return OSError(number, reason or os.strerror(number), name)
