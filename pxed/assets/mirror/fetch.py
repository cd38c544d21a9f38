"""One release from its server, verified: version.txt, then per file its signed digests, the file, its signature.

Nothing is trusted before its signature: the SHA-512 of a file comes out of the text of FILE.DIGESTS.asc that Sequoia
verified, and the file's own FILE.sig is checked too. What cannot be checked, as Flatcar signs no list of a release's
files: that a kernel belongs to the version whose directory it is in. version.txt, which has the version, is signed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pxed.assets import durable
from pxed.assets.mirror import layout, partial
from pxed.assets.mirror.digests import sha512_of
from pxed.assets.mirror.download import Downloader
from pxed.assets.mirror.errors import NotThere, UntrustedError
from pxed.assets.mirror.events import Event, Progress, Retrying
from pxed.assets.mirror.index import MirroredFile
from pxed.assets.mirror.layout import Line
from pxed.assets.mirror.signatures import Keyring

Emit = Callable[[Event], None]
_NO_STAMP = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A release to bring, for these images; `files` are the big ones that are lacking."""

    line: Line
    version: str
    images: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(slots=True)
class Fetched:
    """What lies verified in the staging directory; the stamps come with publication."""

    files: dict[str, MirroredFile] = field(default_factory=dict)
    signed_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a file has to be."""

    sha512: str
    signature: bytes


class Fetcher:
    """Fetches releases of any server with one client and one key."""

    def __init__(self, download: Downloader, keyring: Keyring, emit: Emit) -> None:
        self._download, self._keyring, self._emit = download, keyring, emit

    async def current(self, line: Line) -> str:
        """The version that a line's `current` is. Raises MirrorError."""
        return layout.version_in((await self._version_txt(line, line.word))[0], line.url(line.word, layout.VERSION_TXT))

    async def lts_info(self, line: Line) -> dict[int, tuple[int, bool]]:
        """Year -> (major version, supported), empty where the server does not have it. Raises MirrorError."""
        content = await self._optional(f"{line.base}/lts-info")
        return layout.parse_lts_info(content or b"")

    async def release(self, wanted: Wanted, staging: Path) -> Fetched:
        """Bring the files of a release to the staging directory. Raises MirrorError, OSError."""
        fetched = Fetched()
        durable.directory(staging)
        url = wanted.line.url(wanted.version, layout.VERSION_TXT)
        content, signature = await self._version_txt(wanted.line, wanted.version)
        if (said := layout.version_in(content, url)) != wanted.version:
            raise UntrustedError(f"{url} says FLATCAR_VERSION={said}: the files there are of another version")
        _keep(fetched, staging, layout.VERSION_TXT, content)
        if signature is None:
            fetched.note = "its version.txt is not signed there"
        else:
            _keep(fetched, staging, layout.VERSION_TXT + layout.SIGNATURE, signature)
        proofs = {name: await self._proof(wanted, name, staging, fetched) for name in wanted.files}
        await together(self._file(wanted, name, proof, staging, fetched) for name, proof in proofs.items())
        return fetched

    async def _version_txt(self, line: Line, directory: str) -> tuple[bytes, bytes | None]:
        """version.txt, and its signature where the server has one."""
        url = line.url(directory, layout.VERSION_TXT)
        content, signature = await self._signed(url)
        try:
            if signature is not None:
                self._keyring.detached(signature, content, url + layout.SIGNATURE)
        except UntrustedError:
            # `current` may have moved on between the two: then both are of the new one now.
            content, signature = await self._signed(url)
            if signature is not None:
                self._keyring.detached(signature, content, url + layout.SIGNATURE)
        return content, signature

    async def _signed(self, url: str) -> tuple[bytes, bytes | None]:
        return await self._download.small(url), await self._optional(url + layout.SIGNATURE)

    async def _optional(self, url: str) -> bytes | None:
        try:
            return await self._download.small(url)
        except NotThere:
            return None

    async def _proof(self, wanted: Wanted, name: str, staging: Path, fetched: Fetched) -> _Proof:
        """The signed digests of a file, verified, and its signature; kept to be served, with their unsigned kin."""
        url = wanted.line.url(wanted.version, name)
        signed = await self._download.small(url + layout.SIGNED_DIGESTS)
        text, _ = self._keyring.clearsigned(signed, url + layout.SIGNED_DIGESTS)
        expected = sha512_of(text, name, url + layout.SIGNED_DIGESTS)
        signature = await self._download.small(url + layout.SIGNATURE)
        plain = await self._optional(url + layout.DIGESTS)
        plain_signature = await self._optional(url + layout.DIGESTS_SIGNATURE)
        if plain is not None and sha512_of(plain, name, url + layout.DIGESTS) != expected:
            raise UntrustedError(f"{url}{layout.DIGESTS} has another SHA-512 than {name}{layout.SIGNED_DIGESTS}")
        if plain is not None and plain_signature is not None:
            self._keyring.detached(plain_signature, plain, url + layout.DIGESTS_SIGNATURE)
            _keep(fetched, staging, name + layout.DIGESTS_SIGNATURE, plain_signature)
        if plain is not None:
            _keep(fetched, staging, name + layout.DIGESTS, plain)
        _keep(fetched, staging, name + layout.SIGNED_DIGESTS, signed)
        _keep(fetched, staging, name + layout.SIGNATURE, signature)
        return _Proof(expected, signature)

    async def _file(self, wanted: Wanted, name: str, proof: _Proof, staging: Path, fetched: Fetched) -> None:
        """A big file; what turns out wrong is deleted, and fetched once more if an older part was in it."""
        url, path = wanted.line.url(wanted.version, name), staging / name
        told, again = self._reports(wanted, name)
        arrived = await self._download.big(url, path, proof.sha512, told, again)
        if arrived.sha512 != proof.sha512 and arrived.resumed:
            partial.remove(path)
            arrived = await self._download.big(url, path, proof.sha512, told, again)
        try:
            if arrived.sha512 != proof.sha512:
                raise UntrustedError(
                    f"{url} has the SHA-512 {arrived.sha512[:12]}..., its signed digests say {proof.sha512[:12]}...: "
                    "it was changed on the way or at its source, and is deleted"
                )
            signer = await asyncio.to_thread(self._keyring.detached, proof.signature, path, url + layout.SIGNATURE)
        except UntrustedError:
            partial.remove(path)
            raise
        fetched.files[name] = MirroredFile(arrived.size, arrived.sha512, _NO_STAMP)
        fetched.signed_by = signer

    def _reports(
        self, wanted: Wanted, name: str
    ) -> tuple[Callable[[int, int, int], None], Callable[[str, float], None]]:
        line, version, images = wanted.line, wanted.version, wanted.images

        def told(done: int, total: int, resumed: int) -> None:
            self._emit(Progress(images, line.channel, line.arch, version, name, done, total, resumed))

        def again(reason: str, seconds: float) -> None:
            self._emit(Retrying(images, version, name, reason, seconds))

        return told, again


async def together(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines side by side. The first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _keep(fetched: Fetched, staging: Path, name: str, content: bytes) -> None:
    """Write a small file; it is flushed to the disk with the rest."""
    path = staging / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    durable.give(path, staging)
    fetched.files[name] = MirroredFile(len(content), hashlib.sha512(content).hexdigest(), _NO_STAMP)
