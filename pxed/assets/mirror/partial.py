"""A file that is arriving: what is on disk of it, and which version of the server's file that is a part of.

FILE grows below mirror/.partial; FILE.resume beside it says what it is a part of. A resumed download asks for the rest
only if that is still what the server has (RFC 9110 13.1.5, If-Range); without a strong validator it begins anew.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from pxed.assets import durable
from pxed.assets.mirror.errors import DiskFull, DownloadError

RESUME = ".resume"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def validator_of(headers: Mapping[str, str]) -> str:
    """What If-Range can hold: a strong ETag, else the time of the last change; "" when there is neither.

    Of a weak ETag RFC 9110 13.1.5 says that it must not be used there.
    """
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def remove(path: Path) -> None:
    """Remove a partial file and what is known of it. Raises OSError."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + RESUME).unlink(missing_ok=True)


class Partial:
    """An open partial file. `size` bytes are there, `sha512` is their digest."""

    def __init__(self, path: Path) -> None:
        """Open or make it. Raises DownloadError."""
        self.path = path
        self._note = path.with_name(path.name + RESUME)
        try:
            durable.directory(path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = open(os.open(path, flags, 0o644), "r+b", buffering=0)  # noqa: SIM115, PTH123
            durable.give(self._file.fileno(), path.parent)
        except OSError as error:
            raise self._failed(error) from None
        self.size = os.fstat(self._file.fileno()).st_size
        self._digest = hashlib.sha512()

    async def resume(self, url: str) -> str:
        """Take up what is there: the validator for If-Range when it is a part of this URL's file; "" when it is not
        known to be. Its digest is known afterwards either way."""
        if self.size:
            await asyncio.to_thread(self._hash)
        return self._validator(url) if self.size else ""

    @property
    def sha512(self) -> str:
        """The digest of what is there, hexadecimal."""
        return self._digest.hexdigest()

    def restart(self, url: str, validator: str) -> None:
        """Forget what is there: this URL's file follows from its first byte. Raises DownloadError."""
        self._digest, self.size = hashlib.sha512(), 0
        try:
            self._file.seek(0)
            self._file.truncate()
            self._note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
        except OSError as error:
            raise self._failed(error) from None

    def write(self, piece: bytes) -> None:
        """Append. Raises DiskFull, after which nothing of the file is left, or DownloadError."""
        try:
            written = self._file.write(piece)
            if written < len(piece):  # a full disk takes a part first
                self._file.write(memoryview(piece)[written:])
        except OSError as error:
            failure = self._failed(error)
            if isinstance(failure, DiskFull):
                self.discard()
            raise failure from None
        self._digest.update(piece)
        self.size += len(piece)

    def flush(self) -> None:
        """Write it to the disk. Raises DownloadError."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Keep what is there for the next time."""
        self._file.close()

    def discard(self) -> None:
        """Remove what is there."""
        self.close()
        self.size = 0
        remove(self.path)

    def _validator(self, url: str) -> str:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return str(note["validator"]) if note["url"] == url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _hash(self) -> None:
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha512")
        self._digest, self.size = digest, self._file.tell()

    def _failed(self, error: OSError) -> DownloadError:
        if error.errno in _NO_ROOM:
            return DiskFull(f"no room left for {self.path}: {error.strerror}: free some, or lower server.mirror.keep")
        return DownloadError(f"cannot write {self.path}: {error.strerror}")
