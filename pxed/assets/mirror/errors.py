"""What can go wrong with the mirror. Every text is a sentence for an operator: what was found, what to do."""

from __future__ import annotations

from pxed.errors import PxedError


class MirrorError(PxedError):
    """The mirror cannot do what it was asked for."""


class DownloadError(MirrorError):
    """A file did not arrive. `transient`: the same request may succeed later, and what arrived is kept for it."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class NotThere(DownloadError):  # noqa: N818 -- named by what the server said
    """The server says that there is no such file."""


class DiskFull(DownloadError):  # noqa: N818
    """The file system of the mirror has no room."""


class UntrustedError(MirrorError):
    """A digest or a signature is wrong, or of a key that is not trusted: nothing of the file may be used."""
