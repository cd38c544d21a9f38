"""Downloads over HTTP and HTTPS, through proxies as the environment says: small files whole, big ones to disk.

Any failure is a DownloadError whose sentence names the URL; see client.py. A file is asked for as it is
(Accept-Encoding: identity) and stored as it comes, and a part that is there is continued (RFC 9110 14, Range).
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp

from pxed.assets.mirror import client
from pxed.assets.mirror.errors import DiskFull, DownloadError
from pxed.assets.mirror.layout import MAX_FILE, MAX_SMALL
from pxed.assets.mirror.partial import Partial, validator_of

_EVERY = 0.25  # seconds between two reports of progress

Told = Callable[[int, int, int], None]  # bytes that are there, of how many (0: not known), of which from before
Again = Callable[[str, float], None]  # why a download is interrupted, after how many seconds it goes on


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient downloads are."""

    connect: float = 20.0  # seconds
    stall: float = 60.0  # seconds without a byte, or with fewer than `slow` a second
    slow: int = 1024  # bytes per second
    attempts: int = 4  # in a row that bring less than `worthwhile`
    worthwhile: int = 64 << 10  # bytes
    pause: float = 1.0  # seconds before the second attempt, doubled before each further one
    parallel: int = 2  # big files at a time
    reserve: int = 64 << 20  # bytes of the disk that are left free


class Arrived(NamedTuple):
    """A big file that is complete on disk."""

    size: int
    sha512: str
    resumed: int  # bytes that were there before


class Downloader:
    """One client for all downloads of a sync."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.parallel)

    async def __aenter__(self) -> Self:
        self._client = client.Client(self._limits.connect, self._limits.stall)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def small(self, url: str) -> bytes:
        """A file of at most MAX_SMALL bytes. Raises DownloadError, NotThere."""
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return await self._whole(url)
            except DownloadError as error:
                if not error.transient or attempt == self._limits.attempts:
                    raise
            await asyncio.sleep(self._pause(attempt))
        raise AssertionError("unreachable")

    async def big(self, url: str, path: Path, expected: str, told: Told, again: Again) -> Arrived:
        """Download to `path`, or complete the part that an earlier attempt left there; nothing is asked for when that
        has the `expected` SHA-512. What arrives may have another: it is for the caller to compare. Raises
        DownloadError, NotThere, DiskFull; what arrived is kept then, except on a full disk."""
        async with self._slots:
            tries = reached = 0
            while True:
                partial = Partial(path)
                try:
                    return await self._attempt(partial, url, expected, told)
                except DownloadError as error:
                    tries += 1
                    if partial.size >= reached + self._limits.worthwhile:
                        tries, reached = 1, partial.size
                    if not error.transient or tries >= self._limits.attempts:
                        raise _final(error, partial) from None
                    again(str(error), self._pause(tries))
                finally:
                    partial.close()
                await asyncio.sleep(self._pause(tries))

    def _pause(self, attempt: int) -> float:
        return float(self._limits.pause * 2 ** (attempt - 1))

    async def _whole(self, url: str) -> bytes:
        content = bytearray()
        async with self._client.get(url, {}) as response:
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > MAX_SMALL:
                    raise DownloadError(
                        f"{client.shown(url)} has over {MAX_SMALL} bytes: that is no release server's file"
                    )
        return bytes(content)

    async def _attempt(self, partial: Partial, url: str, expected: str, told: Told) -> Arrived:
        validator = await partial.resume(url)
        resumed = partial.size
        if not (resumed and partial.sha512 == expected):
            asked = {"Range": f"bytes={resumed}-", "If-Range": validator} if validator else {}
            async with self._client.get(url, asked) as response:
                total = _begin(partial, url, response, validator)
                resumed = partial.size
                _check_room(partial.path, total - partial.size if total else 0, self._limits.reserve)
                told(partial.size, total, resumed)
                await self._receive(partial, url, response, total, told)
        await asyncio.to_thread(partial.flush)
        told(partial.size, partial.size, resumed)
        return Arrived(partial.size, partial.sha512, resumed)

    async def _receive(
        self, partial: Partial, url: str, response: aiohttp.ClientResponse, total: int, told: Told
    ) -> None:
        resumed = partial.size
        said = measured = time.monotonic()
        seen = partial.size
        async for piece in response.content.iter_any():
            partial.write(piece)
            now = time.monotonic()
            if now - said >= _EVERY:
                said = now
                told(partial.size, total, resumed)
            if now - measured >= self._limits.stall:
                self._check_rate(url, partial.size - seen)
                measured, seen = now, partial.size
            if partial.size > MAX_FILE:
                partial.discard()
                raise DownloadError(f"{client.shown(url)} does not end: {MAX_FILE} bytes and more")

    def _check_rate(self, url: str, arrived: int) -> None:
        if arrived < self._limits.slow * self._limits.stall:
            raise DownloadError(
                f"{client.shown(url)} sent only {arrived} bytes in {self._limits.stall:g} seconds", transient=True
            )


def _begin(partial: Partial, url: str, response: aiohttp.ClientResponse, validator: str) -> int:
    """Make the partial file what the body follows on. Returns the size of the whole file, 0 when it is not told."""
    if response.status == 200:
        partial.restart(url, validator_of(response.headers))
        return response.content_length or 0
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "").strip())
    fits = response.status == 206 and found is not None and int(found[1]) == partial.size
    if not validator or not fits or validator_of(response.headers) not in ("", validator):
        partial.restart(url, "")
        raise DownloadError(
            f"{client.shown(url)} answered {response.status} with another part than was asked for", transient=True
        )
    return int(found[2]) if found else 0


def _check_room(path: Path, missing: int, reserve: int) -> None:
    if missing > MAX_FILE:
        raise DownloadError(f"{path.name} is announced with {missing} bytes: that is no release server's file")
    free = shutil.disk_usage(path.parent).free
    if free < missing + reserve:
        raise DiskFull(
            f"no room for {path.name}: {missing + reserve >> 20} MiB are needed with the reserve, "
            f"{free >> 20} MiB are free: free some, or lower server.mirror.keep"
        )


def _final(error: DownloadError, partial: Partial) -> DownloadError:
    """The failure of the last attempt, and what is left of the file."""
    if not error.transient or not partial.size:
        return error
    return DownloadError(f"{error}; {partial.size} bytes are kept, the next sync goes on from there", transient=True)
