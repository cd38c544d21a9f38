"""One POST to a webhook: certificates checked, no redirect followed, everything bounded in time and size."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from pxed import __version__

SECONDS = 10.0  # for one try, its look-up and its handshake included
CONNECT_SECONDS = 5.0
AGENT = f"pxed/{__version__}"


class Answer(NamedTuple):
    """What came back; of the body nothing is read."""

    status: int
    retry_after: str


class HookClient:
    """Sends to one URL. Keeps no connection: there are minutes between two messages."""

    def __init__(self, url: str, ca: Path | None) -> None:
        self._url = url
        self._ca = ca
        self._resolver = Resolver()
        self._context: tuple[tuple[int, ...] | None, ssl.SSLContext] | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send it. Raises OSError, aiohttp.ClientError or TimeoutError."""
        trusted: ssl.SSLContext | bool = await self._trusted() if self._url.startswith("https:") else True
        connector = aiohttp.TCPConnector(ssl=trusted, resolver=self._resolver, force_close=True)
        timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.post(
                self._url, data=body, headers={"User-Agent": AGENT, **headers}, allow_redirects=False
            ) as response,
        ):
            return Answer(response.status, response.headers.get("Retry-After", ""))

    async def _trusted(self) -> ssl.SSLContext:
        """Whom it believes; read again when its file changes. In a thread: the host's CAs take 20 ms."""
        stamp = _stamp(self._ca) if self._ca is not None else None
        if self._context is None or self._context[0] != stamp:
            self._context = (stamp, await asyncio.to_thread(ssl.create_default_context, cafile=self._ca))
        return self._context[1]


class Resolver(AbstractResolver):
    """Looks names up in a thread of its own: one that hangs must not hold those that the daemon works with."""

    def __init__(self) -> None:
        self._asking: threading.Thread | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError."""
        if self._asking is not None and self._asking.is_alive():
            raise OSError(None, f"the look-up of {host} has not ended yet")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()
        self._asking = threading.Thread(target=_look_up, args=(loop, found, host, port, family), daemon=True)
        self._asking.start()
        return [_result(host, info) for info in await found]

    async def close(self) -> None:
        """Nothing is held."""


def _look_up(
    loop: asyncio.AbstractEventLoop, found: asyncio.Future[list[Any]], host: str, port: int, family: int
) -> None:
    result: list[Any] | OSError
    try:
        result = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError) as error:
        result = error if isinstance(error, OSError) else OSError(None, f"{host} is no name of a host")

    def settle() -> None:
        if found.done():  # nobody waits any more
            return
        if isinstance(result, OSError):
            found.set_exception(result)
        else:
            found.set_result(result)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the daemon has stopped meanwhile
        return


def _result(host: str, info: Any) -> ResolveResult:
    family, _, protocol, _, address = info
    return {
        "hostname": host, "host": address[0], "port": address[1], "family": family, "proto": protocol,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }  # fmt: skip


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
