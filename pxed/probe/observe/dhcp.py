"""DHCP and port 4011 on a wire: requests and who answers them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pxed.boot.decide import served_as
from pxed.dhcp.codes import BOOT_SERVER_PORT, Op, Option
from pxed.dhcp.message import Message, decode
from pxed.dhcp.pxe import BootRequest, Stage, boot_request
from pxed.dhcp.reply import dotted
from pxed.errors import DecodeError
from pxed.events import Event, Kind, Level, Value
from pxed.probe.capture import Datagram
from pxed.probe.observe.known import Known
from pxed.server.dhcp_events import OTHER, address_text, lacking, message_name, uuid_of, vendor_of

MOST_REQUESTS = 4096  # remembered for their answers
PATIENCE = 1.5  # seconds for the boot server's answer to a DISCOVER
_REPLIES = ("OFFER", "ACK", "NAK")


@dataclass(slots=True)
class _Asked:
    """A request and what became of it."""

    time: float
    message: Message
    port: int
    request: BootRequest | None  # None: no boot client
    answered: bool = False
    given_up: bool = False


class DhcpView:
    """Requests of clients and their replies, as events."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._asked: OrderedDict[tuple[int, bytes, int, str], _Asked] = OrderedDict()

    def packet(self, datagram: Datagram) -> list[Event]:
        """What one datagram of port 67, 68 or 4011 tells."""
        try:
            message = decode(datagram.payload)
        except DecodeError as error:
            data: dict[str, Value] = {"address": datagram.src, "reason": str(error)}
            text = f"a datagram from {datagram.src}:{datagram.sport} is no DHCP message: {error}"
            return [Event(Kind.UNDECODABLE, datagram.time, text=text, level=Level.DEBUG, data=data)]
        if message.op == Op.BOOTREPLY:
            return self._reply(datagram, message)
        if datagram.dport not in (67, BOOT_SERVER_PORT):
            return []
        return self._request(datagram, message)

    def tick(self, now: float) -> list[Event]:
        """DISCOVERs that the boot server has left unanswered for too long."""
        late: list[Event] = []
        for asked in self._asked.values():
            if asked.answered or asked.given_up or now - asked.time < PATIENCE:
                continue
            asked.given_up = True
            if message_name(asked.message) == "DISCOVER" and asked.request is not None:
                who = self._known.server or "a boot server"
                late.append(self._ignored(asked.time + PATIENCE, asked, f"no answer of {who}"))
        return late

    # Requests

    def _request(self, datagram: Datagram, message: Message) -> list[Event]:
        found = boot_request(message, datagram.dport)
        request = found if isinstance(found, BootRequest) else None
        asked = _Asked(datagram.time, message, datagram.dport, request)
        key = (message.xid, message.chaddr, datagram.dport, message_name(message))
        self._asked[key] = asked
        self._asked.move_to_end(key)
        if len(self._asked) > MOST_REQUESTS:
            self._asked.popitem(last=False)
        name = message_name(message)
        told = self._told(datagram, asked)
        if request is not None and request.mac:
            self._known.client(request.mac)
        if datagram.dport == BOOT_SERVER_PORT:
            self._known.learn(datagram.src, message.mac)
            return [told]
        if name == "DISCOVER" and request is not None:
            return [told]
        asked.given_up = True
        return [self._ignored(datagram.time, asked, "for the DHCP server")]

    def _told(self, datagram: Datagram, asked: _Asked) -> Event:
        """That it asked: a sentence of a packet, which the timeline does without."""
        mac = asked.message.mac
        client = _shown(asked)
        where = "" if datagram.dport == 67 else f" on {datagram.dst}:4011"
        text = f"{client} sends {message_name(asked.message) or 'a request'}{where}"
        data: dict[str, Value] = {"interface": self._known.interface, "client": client}
        return Event(Kind.DISCOVER, datagram.time, self._known.name(mac), mac, text, Level.DEBUG, data)

    def _ignored(self, when: float, asked: _Asked, reason: str) -> Event:
        message, request = asked.message, asked.request
        options = message.options
        client = request.client if request is not None else None
        chosen = address_text(options.get(Option.SERVER_IDENTIFIER, b""))
        requested = address_text(options.get(Option.REQUESTED_ADDRESS, b""))
        data: dict[str, Value] = {
            "reason": reason,
            "wanted": request is not None and message_name(message) == "DISCOVER",
            "interface": self._known.interface,
            "xid": f"{message.xid:08x}",
            "message": message_name(message),
            "client": _client(asked),
            "arch": served_as(client)[0] if client is not None else "",
            "port": asked.port,
            "uuid": uuid_of(message),
            "lacks": lacking(client) if client is not None else "",
            "chosen": chosen,
            "requested": requested,
            "ciaddr": address_text(message.ciaddr),
            "vendor": vendor_of(message),
        }
        words = [f"{_shown(asked)} sends {message_name(message) or 'a message'}"]
        words += [f"for {requested}"] if requested else []
        words += [f"of {chosen}"] if chosen else []
        text = " ".join(words)
        if message_name(message) == "DISCOVER" and request is not None:
            text = f"{reason} to the DISCOVER of {_client(asked)}"
        return Event(Kind.IGNORED, when, self._known.name(message.mac), message.mac, text, Level.DEBUG, data)

    # Replies

    def _reply(self, datagram: Datagram, message: Message) -> list[Event]:
        server = self._known.server_of(datagram.src, message)
        asked = self._answered(datagram, message)
        # What comes from port 4011 gives no address; dnsmasq repeats the client's own there.
        given = address_text(message.yiaddr) if datagram.sport != BOOT_SERVER_PORT else ""
        if message_name(message) == "ACK":
            self._known.learn(given, message.mac)
        is_ours = self._known.is_ours(server, message, given)
        events = []
        if not is_ours or given:
            events.append(self._of_another(datagram, message, asked, server, given, is_ours))
        if is_ours and asked is not None and asked.request is not None:
            asked.answered = True
            if (event := self._ours(datagram, message, asked, asked.request, server)) is not None:
                events.append(event)
        return events

    def _answered(self, datagram: Datagram, message: Message) -> _Asked | None:
        """The request that a reply is for: an OFFER answers a DISCOVER, and on port 4011 anything may be answered."""
        ports = (BOOT_SERVER_PORT, 67) if datagram.sport == BOOT_SERVER_PORT else (67, BOOT_SERVER_PORT)
        names = (
            ("DISCOVER", "REQUEST", "INFORM") if message_name(message) == "OFFER" else ("REQUEST", "INFORM", "DISCOVER")
        )
        for port in ports:
            for name in names:
                if (asked := self._asked.get((message.xid, message.chaddr, port, name))) is not None:
                    return asked
        return None

    def _of_another(
        self, datagram: Datagram, message: Message, asked: _Asked | None, server: str, given: str, is_ours: bool
    ) -> Event:
        """A server's reply. Of a boot server that gives addresses too, this is the address's half."""
        file = "" if is_ours else self._known.file_of(message)
        name = message_name(message)
        data: dict[str, Value] = {
            "interface": self._known.interface,
            "server": server,
            "message": name if name in _REPLIES else "OFFER",
            "given": given,
            "vendor": "" if is_ours else vendor_of(message),
            "file": file,
            "next": address_text(message.siaddr),
            "xid": f"{message.xid:08x}",
            "client": _client(asked) if asked is not None else "",
            "survey": False,
        }
        said = [f"{server} sends {name or 'a reply'}"]
        said += [f"of {given}"] if given else ["without an address"]
        said += [f"and the boot file {file}"] if file else []
        said += [f'and option 60 "{data["vendor"]}"'] if data["vendor"] else []
        mac = message.mac
        return Event(Kind.REPLY, datagram.time, self._known.name(mac), mac, " ".join(said), Level.DEBUG, data)

    def _ours(
        self, datagram: Datagram, message: Message, asked: _Asked, request: BootRequest, server: str
    ) -> Event | None:
        """The boot server's own answer."""
        name = message_name(message)
        on_4011 = asked.port == BOOT_SERVER_PORT
        if name == "NAK" or (name == "ACK" and not on_4011):
            return None  # the DHCP server's half of it has said all
        file = self._known.file_of(message)
        is_ipxe = request.client.stage is Stage.IPXE
        kind = Kind.IPXE if is_ipxe else Kind.BOOTSERVER if on_4011 else Kind.OFFER
        self._known.offered(message.mac, file, server)
        data: dict[str, Value] = {
            "file": file,
            "server": server,
            "client": str(request.client.stage),
            "arch": served_as(request.client)[0],
            "profile": "",
            "why": "as on the wire",
            "lacks": lacking(request.client) if is_ipxe and "://" not in file else "",
            "message": message_name(asked.message),
            "port": asked.port,
            "interface": self._known.interface,
            "address": dotted(message.yiaddr) if any(message.yiaddr) else datagram.dst,
            "xid": f"{message.xid:08x}",
            "uuid": uuid_of(asked.message),
            "reason": "",
        }
        verb = "answers on 4011 with" if on_4011 else "offers"
        text = f"{server} {verb} {file or 'no file yet'} to {request.client.stage} ({data['arch']})"
        return Event(kind, datagram.time, self._known.name(message.mac), message.mac, text, Level.INFO, data)


def _client(asked: _Asked) -> str:
    return str(asked.request.client.stage) if asked.request is not None else OTHER


def _shown(asked: _Asked) -> str:
    """The client in a sentence."""
    return str(asked.request.client.stage) if asked.request is not None else "a system's DHCP client"
