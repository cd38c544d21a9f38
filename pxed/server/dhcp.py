"""The DHCP sockets, 67 and 4011: drain, answer, tell. The decision itself is made without any I/O in `respond`."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from functools import lru_cache

from pxed.boot.decide import SHARED_PLANS, Ignore, Offer, Plan, served_as
from pxed.dhcp.codes import BOOT_SERVER_PORT, MessageType, Option
from pxed.dhcp.message import ZERO_ADDRESS, Message
from pxed.dhcp.pxe import Client, Stage
from pxed.dhcp.reply import dotted
from pxed.errors import DecodeError
from pxed.events import Event, Kind, Level, Value
from pxed.inventory.model import Inventory
from pxed.server import udp
from pxed.server.bus import Bus
from pxed.server.clients import Clients
from pxed.server.interfaces import Interfaces
from pxed.server.live import Live
from pxed.server.respond import Outcome, respond

BATCH = 32  # datagrams per wake-up, so that TFTP and HTTP get their turn in a flood


class DhcpServer:
    """Answers on the sockets it is given."""

    def __init__(self, live: Live, interfaces: Interfaces, bus: Bus, clients: Clients) -> None:
        self._live = live
        self._interfaces = interfaces
        self._bus = bus
        self._clients = clients
        self._sockets: list[socket.socket] = []
        self.undecodable = 0

    def attach(self, sock: socket.socket, port: int) -> None:
        """Serve a bound socket; `port` is 67 or 4011."""
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock, port)

    def close(self) -> None:
        """Stop, and close the sockets."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _drain(self, sock: socket.socket, port: int) -> None:
        for _ in range(BATCH):
            try:
                datagram = udp.receive(sock)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier reply: nobody listens there
                continue
            self._handle(sock, port, datagram)

    def _handle(self, sock: socket.socket, port: int, datagram: udp.Datagram) -> None:
        endpoint = self._interfaces.endpoint(datagram.ifindex, datagram.address)
        if endpoint is None:
            return
        inventory = self._live.snapshot.inventory
        try:
            outcome = respond(inventory, datagram.data, port, datagram.source, endpoint)
        except DecodeError as error:
            self.undecodable += 1
            self._bus.defer(undecodable_event, time.time(), datagram.source, endpoint.interface, str(error))
            return
        if outcome.reply is not None:
            relayed = outcome.message.giaddr != ZERO_ADDRESS and port != BOOT_SERVER_PORT
            try:
                udp.send(sock, outcome.reply, outcome.destination, 0 if relayed else datagram.ifindex, datagram.address)
            except OSError as error:  # the client asks again; a full queue must not end the server
                self._bus.defer(unsent_event, time.time(), outcome, endpoint.interface, str(error))
        self._learn(outcome.message)
        self._learn_name(inventory, outcome)
        self._bus.defer(outcome_event, time.time(), outcome, endpoint.interface)

    def _learn_name(self, inventory: Inventory, outcome: Outcome) -> None:
        """Which machine it is that was found by its UUID: its MAC is all that later requests tell."""
        decision, mac = outcome.decision, outcome.message.mac
        if (
            mac not in inventory.indexes.by_mac
            and isinstance(decision, Offer)
            and decision.machine in inventory.machines
        ):
            self._clients.learn_name(mac, decision.machine)

    def _learn(self, message: Message) -> None:
        """Addresses that a client says it has, or asks the DHCP server for."""
        if message.ciaddr != ZERO_ADDRESS:
            self._clients.learn(dotted(message.ciaddr), message.mac)
            return
        requested = message.options.get(Option.REQUESTED_ADDRESS)
        if requested is not None and len(requested) == 4 and message.options.get(53) == bytes((MessageType.REQUEST,)):
            self._clients.learn(dotted(requested), message.mac)


def outcome_event(when: float, outcome: Outcome, interface: str) -> Event:
    """The event of an answered or ignored request."""
    if isinstance(outcome.decision, Ignore):
        return _ignored(when, outcome.message, outcome.decision, interface)
    return _offered(when, outcome.message, outcome.decision, outcome.destination, interface)


def _ignored(when: float, message: Message, ignore: Ignore, interface: str) -> Event:
    level = Level.INFO if ignore.wanted else Level.DEBUG
    data = {"reason": ignore.reason, "interface": interface}
    return Event(Kind.IGNORED, when, ignore.machine, message.mac, ignore.reason, level, data)


def _offered(when: float, message: Message, offer: Offer, destination: tuple[str, int], interface: str) -> Event:
    mac = message.mac
    listed = "" if offer.machine == mac else offer.machine
    kind, text, shared = _told(offer.plan, offer.client, offer.acknowledge, offer.address, offer.profile)
    data: dict[str, Value] = {
        **shared,
        "interface": interface,
        "address": destination[0],
        "xid": f"{message.xid:08x}",
        "reason": offer.found,
    }
    return Event(kind, when, listed, mac, text, Level.INFO, data)


@lru_cache(maxsize=SHARED_PLANS)
def _told(
    plan: Plan, client: Client, acknowledge: bool, address: str, profile: str
) -> tuple[Kind, str, Mapping[str, Value]]:
    """What is said of all offers that are alike: a flood makes tens of thousands of them a second."""
    kind = Kind.IPXE if client.stage is Stage.IPXE else Kind.BOOTSERVER if acknowledge else Kind.OFFER
    verb = "answered on 4011 with" if acknowledge else "offered"
    architecture = served_as(client)[0]
    text = f"{verb} {plan.file} to {client.stage} ({architecture}) from {address}"
    shared: dict[str, Value] = {
        "file": plan.file,
        "server": address,
        "client": str(client.stage),
        "arch": architecture,
        "profile": profile,
        "why": plan.explanation,
    }
    return kind, text, shared


def unsent_event(when: float, outcome: Outcome, interface: str, error: str) -> Event:
    """A reply that the host did not take: no route to a relay, a full queue, a firewall."""
    address, port = outcome.destination
    text = f"the reply to {address}:{port} could not be sent: {error}"
    data: dict[str, Value] = {"address": address, "interface": interface, "reason": error}
    return Event(Kind.REFUSED, when, mac=outcome.message.mac, text=text, level=Level.WARNING, data=data)


def undecodable_event(when: float, source: tuple[str, int], interface: str, error: str) -> Event:
    """A datagram that is no DHCP message."""
    text = f"a datagram from {source[0]}:{source[1]} was dropped: {error}"
    data = {"address": source[0], "interface": interface, "reason": error}
    return Event(Kind.UNDECODABLE, when, text=text, level=Level.DEBUG, data=data)
