"""A pxed HTTP server on a loopback port of its own, with files, an inventory and every event kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol

from pxed.assets.filesdir import FilesDir
from pxed.assets.library import Library
from pxed.assets.mirror.index import load_index
from pxed.events import Event, Kind
from pxed.ignition.load import load_configs
from pxed.inventory.loader import loads
from pxed.inventory.tls import TlsSettings
from pxed.server.api_fleet import FleetPages
from pxed.server.api_machines import MachinePages
from pxed.server.api_preview import PreviewPages
from pxed.server.api_site import SitePages
from pxed.server.api_timelines import Past, TimelinePages
from pxed.server.api_unknown import UnknownPages
from pxed.server.auth import Auth
from pxed.server.certificate import Tls
from pxed.server.clients import Clients
from pxed.server.counters import Counters
from pxed.server.dashboard import Dashboard
from pxed.server.fleet import Fleet
from pxed.server.histogram import Histogram
from pxed.server.http import HttpServer
from pxed.server.interfaces import Interface, Interfaces
from pxed.server.live import Live, Snapshot
from pxed.server.metrics import MetricsPage, Sources
from pxed.server.orders import Machines, Orders
from pxed.server.releases import Arriving, Releases
from pxed.server.services import Services, make_services
from pxed.server.state import COMMIT_BOUNDS
from pxed.status.boots import Boot
from pxed.status.journal import Journal
from tests.server.keeper import Keeper
from tests.server.timelines import NoHistory, Timelines

MAC1, MAC2, STRANGER = "52:54:00:00:00:01", "52:54:00:00:00:02", "02:00:00:00:00:99"
INTERFACES = [Interface(2, "eth1", ("10.0.0.2",), 1500, (IPv4Network("10.0.0.0/24"),))]
KERNEL = bytes(range(256)) * 512
INITRD = b"initrd" * 5000
LOADER = b"MZ loader"

INVENTORY = """
server: {data_dir: data, unknown: UNKNOWN, http: {port: PORT}}
images:
  rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}
  far: {kernel: "http://mirror.example/vmlinuz"}
  gone: {kernel: r/gone}
profiles:
  worker: {image: rescue, ignition: node.ign, ignition_access: open}
  rooted: {image: rescue, ignition: node.ign, ignition_access: open, root: LABEL=ROOT}
  plain: {image: rescue}
  disk: {boot: local}
groups:
  - {match: {arch: "arm64-*"}, profile: worker}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: rooted}
  node3: {mac: "52:54:00:00:00:03", profile: plain}
  node4: {mac: "52:54:00:00:00:04", profile: disk}
"""
TEMPLATE = '{"ignition": {"version": "3.3.0"}, "who": {{ [machine.name, server.url] | to_json }}}'


class Ordered(Machines, Orders, Protocol):
    """Knows where machines stand, and takes orders."""


class Bus:
    """What the daemon's bus does, at once: journal first, then the subscribers."""

    def __init__(self, journal: Journal) -> None:
        self.events: list[Event] = []
        self.journal = journal
        self.counters = Counters()
        self.observers: list[Callable[[list[Event]], None]] = []
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._changed = asyncio.Event()

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.journal.add(event)
        self.counters.observe([event])
        self._changed.set()
        for observe in self.observers:
            observe([event])
        for queue in self._queues:
            queue.put_nowait(event)

    async def subscribe(self) -> AsyncIterator[Event]:
        mine: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(mine)
        try:
            while (event := await mine.get()) is not None:
                yield event
        finally:
            self._queues.discard(mine)

    def cut(self) -> None:
        """Let every subscriber go, as the daemon does with slow ones."""
        for queue in self._queues:
            queue.put_nowait(None)

    @property
    def subscribers(self) -> int:
        return len(self._queues)

    def of(self, kind: Kind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]

    async def wait_for(self, kind: Kind) -> Event:
        """The first event of a kind, which may be still to come."""
        async with asyncio.timeout(20):
            while not self.of(kind):
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)[0]


@dataclass
class Known:
    """The boots that are known."""

    boots: dict[str, Boot] = field(default_factory=dict)

    def names(self) -> list[str]:
        return list(self.boots)

    def current(self, name: str) -> Boot | None:
        return self.boots.get(name)


@dataclass
class Answer:
    """A response. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """The server under test."""

    server: HttpServer
    live: Live
    bus: Bus
    clients: Clients
    port: int
    home: Path
    releases: Releases
    services: Services
    keeper: Keeper
    streams: list[asyncio.StreamWriter] = field(default_factory=list)
    secure_port: int = 0  # of HTTPS
    boots: Known = field(default_factory=Known)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.streams.append(writer)
        return reader, writer

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """One request over a connection of its own; `If_Range="x"` gives the header If-Range."""
        reader, writer = await self.connect()
        lines = [f"{method} {target} HTTP/1.1", "Host: pxed", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return await read_answer(reader, head=method == "HEAD")

    async def curl(self, *arguments: str) -> tuple[int, bytes]:
        """Exit status and output of the real curl."""
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "60", *arguments, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 -- nothing announces it, and no time is waited
            await asyncio.sleep(0)


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> Answer:
    """One response, by its Content-Length: pxed sends no file or script in chunks."""
    async with asyncio.timeout(20):
        top = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = top.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert "transfer-encoding" not in headers, top
        size = 0 if head else int(headers.get("content-length", "0"))
        return Answer(int(status.split()[1]), headers, await reader.readexactly(size))


def write_files(home: Path) -> None:
    """An inventory's surroundings: images, loaders, a template."""
    for path, content in (
        ("data/images/r/vmlinuz", KERNEL),
        ("data/images/r/initrd.img", INITRD),
        ("data/loaders/snponly.efi", LOADER),
        ("data/loaders/sub/x.kpxe", LOADER),
        ("node.ign", TEMPLATE.encode()),
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content)


def snapshot(home: Path, port: int, unknown: str, text: str = INVENTORY) -> Snapshot:
    inventory = loads(text.replace("UNKNOWN", unknown).replace("PORT", str(port)), home / "pxed.yaml")
    return Snapshot(inventory, load_configs(inventory, Path.read_bytes, FilesDir)[0])


@asynccontextmanager
async def serving(
    home: Path,
    unknown: str = "ignore",
    text: str = INVENTORY,
    arriving: Arriving = lambda image: "",
    machines: Ordered | None = None,
    auth: Auth | None = None,
    keeper: Keeper | None = None,
    tls: TlsSettings | None = None,
    tracker: Timelines | None = None,
    history: Past | None = None,
) -> AsyncIterator[Site]:
    """A server that is gone afterwards, with all its connections."""
    write_files(home)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    live = Live(snapshot(home, port, unknown, text), load_index(home / "data/mirror"))
    journal = Journal()
    bus = Bus(journal)
    clients = Clients(home / "no-arp-table")
    library = Library(live.snapshot.inventory.server.data_dir, packaged=())
    keeper = keeper or Keeper()
    services = await make_services(live, keeper, keeper.contents, clients, bus.emit)
    releases = Releases(live, home / "data", bus.emit, keeper, arriving)
    known = Known()
    tracker, shown = tracker or Timelines(), machines or services.machines
    fleet = Fleet(live, shown, tracker)
    bus.observers.append(fleet.observe)
    interfaces = Interfaces(live.snapshot.inventory.server.model_copy(update={"interfaces": ("lo",)}))
    interfaces.refresh()
    server = HttpServer(
        live,
        library,
        releases,
        bus.emit,
        clients,
        services,
        journal=journal,
        subscribe=bus.subscribe,
        pages=MachinePages(journal, shown, machines or services.operators, auth or Auth(), bus.emit, tracker),
        dashboard=Dashboard(
            FleetPages(fleet, shown),
            TimelinePages(tracker, history or NoHistory()),
            PreviewPages(services.visits, services.first_boots, releases, tracker, lambda: INTERFACES),
            UnknownPages(journal),
            SitePages(live, arriving, lambda: INTERFACES, tracker.network),
        ),
        interfaces=interfaces,
        counters=bus.counters,
        metrics=MetricsPage(bus.counters, Sources(live, services.machines, keeper, Histogram(COMMIT_BOUNDS), known)),
    )
    secure = [socket.create_server(("127.0.0.1", 0), backlog=128)] if tls is not None else []
    await server.start([listener], secure, Tls(tls) if tls is not None else None)
    site = Site(server, live, bus, clients, port, home, releases, services, keeper)
    site.boots = known
    site.secure_port = secure[0].getsockname()[1] if secure else 0
    try:
        yield site
    finally:
        for writer in site.streams:
            writer.close()
        await server.close()
