"""A TFTP server on an unprivileged loopback port, in the test's own event loop, and a socket that talks to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from pxed.assets.library import Library
from pxed.events import Event, Kind
from pxed.server import udp
from pxed.server.tftp import Settings, TftpServer
from pxed.server.tftp_files import Files
from pxed.tftp.packet import Packet, Rrq, decode, encode

AUTOEXEC = "#!ipxe\nchain http://{}/boot.ipxe\n"
MTU = 1500


@dataclass
class Site:
    """The server, its files and what it said. How far transfers are is in `progress` and not in `events`."""

    server: TftpServer
    port: int
    root: Path
    events: list[Event] = field(default_factory=list)
    progress: list[Event] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, name: str, content: bytes) -> bytes:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def emit(self, event: Event) -> None:
        (self.progress if event.kind is Kind.PROGRESS else self.events).append(event)
        self._changed.set()

    async def event(self, wanted: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first event of that kind, waited for."""
        while True:
            for event in self.events:
                if wanted(event):
                    return event
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 20)

    async def ended(self, kind: Kind = Kind.LOADER) -> Event:
        return await self.event(lambda event: event.kind is kind)


def bound(address: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    return sock


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, settings: Settings | None = None, address: str = "127.0.0.1") -> AsyncIterator[Site]:
    """A server whose loaders are under tmp_path/loaders."""
    root = tmp_path / "loaders"
    root.mkdir(exist_ok=True)
    sock = bound(address)
    udp.prepare(sock)

    def emit(event: Event) -> None:
        site.emit(event)

    server = TftpServer(
        asyncio.get_running_loop(),
        emit,
        resolve=Files(Library(tmp_path, ()), AUTOEXEC.format),
        who=lambda address: ("node1", "52:54:00:00:00:01") if address == "127.0.0.1" else ("", ""),
        mtu_of=lambda _ifindex: MTU,
        settings=settings or Settings(),
    )
    site = Site(server, sock.getsockname()[1], root)
    server.attach(sock)
    try:
        yield site
    finally:
        server.close()


class Client:
    """One UDP socket of a client, driven by hand."""

    def __init__(self, site: Site, address: str = "127.0.0.1") -> None:
        self.sock = bound(address)
        self.sock.setblocking(False)
        self.server = ("127.0.0.1", site.port)
        self.peer = ("", 0)  # who the last datagram came from

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sock.close()

    def ask(self, name: str, *options: tuple[str, str], mode: str = "octet") -> None:
        self.send_raw(encode(Rrq(name, mode, options)), self.server)

    def send(self, packet: Packet, to: tuple[str, int] | None = None) -> None:
        self.send_raw(encode(packet), to or self.peer)

    def send_raw(self, datagram: bytes, to: tuple[str, int]) -> None:
        self.sock.sendto(datagram, to)

    async def hear(self, seconds: float = 20) -> Packet:
        """The next packet. Raises TimeoutError."""
        datagram, self.peer = await asyncio.wait_for(
            asyncio.get_running_loop().sock_recvfrom(self.sock, 70_000), seconds
        )
        return decode(datagram)

    def pending(self) -> list[Packet]:
        """What has arrived by now."""
        heard: list[Packet] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram, self.peer = self.sock.recvfrom(70_000)
                heard.append(decode(datagram))
        return heard


def open_files() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
