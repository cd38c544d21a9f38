"""One simulated machine that installs itself, as iPXE, Ignition and the installer of a real one would, over real HTTP.

It asks from an address of its own, each time by a new connection, and again when an answer is lost or 503. What it does
besides depends on its number: some repeat their reports, break off a download, or boot again in the middle.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

MOST_BOOTS = 12  # of one machine: its attempts, those that a dying daemon costs, and the waits between
PATIENCE = 120.0  # seconds for one answer, all its repetitions included
ANSWER_SECONDS = 20.0
_CONFIG = re.compile(r"ignition\.config\.url=(\S+)")
_BOOT = re.compile(r"&boot=([0-9a-f]{16})")
_WAIT = re.compile(r"asking again in (\d+) seconds")
_LOCAL = "boots its local disk"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Seen:
    """What all machines have seen together. Seconds of complete answers, by what was asked for."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    local: int = 0  # machines that boot their disk
    troubles: int = 0  # connections that were refused or broke, and 503
    boots: int = 0
    doubled: int = 0  # one-time configs that were given twice by a daemon that had not died in between
    again: int = 0  # given again after trouble
    problems: list[str] = field(default_factory=list)


class Machine:
    """Number `number` of the crowd."""

    def __init__(self, number: int, mac: str, url: str, address: str, seen: Seen) -> None:
        self._number = number
        self._mac = mac
        self._url = url
        self._address = address
        self._seen = seen

    async def install(self) -> None:
        """Boot until the script says: the disk."""
        boot, rebooted = "", False
        for _ in range(MOST_BOOTS):
            script = (await self._ask("script", self._script_url(boot))).body.decode()
            self._seen.boots += 1
            if _LOCAL in script:
                self._seen.local += 1
                return
            if found := _CONFIG.search(script):
                boot, rebooted = "", await self._attempt(found[1], reboots=self._number % 11 == 2 and not rebooted)
            elif waits := _WAIT.search(script):
                boot = next(iter(_BOOT.findall(script)), "")
                await asyncio.sleep(int(waits[1]))
            else:
                break
        self._seen.problems.append(f"node{self._number}: not installed, but shown: {script[:300]!r}")

    def _script_url(self, boot: str) -> str:
        return f"{self._url}/boot.ipxe?mac={self._mac}&arch=x86_64&platform=efi" + (f"&boot={boot}" if boot else "")

    async def _attempt(self, config_url: str, *, reboots: bool) -> bool:
        """The live system; whether it was switched off in the middle."""
        if self._number % 13 == 3:
            await self._break_off(config_url)
        files = _files((await self._ask("config", config_url)).body)
        report, system = files["/etc/pxed/install/report-url"], files["/etc/pxed/install/config-url"]
        await self._report(report, "installing")
        if reboots:
            return True
        await self._ask("system", system)
        troubles = self._seen.troubles
        await self._report(report, "installing")
        await self._report(report, "installed")
        if (await self._ask("replay", system, right=(200, 403))).status == 200:
            self._seen.again += 1
            self._seen.doubled += troubles == self._seen.troubles
        return False

    async def _report(self, url: str, stage: str) -> None:
        body = b"simulated"
        for _ in range(2 if self._number % 7 == 1 else 1):
            await self._ask("report", f"{url}&stage={stage}", body)

    async def _ask(self, what: str, url: str, body: bytes | None = None, right: tuple[int, ...] = (200,)) -> Answer:
        """Until there is an answer; one that is not right is a problem, and ends this machine."""
        end, wait = time.monotonic() + PATIENCE, 0.1
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                answer = await asyncio.wait_for(exchange(url, self._address, body), ANSWER_SECONDS)
            except (OSError, EOFError, TimeoutError):
                self._seen.troubles += 1
                await asyncio.sleep(wait)
                wait = min(1.0, wait * 2)
                continue
            if answer.status == 503:
                self._seen.troubles += 1
                await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
                continue
            if answer.status not in right:
                raise ProblemError(f"node{self._number}: {what}: {answer.status} {answer.body[:200]!r}")
            self._seen.seconds.setdefault(what, []).append(time.monotonic() - began)
            return answer
        raise ProblemError(f"node{self._number}: {what}: no answer in {PATIENCE:.0f} seconds")

    async def _break_off(self, url: str) -> None:
        """Take the beginning of the answer only: closing a socket with unread bytes resets the connection."""
        try:
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel must not take all of it instead
                await _asked(sock, url, self._address, None)
                await asyncio.get_running_loop().sock_recv(sock, 100)
        except OSError:
            self._seen.troubles += 1


class ProblemError(Exception):
    """An answer that no machine may get."""


async def exchange(url: str, address: str, body: bytes | None) -> Answer:
    """One request on a connection of its own. Raises OSError, EOFError."""
    loop, taken = asyncio.get_running_loop(), b""
    with socket.socket() as sock:
        await _asked(sock, url, address, body)
        while (answer := _whole(taken)) is None:
            more = await loop.sock_recv(sock, 1 << 16)
            if not more:
                raise EOFError
            taken += more
    return answer


def _whole(taken: bytes) -> Answer | None:
    """The answer when all of it is there."""
    head, end, body = taken.partition(b"\r\n\r\n")
    if not end:
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    whole = len(body) >= int(headers["content-length"])
    return Answer(int(status.split()[1]), headers, body) if whole else None


async def _asked(sock: socket.socket, url: str, address: str, body: bytes | None) -> None:
    loop, at = asyncio.get_running_loop(), urlsplit(url)
    sock.setblocking(False)
    if address:
        sock.bind((address, 0))
    await loop.sock_connect(sock, (at.hostname, at.port))
    await loop.sock_sendall(sock, _request(url, body))


def _request(url: str, body: bytes | None) -> bytes:
    at = urlsplit(url)
    method = "GET" if body is None else "POST"
    head = f"{method} {at.path}?{at.query} HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: close\r\n"
    if body is not None:
        head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")


def _files(config: bytes) -> dict[str, str]:
    """The plain files of an Ignition config."""
    files = json.loads(config)["storage"]["files"]
    sources = {file["path"]: file["contents"] for file in files if "compression" not in file["contents"]}
    return {path: unquote(contents["source"].partition(",")[2]) for path, contents in sources.items()}
