"""Offers kept ready: what machines of one firmware and one profile get differs in a few bytes only.

A hall that powers on sends tens of thousands of DISCOVERs. The first of its kind goes through `respond`; for those like
it the machine is looked up, and the reply of the first is filled with what it echoes: less than half the time. Whatever
is not exactly alike goes through `respond` again. A test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pxed.boot.course import Detour
from pxed.boot.decide import NO_DETOURS, Offer, served_as
from pxed.boot.endpoint import Endpoint
from pxed.dhcp.codes import CLIENT_PORT, SERVER_PORT, MessageType
from pxed.dhcp.message import HEADER_SIZE, REMEMBERED_AREA, ZERO_ADDRESS, Message
from pxed.dhcp.pxe import RASPBERRY_PI_OUIS
from pxed.dhcp.reply import BROADCAST, Template, dotted, fill, template
from pxed.events import Event
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory, Machine, Profile
from pxed.server.dhcp_events import Told, offer_event, told
from pxed.server.respond import Outcome, answer

KEPT_KINDS = 2048  # option areas and addresses; a fleet has a few dozen
KEPT_PROFILES = 16384  # for each; machines with settings of their own have a profile each
_ETHERNET_REQUEST = b"\1\1\6"  # op, htype, hlen
_IDENTIFIER = b"\x61\x11\x00"  # option 97, its length and type
_IDENTIFIER_SIZE = 19


class Hit(NamedTuple):
    """A reply that was ready."""

    reply: bytes
    destination: tuple[str, int]
    told: Told
    machine: str
    mac: str
    found: str
    uuid: bytes


def hit_event(when: float, hit: Hit, interface: str) -> Event:
    """The event of a reply that was ready."""
    reply, destination, said, machine, mac, found, uuid = hit
    listed = "" if machine == mac else machine
    return offer_event(when, said, listed, mac, reply[4:8].hex(), uuid.hex(), destination, found, interface)


class _Ready(NamedTuple):
    profile: Profile  # kept, so that its id stays its own
    template: Template
    told: Told


@dataclass(slots=True)
class _KindOfRequest:
    architecture: str
    ready: dict[int, _Ready] = field(default_factory=dict)  # by id of the profile


_Key = tuple[bytes, bytes, str]


class ReadyOffers:
    """The offers of one inventory to DISCOVERs on port 67."""

    def __init__(self, inventory: Inventory, detours: Mapping[str, Detour] = NO_DETOURS) -> None:
        self.inventory = inventory
        self.detours = detours
        self._kinds: dict[_Key, _KindOfRequest] = {}

    def find(self, datagram: bytes, endpoint: Endpoint) -> Hit | None:
        """The reply to a DISCOVER that differs from an earlier one in what is echoed only; None for any other."""
        start = datagram.find(_IDENTIFIER, HEADER_SIZE)
        end = start + _IDENTIFIER_SIZE
        kind = self._kinds.get((datagram[236:start], datagram[end:], endpoint.address))
        if kind is None or datagram[:3] != _ETHERNET_REQUEST or datagram[12:16] != ZERO_ADDRESS or start < 0:
            return None
        mac = datagram[28:34].hex(":")
        uuid = datagram[start + 3 : end]
        match = resolve(self.inventory, Identity(mac, uuid, None, kind.architecture))
        if match.__class__ is not Match:
            return None
        name, machine, _, profile, _, found = match
        if name in self.detours:
            return None
        ready = kind.ready.get(id(profile))
        if ready is None or ready.profile is not profile or not _plainly(machine, mac):
            return None
        relay = datagram[24:28]
        destination = (BROADCAST, CLIENT_PORT) if relay == ZERO_ADDRESS else (dotted(relay), SERVER_PORT)
        reply = fill(ready.template, datagram, start, end)
        return Hit(reply, destination, ready.told, name, mac, found, uuid)

    def keep(self, datagram: bytes, endpoint: Endpoint, outcome: Outcome) -> None:
        """Keep the reply of `outcome` ready for requests like `datagram`, where there can be such."""
        message, offer, request = outcome.message, outcome.decision, outcome.request
        if request is None or not isinstance(offer, Offer) or offer.acknowledge or not offer.profile:
            return
        start = datagram.find(_IDENTIFIER, HEADER_SIZE)
        end = start + _IDENTIFIER_SIZE
        if not _shareable(message, datagram, start, end):
            return
        architecture = served_as(offer.client)[0]
        match = resolve(self.inventory, Identity(message.mac, request.uuid, None, architecture))
        if not isinstance(match, Match) or not _plainly(match.machine, message.mac) or match.name in self.detours:
            return
        kind = self._kind((datagram[236:start], datagram[end:], endpoint.address), architecture)
        kept = template(message, answer(offer, request))
        kind.ready[id(match.profile)] = _Ready(match.profile, kept, told(offer, MessageType.DISCOVER, SERVER_PORT))

    def _kind(self, key: _Key, architecture: str) -> _KindOfRequest:
        if len(self._kinds) >= KEPT_KINDS:
            self._kinds.clear()
        kind = self._kinds.setdefault(key, _KindOfRequest(architecture))
        if len(kind.ready) >= KEPT_PROFILES:
            kind.ready.clear()
        return kind


def _plainly(machine: Machine | None, mac: str) -> bool:
    """Whether the profile alone makes the reply, and the MAC alone the machine."""
    return mac[:8] not in RASPBERRY_PI_OUIS and (machine is None or mac in machine.macs)


def _shareable(message: Message, datagram: bytes, start: int, end: int) -> bool:
    """Whether the datagram is whole options around a machine identifier in its standard form."""
    shape = getattr(message.options, "shape", None)
    return (
        shape == (datagram[HEADER_SIZE:start], datagram[end:])
        and start >= 0
        and len(datagram) <= HEADER_SIZE + REMEMBERED_AREA
        and datagram[:3] == _ETHERNET_REQUEST
        and message.ciaddr == ZERO_ADDRESS
    )
