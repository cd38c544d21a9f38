"""The daemon as a whole: serve, reload, stop. Owns every task and every socket.

Order of start: the inventory was loaded and all sockets bound before this is entered, readers are attached, then READY.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pxed.assets.library import Library
from pxed.boot.endpoint import endpoint_at
from pxed.boot.script import entry_script
from pxed.dhcp.codes import BOOT_SERVER_PORT, SERVER_PORT
from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.model import Server, TftpSettings
from pxed.server.api_machines import MachinePages
from pxed.server.auth import Auth
from pxed.server.bus import Bus
from pxed.server.callers import name_by_mac
from pxed.server.certificate import Renewal
from pxed.server.checking import Checking
from pxed.server.clients import Clients
from pxed.server.counters import Counters
from pxed.server.dashboard import Dashboard, Known
from pxed.server.dhcp import DhcpServer
from pxed.server.fdstore import FdStore
from pxed.server.fleet import Fleet
from pxed.server.following import Followed, Listener
from pxed.server.handover import Incoming
from pxed.server.host.manager import no_systemd
from pxed.server.host.starting import warnings_at_start
from pxed.server.http import HttpServer
from pxed.server.interfaces import Interfaces
from pxed.server.kept import PURPOSES, Kept
from pxed.server.live import Live, Snapshot
from pxed.server.memory import Memory
from pxed.server.metrics import MetricsPage, Sources
from pxed.server.mirroring import Mirroring
from pxed.server.releases import Releases
from pxed.server.reload import Reloader
from pxed.server.rivals import Rivals
from pxed.server.services import Services, make_services
from pxed.server.sockets import Sockets
from pxed.server.state import StateStore
from pxed.server.succession import Succession
from pxed.server.syslog import SyslogServer
from pxed.server.systemd import Manager
from pxed.server.tftp import Settings, TftpServer
from pxed.server.tftp_files import Files
from pxed.server.timelines import TimelineHistory, keep_of
from pxed.server.tracker import Tracker
from pxed.server.webhooks import Webhooks
from pxed.status.patience import Patience

COLLECTOR = (50_000, 20, 100)
DRAIN_SECONDS = 30.0  # after SIGTERM, for transfers under way; systemd/pxed.service allows 45
GOODBYE_SECONDS = 5.0  # then, for what webhooks have not taken yet
HURRIED_GOODBYE_SECONDS = 2.0  # the same while transfers wait for the next process
WATCH_SECONDS = 1.0  # between two looks at the interfaces and at the inventory's files


def _patience(server: Server) -> Patience:
    return Patience().scaled(server.patience / 100)


def _tftp_settings(tftp: TftpSettings) -> Settings:
    return Settings(tftp.max_windowsize, tftp.max_transfers, tftp.rollover, port_range=tftp.port_range)


class State(NamedTuple):
    """What is served, and what is known of the machines."""

    live: Live
    clients: Clients
    services: Services
    store: StateStore


async def open_state(snapshot: Snapshot, emit: Emit) -> State:
    """The state of this inventory, as the store has it. Raises StoreError."""
    live, clients, server = Live(snapshot), Clients(), snapshot.inventory.server
    store = await StateStore.start(server.state, server.data_dir, emit, keep_of(server.history))
    return State(live, clients, await make_services(live, store, store.contents, clients, emit), store)


class Daemon:
    """One running pxed."""

    def __init__(
        self,
        path: Path,
        state: State,
        sockets: Sockets,
        bus: Bus,
        manager: Manager,
        *,
        credential: Path | None = None,
        incoming: Incoming | None = None,
    ) -> None:
        self.live, self.clients, self._services, self._store = state
        server = self.live.snapshot.inventory.server
        self.interfaces = Interfaces(server)
        self._bus = bus
        self._manager = manager
        self._path = path
        self._sockets = sockets
        self._stopping = asyncio.Event()
        self._goodbye = GOODBYE_SECONDS
        self._reloader = Reloader(path, self.live, bus.emit, manager)
        alerts = self._services.alerts
        self._rivals = Rivals(self.live, self.interfaces, bus.emit, self.clients, alerts)
        seen, questions = self._services.seen, self._rivals.questions
        self._dhcp = DhcpServer(self.live, self.interfaces, bus, self.clients, seen, questions)
        self._follow(bus)
        library = Library(server.data_dir)
        loop = asyncio.get_running_loop()
        self._tftp = TftpServer(
            loop,
            bus.emit,
            resolve=Files(library, self._autoexec),
            who=self._who,
            mtu_of=self.interfaces.mtu_of,
            settings=_tftp_settings(server.tftp),
        )
        self._syslog = SyslogServer(self.interfaces, bus.emit, self._who)
        store = FdStore(manager)
        self._kept = Kept(store)
        self._followed = Followed(server.interfaces, self._listeners(), self._kept.replace)
        self._checking = Checking(self.live, bus.emit)
        self._mirroring = Mirroring(path, self.live, bus.emit)
        self._renewal = Renewal(sockets.tls, self.interfaces.addresses, bus.emit)
        self._releases = Releases(self.live, server.data_dir, bus.emit, self._store, self._mirroring.arriving)
        self._http = self._http_server(library, Auth(credential))
        self._succession = Succession(
            store, incoming or Incoming(store), self._tftp, self._http, self._memory(), bus.emit
        )

    def _http_server(self, library: Library, auth: Auth) -> HttpServer:
        """Everything that is asked for by HTTP, over the parts that know it."""
        journal, emit, services = self._bus.journal, self._bus.emit, self._services
        return HttpServer(
            self.live,
            library,
            self._releases,
            emit,
            self.clients,
            services,
            journal=journal,
            subscribe=self._bus.subscribe,
            pages=MachinePages(journal, services.machines, services.operators, auth, emit, self.tracker),
            dashboard=self._dashboard(),
            interfaces=self.interfaces,
            counters=self._counters,
            metrics=MetricsPage(self._counters, self._measured()),
        )

    def _memory(self) -> Memory:
        deliveries = self._http.downloads.deliveries
        return Memory(self.clients, self._services.seen, deliveries, self.tracker, self._bus.settle)

    def _follow(self, bus: Bus) -> None:
        """Who hears every event: counts, boots and their history, webhooks; in this order."""
        self._counters = Counters()
        self.tracker = Tracker(bus.emit, _patience(self.live.snapshot.inventory.server))
        self._past = TimelineHistory(self.live, self._store, self._store, self._services.machines)
        self._webhooks = Webhooks(self.live, bus.emit, self._boot_of, self._counters.webhooks)
        bus.observers += [self._counters.observe, self.tracker.take, self._webhooks.observe]
        self.tracker.ended += [self._past.keep, self._counters.ended]
        self.tracker.amended.append(self._past.keep)
        self.tracker.survey = self._rivals.survey

    def _listeners(self) -> dict[str, Listener]:
        """Who reads from which UDP sockets."""
        dhcp = self._dhcp
        return {
            "tftp": Listener(self._tftp.attach, self._tftp.detach),
            "bootserver": Listener(partial(dhcp.attach, port=BOOT_SERVER_PORT), dhcp.detach),
            "dhcp": Listener(partial(dhcp.attach, port=SERVER_PORT), dhcp.detach),
            "rivals": Listener(self._rivals.attach, self._rivals.detach),
            "syslog": Listener(self._syslog.attach, self._syslog.detach),
        }

    def _measured(self) -> Sources:
        """What metrics show besides counts."""
        machines, store = self._services.machines, self._store
        return Sources(self.live, machines, store, store.commits, self.tracker, lambda: self._webhooks.waiting)

    def _dashboard(self) -> Dashboard:
        fleet = Fleet(self.live, self._services.machines, self.tracker)
        self._bus.observers.append(fleet.observe)
        known = Known(fleet, self.tracker, self._past, self._bus.journal, self.tracker.network)
        arriving = self._mirroring.arriving
        return Dashboard.of(self.live, self._services, self._releases, arriving, known, self.interfaces.served)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let transfers end for a bounded time."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._start()
            tasks = [
                asyncio.create_task(self._watch(), name="watch"),
                asyncio.create_task(self._mirroring.run(), name="mirror"),
                asyncio.create_task(self._checking.run(), name="checking"),
                asyncio.create_task(self._services.progress.run(), name="progress"),
                asyncio.create_task(self.tracker.run(), name="tracker"),
            ]
            if self._manager.watchdog_seconds:
                tasks.append(asyncio.create_task(self._keep_alive(), name="watchdog"))
            await self._stopping.wait()
            await self._drain()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()

    async def _start(self) -> None:
        self.interfaces.refresh()
        self._releases.load()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reloader.request)
        await self._http.start(self._sockets.http, self._sockets.https, self._sockets.tls)
        self._succession.take_up()
        self._followed.start(self._sockets)
        gc.collect()
        gc.freeze()  # the inventory lives as long as we do: the collector need not walk 10,000 machines again
        # An answer makes a dozen objects and no cycle; at Python's 700 the collector runs at every fiftieth datagram.
        gc.set_threshold(*COLLECTOR)
        gc.enable()
        status = self._status()
        for warning in warnings_at_start(self.live.snapshot):
            self._notice(warning, Level.WARNING)
        if self._sockets.unheard:
            self._notice(self._sockets.unheard)
        self._warn_of_interfaces()
        self._renewal.remind()
        self._keep_sockets()
        self._bus.emit(Event(Kind.READY, time.time(), text=status))
        self._manager.ready(status)
        for finding in no_systemd(self._path):
            self._notice(finding.sentence)

    def _keep_sockets(self) -> None:
        """systemd keeps the sockets that were bound here open, whatever becomes of this process."""
        for purpose in PURPOSES:
            if purpose not in self._sockets.handed:
                self._kept.keep(purpose, getattr(self._sockets, purpose))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for fault in self._followed.look():
                self._notice(fault, Level.WARNING)
            if self.interfaces.refresh():
                self._notice(f"the interfaces changed: {self._addresses()}")
                self._warn_of_interfaces()
                self._manager.notify(f"STATUS={self._status()}")
            self._mirroring.refresh()
            await self._renewal.look()
            if await self._reloader.look():
                self.interfaces.use(self.live.snapshot.inventory.server)
                self._mirroring.reconsider()
                self.tracker.use(_patience(self.live.snapshot.inventory.server))
                moves = self._services.machines.reconsider()
                self._bus.journal.move(moves)
                self.tracker.move(moves)
                self._manager.notify(f"STATUS={self._status()}")

    async def _keep_alive(self) -> None:
        while True:
            self._manager.alive()
            await asyncio.sleep(self._manager.watchdog_seconds / 3)

    async def _drain(self) -> None:
        """Let what is under way end, or the next process go on with it. A second signal hurries."""
        self._manager.stopping()
        self._stopping.clear()
        self._mirroring.stop()
        if await self._succession.end(self._stop_serving, self._stopping, DRAIN_SECONDS):
            self._goodbye = HURRIED_GOODBYE_SECONDS

    def _stop_serving(self) -> None:
        """Take no new work."""
        self._followed.stop()
        self._dhcp.close()
        self._rivals.close()
        self._tftp.stop_accepting()
        self._http.stop_accepting()

    async def _close(self) -> None:
        self._dhcp.close()
        self._rivals.close()
        self._syslog.close()
        self._tftp.close()
        await self._http.close()
        await self._releases.close()
        self._past.stop(self.tracker, time.time())
        await self._store.close()
        self._bus.settle()
        await self._webhooks.close(self._goodbye)
        self._sockets.close()
        self._bus.close()

    def _autoexec(self, address: str) -> str:
        """iPXE's autoexec.ipxe for a client that reached us at `address`."""
        return entry_script(endpoint_at(address, self.live.snapshot.inventory.server))

    def _who(self, address: str) -> tuple[str, str]:
        """The machine (the inventory's name or "") and the MAC at an address."""
        mac = self.clients.mac_of(address)
        return name_by_mac(self.live.snapshot.inventory, self.clients, mac), mac

    def _boot_of(self, name: str) -> str:
        """The id of a machine's newest boot, or ""."""
        boot = self.tracker.current(name)
        return boot.id if boot is not None else ""

    def _status(self) -> str:
        inventory = self.live.snapshot.inventory
        server = inventory.server
        ports = f"DHCP {server.dhcp}, TFTP {server.tftp.port}, HTTP {server.http.port}"
        ports += f", HTTPS {server.http.tls.port}" if server.http.tls else ""
        count = len(inventory.machines)
        return f"serving {count} machine{'' if count == 1 else 's'} on {self._addresses()}: {ports}"

    def _addresses(self) -> str:
        served = self.interfaces.served()
        there = ", ".join(f"{' '.join(i.addresses) or 'no address'} ({i.name})" for i in served) or "no interface yet"
        missing = self.interfaces.missing()
        return there + (f", not there: {', '.join(missing)}" if missing else "")

    def _warn_of_interfaces(self) -> None:
        for finding in self.interfaces.findings():
            self._notice(finding.sentence, Level.WARNING)

    def _notice(self, text: str, level: Level = Level.INFO) -> None:
        self._bus.emit(Event(Kind.NOTICE, time.time(), text=text, level=level))
