"""The events of the DHCP sockets, made from what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from pxed.boot.decide import SHARED_PLANS, Ignore, Offer, Plan, served_as
from pxed.dhcp.message import Message
from pxed.dhcp.pxe import Client, Stage
from pxed.events import Event, Kind, Level, Value
from pxed.server.respond import Outcome


class Told(NamedTuple):
    """What is said of all offers that are alike: a flood makes tens of thousands of them a second."""

    kind: Kind
    text: str
    data: Mapping[str, Value]


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
    listed = "" if offer.machine == message.mac else offer.machine
    xid = f"{message.xid:08x}"
    return offer_event(when, told(offer), listed, message.mac, xid, destination, offer.found, interface)


def offer_event(
    when: float, said: Told, listed: str, mac: str, xid: str, destination: tuple[str, int], found: str, interface: str
) -> Event:
    """The event of one offer. `listed` is the machine's name in the inventory, or ""."""
    kind, text, shared = said
    data = {**shared, "interface": interface, "address": destination[0], "xid": xid, "reason": found}
    return Event(kind, when, listed, mac, text, Level.INFO, data)


def told(offer: Offer) -> Told:
    """What is said of an offer and of all that are like it."""
    return _told(offer.plan, offer.client, offer.acknowledge, offer.address, offer.profile)


@lru_cache(maxsize=SHARED_PLANS)
def _told(plan: Plan, client: Client, acknowledge: bool, address: str, profile: str) -> Told:
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
    return Told(kind, text, shared)


def unsent_event(when: float, reply: bytes, destination: tuple[str, int], interface: str, error: str) -> Event:
    """A reply that the host did not take: no route to a relay, a full queue, a firewall."""
    address, port = destination
    text = f"the reply to {address}:{port} could not be sent: {error}"
    data: dict[str, Value] = {"address": address, "interface": interface, "reason": error}
    return Event(Kind.REFUSED, when, mac=reply[28:34].hex(":"), text=text, level=Level.WARNING, data=data)


def undecodable_event(when: float, source: tuple[str, int], interface: str, error: str) -> Event:
    """A datagram that is no DHCP message."""
    text = f"a datagram from {source[0]}:{source[1]} was dropped: {error}"
    data = {"address": source[0], "interface": interface, "reason": error}
    return Event(Kind.UNDECODABLE, when, text=text, level=Level.DEBUG, data=data)
