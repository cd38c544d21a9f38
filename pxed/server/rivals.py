"""Hears the other DHCP and PXE servers of pxed's networks, and asks them when a boot stands still.

Passive: a socket at 255.255.255.255:68 gets what servers broadcast to clients that have no address yet. A server that
unicasts its replies, as some do to clients without the broadcast flag (RFC 2131 4.1), is not heard so. Hence the
question: one DISCOVER with that flag. It is never followed by a REQUEST, so no address is taken (RFC 2131 3.1).

What this host itself broadcasts comes back on its own interfaces: a filter in the kernel drops it, or each of pxed's
own offers would be read once more. So the DHCP server of this very host (`dhcp: colocated`) is never a rival.
"""

from __future__ import annotations

import array
import asyncio
import secrets
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from pxed.architecture import number_of
from pxed.dhcp.codes import CLIENT_PORT, SERVER_PORT
from pxed.dhcp.message import decode, encode
from pxed.dhcp.others import OtherReply, other_reply
from pxed.dhcp.pxe import Stage
from pxed.dhcp.reply import BROADCAST
from pxed.dhcp.simulate import discover
from pxed.events import Emit, Event, Kind, Level, Value
from pxed.server import udp
from pxed.server.alerts import Alerts, Subject
from pxed.server.allowance import Allowance
from pxed.server.callers import name_by_mac
from pxed.server.clients import Clients
from pxed.server.interfaces import Interface, Interfaces
from pxed.server.live import Live

BATCH = 32  # datagrams per wake-up
RECEIVE_BUFFER = 256 << 10  # bytes: in a flood of replies a part of them tells the same
REPEAT_SECONDS = 10.0  # the same reply is told once in this time
MOST_REPLIES = 4096  # that are remembered for that; senders can make up as many as they like
ALERT_SECONDS = 3600.0  # the same of one server is an alert once in this time
MOST_ALERTS = 32  # in that time, of all servers: replies can be forged, and alerts are kept
PER_SECOND = 500  # replies that are looked at
MOST_KINDS = 256  # of questions that are remembered
SURVEY_SECONDS = 30.0  # between two questions of one kind on one interface, and the time that replies count as theirs
HOST_NAME = b"pxed-survey"  # option 12, so that whoever reads the other server's log knows who asked
_SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>
# Classic BPF (socket(7), Documentation/networking/filter.rst): each line is code, jump if true, jump if false, k. The
# datagram begins with its UDP header. PACKET_LOOPBACK of <linux/if_packet.h> is what ip_mc_output() sends back to us.
_FILTER = (
    (0x20, 0, 0, 0xFFFFF004),  # load the packet's type: SKF_AD_OFF + SKF_AD_PKTTYPE
    (0x15, 3, 0, 5),  # PACKET_LOOPBACK: drop
    (0x30, 0, 0, 8),  # load op, the first byte after the UDP header
    (0x15, 0, 1, 2),  # anything but a BOOTREPLY: drop
    (0x06, 0, 0, 0xFFFF),  # take all of it
    (0x06, 0, 0, 0),  # drop
)

_Key = TypeVar("_Key")


class Question(NamedTuple):
    """A DISCOVER of pxed's own."""

    mac: bytes
    client: str  # the kind that it spoke as
    asked: float  # time.monotonic()


def open_socket(interface: str | None, port: int = CLIENT_PORT) -> socket.socket:
    """A socket that hears what servers broadcast to clients there; on every interface for None. Raises HostError."""
    sock = udp.bind(port, interface, BROADCAST, role="rivals", shared=True)
    try:
        prepare(sock)
    except OSError as error:
        sock.close()
        raise udp.explain_bind("rivals", "UDP", port, interface, error) from error
    return sock


def prepare(sock: socket.socket) -> None:
    """The options of such a socket, also of one that systemd handed over."""
    udp.prepare(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    _attach_filter(sock)


def _attach_filter(sock: socket.socket) -> None:
    program = array.array("B", b"".join(struct.pack("=HBBI", *line) for line in _FILTER))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_FILTER), program.buffer_info()[0]))


class Rivals:
    """All methods belong into the loop's thread."""

    def __init__(self, live: Live, interfaces: Interfaces, emit: Emit, clients: Clients, alerts: Alerts) -> None:
        self._live = live
        self._interfaces = interfaces
        self._emit = emit
        self._clients = clients
        self._alerts = alerts
        self._sockets: list[socket.socket] = []
        self._replies: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._alerted: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._asked: OrderedDict[tuple[str, str, bool], float] = OrderedDict()
        self._allowance = Allowance(PER_SECOND, PER_SECOND, time.monotonic())
        self.questions: dict[bytes, Question] = {}  # pxed's own, by xid: whoever answers DISCOVERs leaves these out

    def attach(self, sock: socket.socket) -> None:
        """Listen on a socket of open_sockets(). It belongs to this object from now on."""
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock)

    def detach(self, sock: socket.socket) -> None:
        """Listen no more on a socket, which is the caller's again."""
        self._sockets.remove(sock)
        asyncio.get_running_loop().remove_reader(sock)

    def close(self) -> None:
        """Stop, and close the sockets."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    async def survey(self, interface: str, arch: str, ipxe: bool) -> bool:
        """Ask the servers on an interface what they offer a client of that kind; whether they were asked. Their
        replies become REPLY events."""
        server, now = self._live.snapshot.inventory.server, time.monotonic()
        place = next((one for one in self._interfaces.served() if one.name == interface), None)
        sock = self._socket_for(interface)
        if server.survey == "never" or place is None or sock is None or not (place.mac and place.addresses):
            return False
        key = (interface, arch, ipxe)
        if now - self._asked.get(key, -SURVEY_SECONDS) < SURVEY_SECONDS:
            return False
        _remember(self._asked, key, now, MOST_KINDS)
        return self._ask(sock, place, arch, ipxe, now)

    def _ask(self, sock: socket.socket, place: Interface, arch: str, ipxe: bool, now: float) -> bool:
        number = number_of(arch)
        xid, mac = secrets.token_bytes(4), bytes.fromhex(place.mac.replace(":", ""))
        stage = Stage.IPXE if ipxe else Stage.PXE
        for old in [x for x, question in self.questions.items() if now - question.asked >= SURVEY_SECONDS]:
            del self.questions[old]
        self.questions[xid] = Question(mac, str(stage), now)
        message = decode(discover(place.mac, secrets.token_bytes(16), number, ipxe=ipxe))
        named = message._replace(xid=int.from_bytes(xid, "big"), options={**message.options, 12: HOST_NAME})
        source = socket.inet_aton(place.addresses[0])
        try:
            udp.send(sock, encode(named), (BROADCAST, SERVER_PORT), place.index, source)
        except OSError:
            return False
        return True

    def _socket_for(self, interface: str) -> socket.socket | None:
        """The one that is bound to the interface, or to none."""
        return next((sock for sock in self._sockets if udp.device_of(sock) in (interface, None)), None)

    def _drain(self, sock: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, source, ifindex, address = udp.receive(sock)
            except BlockingIOError:
                return
            except OSError:
                continue
            endpoint = self._interfaces.endpoint(ifindex, address)
            if not self._allowance.take(time.monotonic()):
                continue
            reply = other_reply(data, source[0]) if endpoint is not None else None
            ours = self._interfaces.addresses()
            if endpoint is not None and reply is not None and reply.server not in ours and source[0] not in ours:
                self._heard(endpoint.interface, reply, ours)

    def _heard(self, interface: str, reply: OtherReply, ours: Sequence[str]) -> None:
        now = time.monotonic()
        question = self.questions.get(reply.xid)
        survey = question is not None and now - question.asked < SURVEY_SECONDS
        same = (
            interface, reply.server, reply.mac, reply.message, str(bool(reply.given)), reply.file, reply.vendor,
            reply.xid.hex() if survey else "",
        )  # fmt: skip
        last = self._replies.get(same)
        if last is not None and now - last < REPEAT_SECONDS:
            return
        _remember(self._replies, same, now, MOST_REPLIES)
        client = question.client if question is not None and survey else ""
        self._emit(_event(interface, reply, self._name_of(reply.mac), client, survey=survey))
        if (what := _rivalry(reply, ours)) is not None:
            self._alert(interface, reply, *what, now)

    def _alert(self, interface: str, reply: OtherReply, what: str, text: str, now: float) -> None:
        """Once an hour, of one server and what it does."""
        while self._alerted and now - next(iter(self._alerted.values())) >= ALERT_SECONDS:
            self._alerted.popitem(last=False)
        key = (interface, reply.server, what)
        if key in self._alerted or len(self._alerted) >= MOST_ALERTS:
            return
        if self._alerts.alert("rival", Subject(address=reply.server), f"{text} ({interface})"):
            _remember(self._alerted, key, now, MOST_ALERTS)

    def _name_of(self, mac: str) -> str:
        return name_by_mac(self._live.snapshot.inventory, self._clients, mac)


def _event(interface: str, reply: OtherReply, machine: str, client: str, *, survey: bool) -> Event:
    data: dict[str, Value] = {
        "interface": interface,
        "server": reply.server,
        "message": reply.message,
        "given": reply.given,
        "vendor": reply.vendor,
        "file": reply.file,
        "next": reply.next,
        "xid": reply.xid.hex(),
        "client": client,
        "survey": survey,
    }
    what = f"gives {reply.given}" if reply.given else "gives no address"
    boots = f", names {reply.file}" if reply.file else ""
    text = f"{reply.message or 'BOOTP reply'} of another server, {reply.server}: {what}{boots}"
    return Event(Kind.REPLY, time.time(), "" if survey else machine, reply.mac, text, Level.DEBUG, data)


def _rivalry(reply: OtherReply, ours: Sequence[str]) -> tuple[str, str] | None:
    """What a server does that takes machines away from pxed: a word and a sentence. None for a good neighbour."""
    if not reply.is_boot or reply.next in ours or _host_of(reply.file) in ours:
        return None  # or it sends its clients to us
    if not reply.given and not (reply.vendor and reply.message == "OFFER"):
        return None  # the answer to an INFORM
    if not reply.given:
        names = f" and names {reply.file}" if reply.file else ""
        return "proxy", f"another PXE server, {reply.server}, answers network boots{names}: machines may take its offer"
    if reply.file:
        text = f"the DHCP server {reply.server} names a boot file, {reply.file}: machines may take it instead of pxed's"
        return "file", text
    text = f"the DHCP server {reply.server} sends option 60 {reply.vendor!r}: firmware then asks it for the boot file"
    return "option-60", f"{text} (PXE-E55)"


def _host_of(file: str) -> str:
    """The host of a boot file's URL; "" for a plain name."""
    try:
        return urlsplit(file).hostname or ""
    except ValueError:
        return ""


def _remember(table: OrderedDict[_Key, float], key: _Key, now: float, most: int) -> None:
    table[key] = now
    table.move_to_end(key)
    while len(table) > most:
        table.popitem(last=False)
