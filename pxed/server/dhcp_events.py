"""The events of the DHCP sockets, made from what was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pxed.boot.decide import SHARED_PLANS, SILENT, Ignore, Offer, Plan, served_as
from pxed.dhcp.codes import IpxeOption, MessageType, Option
from pxed.dhcp.message import ZERO_ADDRESS, Message
from pxed.dhcp.pxe import Client, Stage, is_machine_identifier
from pxed.dhcp.reply import dotted
from pxed.events import Event, Kind, Level, Value
from pxed.server.respond import Outcome

LONGEST_VENDOR = 32  # bytes of option 60 that are shown
OTHER = "other"  # a client that is no firmware and no iPXE: an initramfs, an operating system
Name = Callable[[str], str]
"""MAC -> the name in the inventory, or "". Asked when the event is made, not when the datagram is answered."""
_MESSAGES = {int(kind): kind.name for kind in MessageType}


class Told(NamedTuple):
    """What is said of all offers that are alike: a flood makes tens of thousands of them a second."""

    kind: Kind
    text: str
    data: Mapping[str, Value]


def outcome_event(when: float, outcome: Outcome, interface: str, port: int, name_of: Name) -> Event:
    """The event of an answered or ignored request that came to `port`."""
    if isinstance(outcome.decision, Ignore):
        return _ignored(when, outcome, outcome.decision, interface, port, name_of)
    message, offer = outcome.message, outcome.decision
    listed = "" if offer.machine == message.mac else offer.machine
    xid, uuid = f"{message.xid:08x}", uuid_of(message)
    said = told(offer, outcome.request.message_type if outcome.request else 0, port)
    return offer_event(when, said, listed, message.mac, xid, uuid, outcome.destination, offer.found, interface)


def _ignored(when: float, outcome: Outcome, ignore: Ignore, interface: str, port: int, name_of: Name) -> Event:
    message, request = outcome.message, outcome.request
    client = request.client if request is not None else None
    options = message.options
    data: dict[str, Value] = {
        "reason": ignore.reason,
        "wanted": ignore.wanted,
        "silent": ignore.reason is SILENT,
        "interface": interface,
        "xid": f"{message.xid:08x}",
        "message": message_name(message),
        "client": str(client.stage) if client is not None else OTHER,
        "arch": served_as(client)[0] if client is not None else "",
        "port": port,
        "uuid": uuid_of(message),
        "lacks": lacking(client) if client is not None else "",
        "chosen": address_text(options.get(Option.SERVER_IDENTIFIER, b"")),
        "requested": address_text(options.get(Option.REQUESTED_ADDRESS, b"")),
        "ciaddr": address_text(message.ciaddr),
        "vendor": vendor_of(message),
    }
    level = Level.INFO if ignore.wanted else Level.DEBUG
    machine = ignore.machine or name_of(message.mac)
    return Event(Kind.IGNORED, when, machine, message.mac, ignore.reason, level, data)


def offer_event(
    when: float,
    said: Told,
    listed: str,
    mac: str,
    xid: str,
    uuid: str,
    destination: tuple[str, int],
    found: str,
    interface: str,
) -> Event:
    """The event of one offer. `listed` is the machine's name in the inventory, or ""."""
    kind, text, shared = said
    data = {**shared, "interface": interface, "address": destination[0], "xid": xid, "uuid": uuid, "reason": found}
    return Event(kind, when, listed, mac, text, Level.INFO, data)


def told(offer: Offer, message_type: int, port: int) -> Told:
    """What is said of an offer and of all that are like it."""
    return _told(offer.plan, offer.client, offer.acknowledge, offer.address, offer.profile, message_type, port)


@lru_cache(maxsize=SHARED_PLANS)
def _told(
    plan: Plan, client: Client, acknowledge: bool, address: str, profile: str, message_type: int, port: int
) -> Told:
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
        "lacks": lacking(client),
        "message": _MESSAGES.get(message_type, ""),
        "port": port,
    }
    return Told(kind, text, shared)


def lacking(client: Client) -> str:
    """What a boot needs and this iPXE build does not have, as its own `config` names it: "http bzImage"."""
    if client.stage is not Stage.IPXE:
        return ""
    needed = {"http": IpxeOption.HTTP, **({"bzImage": IpxeOption.BZIMAGE} if client.is_bios else {})}
    return " ".join(name for name, feature in needed.items() if client.lacks(feature))


def message_name(message: Message) -> str:
    """ "DISCOVER"; "" for a message without a type that is known."""
    kind = message.options.get(Option.MESSAGE_TYPE, b"")
    return _MESSAGES.get(kind[0], "") if len(kind) == 1 else ""


def uuid_of(message: Message) -> str:
    """Option 97 as sent, 32 hexadecimal digits; "" where it was not, or is none."""
    identifier = message.options.get(Option.CLIENT_MACHINE_IDENTIFIER, b"")
    return identifier[1:].hex() if is_machine_identifier(identifier) else ""


def vendor_of(message: Message) -> str:
    """Option 60 as it may stand in a log."""
    text = message.options.get(Option.VENDOR_CLASS, b"")[:LONGEST_VENDOR].decode("ascii", "replace")
    return "".join(char if char.isprintable() and char.isascii() else "?" for char in text)


def address_text(address: bytes) -> str:
    """Dotted; "" for none."""
    return dotted(address) if len(address) == len(ZERO_ADDRESS) and address != ZERO_ADDRESS else ""


def unsent_event(
    when: float, reply: bytes, destination: tuple[str, int], interface: str, error: str, name_of: Name
) -> Event:
    """A reply that the host did not take: no route to a relay, a full queue, a firewall."""
    address, port = destination
    mac = reply[28:34].hex(":")
    text = f"the reply to {address}:{port} could not be sent: {error}"
    data: dict[str, Value] = {"address": address, "interface": interface, "reason": error, "transport": "dhcp"}
    return Event(Kind.REFUSED, when, name_of(mac), mac, text, Level.WARNING, data)


def undecodable_event(when: float, source: tuple[str, int], interface: str, port: int, error: str) -> Event:
    """A datagram that is no DHCP message."""
    text = f"a datagram from {source[0]}:{source[1]} was dropped: {error}"
    data: dict[str, Value] = {"address": source[0], "interface": interface, "port": port, "reason": error}
    return Event(Kind.UNDECODABLE, when, text=text, level=Level.DEBUG, data=data)
