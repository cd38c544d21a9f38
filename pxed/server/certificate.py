"""The certificate that the HTTPS listener shows: what was loaded, and what takes its place when its files change."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.tls import TlsSettings
from pxed.server.tls import TlsError, server_context
from pxed.server.tlscheck import judged

REMIND_SECONDS = 86400.0
Stamps = tuple[tuple[int, int, int] | None, ...]


class Tls:
    """The listener's certificate. `context` is for the next connection; one that is open keeps its own."""

    def __init__(self, settings: TlsSettings) -> None:
        """Load it. Raises TlsError."""
        self.settings = settings
        self._loaded = self._settling = self._stamps()
        self.context = _loaded(settings)

    def warnings(self, addresses: Sequence[str]) -> list[str]:
        """What machines that reach pxed at these addresses have against it."""
        return [remark.sentence for remark in judged(self.settings, self.context, addresses)]

    async def look(self) -> bool:
        """Whether a new certificate was loaded: files changed, and stayed the same since the last look.

        Raises TlsError, once for each change, for files that are not usable; the old certificate then stays.
        """
        now = self._stamps()
        settled, self._settling = now == self._settling, now
        if now == self._loaded or not settled:
            return False
        self._loaded = now
        self.context = await asyncio.to_thread(_loaded, self.settings)
        return True

    def _stamps(self) -> Stamps:
        return tuple(_stamp(path) for path in self.settings.files)


class Renewal:
    """Looks after a certificate while it is served, and says what is wrong with it."""

    def __init__(self, tls: Tls | None, addresses: Callable[[], Sequence[str]], emit: Emit) -> None:
        self._tls = tls
        self._addresses = addresses
        self._emit = emit
        self._reminded = 0.0

    def remind(self) -> None:
        """Say what machines have against the certificate."""
        self._reminded = time.monotonic()
        for sentence in self._tls.warnings(self._addresses()) if self._tls is not None else ():
            self._say(f"HTTPS: {sentence}", Level.WARNING)

    async def look(self) -> None:
        """Take a new certificate if there is one; remind once a day."""
        if self._tls is None:
            return
        try:
            renewed = await self._tls.look()
        except TlsError as error:
            self._say(f"HTTPS: the old certificate stays in force: {error}", Level.WARNING)
            return
        if renewed:
            self._say(f"HTTPS: new connections get the new certificate of {self._tls.settings.certificate}", Level.INFO)
        if renewed or time.monotonic() - self._reminded > REMIND_SECONDS:
            self.remind()

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


def _loaded(settings: TlsSettings) -> ssl.SSLContext:
    context = server_context(settings)
    for remark in judged(settings, context):
        if remark.fatal:
            raise TlsError(remark.field, remark.sentence)
    return context


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
