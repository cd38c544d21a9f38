"""A simulated machine over real HTTP: it asks for its script and does what the script, or a config, tells it."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

from tests.server.httpsite import Answer, read_answer

REPORT_FILES = ("/etc/pxed/install/report-url", "/etc/pxed/report/report-url")
SYSTEM_FILE = "/etc/pxed/install/config-url"
_TOKENS = {
    "config": re.compile(r"ignition\.config\.url=http://\S+[?&]token=([\w-]{43})"),
    "archive": re.compile(r"initrd .*/oem/\S+[?&]token=([\w-]{43})"),
    "report": re.compile(r"pxed\.report=http://\S+[?&]token=([\w-]{43})"),
}


@dataclass(frozen=True, slots=True)
class Script:
    """What iPXE got."""

    text: str
    status: int = 200

    @property
    def way(self) -> str:
        """What it makes iPXE do, told by iPXE's own commands."""
        marks = {"load": "\nkernel ", "disk": "boots its local disk", "announce": "\ndhcp netX", "wait": "asking again"}
        return next((way for way, mark in marks.items() if mark in self.text), self.text)

    @property
    def boot(self) -> str:
        found = re.search(r"&boot=([0-9a-f]{16})", self.text)
        return found[1] if found else ""

    def token(self, kind: str = "config") -> str:
        """The token for the config, the archive or the report; "" without one."""
        found = _TOKENS[kind].search(self.text)
        return found[1] if found else ""


@dataclass
class Machine:
    """One machine at one address."""

    name: str
    mac: str
    port: int
    address: str = "127.0.0.1"

    async def script(self, boot: str = "", method: str = "GET", **facts: str) -> Script:
        """Ask as iPXE does; `boot` when the script that asks again says one."""
        query = {"mac": self.mac, "arch": "x86_64", "platform": "pcbios", **facts}
        answer = await self.ask(f"/boot.ipxe?{urlencode(query | ({'boot': boot} if boot else {}))}", method)
        return Script(answer.text if method == "GET" else "", answer.status)

    async def config(self, token: str, name: str = "", method: str = "GET", **headers: str) -> Answer:
        return await self.ask(f"/ignition/{name or self.name}?token={token}", method, **headers)

    async def again(self, token: str, name: str = "") -> Answer:
        """Ask for a config as Ignition does: again for as long as pxed says 503."""
        async with asyncio.timeout(20):
            while (answer := await self.config(token, name)).status == 503:
                pass
        return answer

    async def report(self, url: str, stage: str, message: str = "") -> Answer:
        """As the scripts do: the stage in the query, the message as it is. `url`: with its token."""
        return await self.ask(f"{url}&stage={stage}", "POST", message.encode())

    def report_url(self, token: str) -> str:
        return f"/report/{self.name}?token={token}"

    async def opened(self, target: str) -> socket.socket:
        """A request whose answer has begun, with a small window: whoever reads it has the rest to come."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before it is connected: tcp(7)
        sock.bind((self.address, 0))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", self.port))
        await loop.sock_sendall(sock, request(target))
        assert await loop.sock_recv(sock, 12) == b"HTTP/1.1 200"
        return sock

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """One request over a connection of its own. Raises OSError or EOFError where none is answered."""
        split = urlsplit(target)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0))
        try:
            writer.write(request(f"{split.path}?{split.query}" if split.query else split.path, method, body, **headers))
            return await read_answer(reader, head=method == "HEAD")
        finally:
            writer.close()


def request(target: str, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; `Content_Type="x"` gives the header Content-Type."""
    lines = [f"{method} {target} HTTP/1.1", "Host: pxed", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def files_of(config: bytes) -> dict[str, bytes]:
    """The files that a config writes, by their paths."""
    return dict(_files(json.loads(config)))


def report_url_of(config: bytes) -> str:
    """Where the config's machine reports, as the unit in it knows; "" when it has none."""
    files = files_of(config)
    return next((files[path].decode() for path in REPORT_FILES if path in files), "")


def token_of(url: str) -> str:
    """The token of a URL."""
    return url.partition("token=")[2].partition("&")[0]


def _files(config: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for node in config.get("storage", {}).get("files", ()):
        contents = node.get("contents", {})
        head, _, data = contents.get("source", "data:,").partition(",")
        raw = b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
        yield node["path"], gzip.decompress(raw) if contents.get("compression") == "gzip" else raw
