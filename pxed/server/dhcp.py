"""The DHCP sockets, 67 and 4011: drain, answer, tell. The decision itself is made without any I/O in `respond`."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from types import MappingProxyType

from pxed.boot.decide import SILENT, Ignore, Offer
from pxed.boot.endpoint import Endpoint
from pxed.dhcp.codes import SERVER_PORT, MessageType, Option
from pxed.dhcp.message import ZERO_ADDRESS, Message
from pxed.dhcp.reply import BROADCAST, dotted
from pxed.errors import DecodeError
from pxed.inventory.model import Inventory
from pxed.server import udp
from pxed.server.bus import Bus, Deferred
from pxed.server.callers import name_by_mac
from pxed.server.clients import Clients
from pxed.server.dhcp_events import outcome_event, undecodable_event, unsent_event
from pxed.server.interfaces import Interfaces
from pxed.server.live import Live
from pxed.server.ready import ReadyOffers, hit_event
from pxed.server.relays import Relays
from pxed.server.respond import Outcome, respond
from pxed.server.rivals import Question
from pxed.server.seen import Seen

_Outgoing = tuple[bytes, tuple[str, int], udp.Datagram, Endpoint]  # reply, destination, the question, where

NO_QUESTIONS: Mapping[bytes, Question] = MappingProxyType({})
BATCH = 32  # datagrams per wake-up, so that TFTP and HTTP get their turn in a flood


class DhcpServer:
    """Answers on the sockets it is given."""

    def __init__(
        self,
        live: Live,
        interfaces: Interfaces,
        bus: Bus,
        clients: Clients,
        seen: Seen,
        questions: Mapping[bytes, Question] = NO_QUESTIONS,
    ) -> None:
        self._live = live
        self._seen = seen
        self._questions = questions  # pxed's own, which are not for it
        self._relays = Relays(interfaces)
        self._interfaces = interfaces
        self._bus = bus
        self._clients = clients
        self._devices: dict[socket.socket, str | None] = {}  # each socket, and the interface that it is bound to
        self._ready = ReadyOffers(live.snapshot.inventory, live.detours)
        self.undecodable = 0

    def attach(self, sock: socket.socket, port: int) -> None:
        """Serve a bound socket; `port` is 67 or 4011."""
        self._devices[sock] = udp.device_of(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock, port)

    def detach(self, sock: socket.socket) -> None:
        """Serve a socket no more, which is the caller's again."""
        del self._devices[sock]
        asyncio.get_running_loop().remove_reader(sock)

    def close(self) -> None:
        """Stop, and close the sockets."""
        for sock in self._devices:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._devices.clear()

    def _drain(self, sock: socket.socket, port: int) -> None:
        """Take what is there, then send the replies in one go: a relay that sleeps is woken once, not for each."""
        outgoing: list[_Outgoing] = []
        told: list[Deferred] = []
        begun: list[str] = []
        ready, now = self._ready_offers(), time.time()
        judged = self._relays.judged_for(ready.inventory.server.relays)
        for _ in range(BATCH):
            try:
                datagram = udp.receive(sock)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of an earlier reply: nobody listens there
                continue
            data, source, ifindex, address = datagram
            endpoint = self._interfaces.endpoint(ifindex, address)
            if endpoint is None or (self._questions and self._is_own(data)):
                continue
            hit = ready.find(data, endpoint) if port == SERVER_PORT else None
            if hit is None:
                self._respond(port, datagram, endpoint, ready, outgoing)
            else:
                outgoing.append((hit.reply, hit.destination, datagram, endpoint))
                why = judged.get((data[24:28], source[0], ifindex))
                if why is None or why:
                    self._saw(hit.machine, now, datagram, ready.inventory)
                else:
                    begun.append(hit.machine)
                told.append((hit_event, (now, hit, endpoint.interface)))
        self._seen.boots(begun, now)
        plain = self._has_one_source(sock)
        for reply, destination, datagram, endpoint in outgoing:
            try:
                if plain:
                    sock.sendto(reply, destination)
                else:
                    udp.send(sock, reply, destination, _way_back(destination, datagram[2]), datagram[3])
            except OSError as error:  # the client asks again; a full queue must not end the server
                why_not = str(error)
                self._bus.defer(unsent_event, now, reply, destination, endpoint.interface, why_not, self._name_of)
        self._bus.defer_all(told)

    def _is_own(self, data: bytes) -> bool:
        """Whether it is pxed's own question to other servers: broadcasts come back to their sender."""
        question = self._questions.get(data[4:8])
        return question is not None and question.mac == data[28:34]

    def _respond(
        self,
        port: int,
        datagram: udp.Datagram,
        endpoint: Endpoint,
        ready: ReadyOffers,
        outgoing: list[_Outgoing],
    ) -> None:
        """The whole way, for a datagram of which no reply is ready."""
        data, source, _ifindex, _address = datagram
        try:
            outcome = respond(ready.inventory, data, port, source, endpoint, ready.detours)
        except DecodeError as error:
            self.undecodable += 1
            self._bus.defer(undecodable_event, time.time(), source, endpoint.interface, port, str(error))
            return
        if outcome.reply is not None:
            outgoing.append((outcome.reply, outcome.destination, datagram, endpoint))
        self._note(outcome.decision, datagram, ready.inventory)
        self._learn(outcome.message)
        self._learn_name(ready.inventory, outcome)
        if port == SERVER_PORT:
            ready.keep(data, endpoint, outcome)
        self._bus.defer(outcome_event, time.time(), outcome, endpoint.interface, port, self._name_of)

    def _note(self, decision: Offer | Ignore, datagram: udp.Datagram, inventory: Inventory) -> None:
        """What the wire tells of a boot: that it has begun, or that the machine goes to its disk unanswered."""
        if isinstance(decision, Offer):
            self._saw(decision.machine, time.time(), datagram, inventory)
        elif decision.reason is SILENT:
            self._seen.to_disk(decision.machine)

    def _saw(self, machine: str, now: float, datagram: udp.Datagram, inventory: Inventory) -> None:
        """The boot of a machine, where the message comes from somewhere that shows it."""
        data, (source, _port), ifindex, _address = datagram
        if why := self._relays.refusal(data[24:28], source, ifindex, inventory.server.relays):
            self._seen.refuse(machine, why, now)
        else:
            self._seen.boot(machine, now)

    def _has_one_source(self, sock: socket.socket) -> bool:
        """Whether all that this socket sends leaves by one interface from its one address: then the kernel need not be
        told for each reply, which takes 1.8 us of 18 (measured)."""
        device = self._devices[sock]
        return device is not None and self._interfaces.has_one_address(device)

    def _ready_offers(self) -> ReadyOffers:
        inventory = self._live.snapshot.inventory
        if self._ready.inventory is not inventory:
            self._ready = ReadyOffers(inventory, self._live.detours)
        return self._ready

    def _name_of(self, mac: str) -> str:
        return name_by_mac(self._live.snapshot.inventory, self._clients, mac)

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


def _way_back(destination: tuple[str, int], ifindex: int) -> int:
    """The interface to send from: the one that the question came in on; 0, where the routes say, for a relay."""
    return 0 if destination[1] == SERVER_PORT and destination[0] != BROADCAST else ifindex
