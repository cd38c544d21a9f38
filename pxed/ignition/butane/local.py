"""Files beside a Butane config, by paths relative to their directory: `local`, `contents_local`, `trees` and ssh keys.

This room does no I/O: who transpiles hands in the few operations (pxed.assets.filesdir has those of a disk). Error
texts are Go's: operation, path, what the system said in lower case.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from pxed.errors import PxedError

NO_FILES_DIR = "local file paths are relative to a files directory that must be specified with -d/--files-dir"
OUTSIDE = "local file path traverses outside the files directory"


class Kind(Enum):
    """What a directory entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


class Stat(NamedTuple):
    """What is known of a file before it is read."""

    kind: Kind
    executable: bool  # any x bit


class LocalFiles(Protocol):
    """A directory. Paths are relative, clean, "." for the directory itself. Each method may raise OSError."""

    def read(self, path: str) -> bytes:
        """The bytes of a file; symbolic links are followed."""
        ...

    def stat(self, path: str, *, follow: bool) -> Stat:
        """Kind and x bits, of the link itself unless `follow`."""
        ...

    def names(self, path: str) -> list[str]:
        """The names in a directory, in any order."""
        ...

    def readlink(self, path: str) -> str:
        """The target of a symbolic link, as it is written."""
        ...


class LocalFileError(PxedError):
    """A local file that cannot be used, in Go's words."""


class Files:
    """The files of one translation; keeps the names that were asked for, so that a change of them can be noticed."""

    def __init__(self, files: LocalFiles | None) -> None:
        self._files = files
        self.asked: dict[str, None] = {}

    @property
    def present(self) -> bool:
        """Whether there is a directory at all."""
        return self._files is not None

    def read(self, path: str) -> bytes:
        """The bytes of a file named in a config. Raises LocalFileError."""
        files, path = self.locate(path)
        try:
            return files.read(path)
        except OSError as failure:
            raise LocalFileError(go_words("open", failure, path)) from None

    def locate(self, path: str) -> tuple[LocalFiles, str]:
        """The directory and the clean path within. Raises LocalFileError."""
        if self._files is None:
            raise LocalFileError(NO_FILES_DIR)
        clean = clean_path(path)
        if clean is None:
            raise LocalFileError(OUTSIDE)
        self.asked[clean] = None
        return self._files, clean


def clean_path(path: str) -> str | None:
    """The path lexically simplified, as Go's filepath.Join does; None when it leads above the directory."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


def go_words(operation: str, failure: OSError, path: str) -> str:
    """An OSError as Go prints it: `open files/x: no such file or directory`."""
    name = failure.filename if isinstance(failure.filename, str) else path
    reason = failure.strerror or str(failure) or "input/output error"
    if isinstance(failure, IsADirectoryError):
        operation = "read"
    return f"{operation} {name}: {reason[0].lower()}{reason[1:]}"
