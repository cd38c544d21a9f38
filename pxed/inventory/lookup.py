"""Which machine asks, and what it gets. In the path of every DHCP answer: dictionary look-ups, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from pxed.inventory.model import Inventory, Machine, Profile
from pxed.inventory.profile import with_overrides
from pxed.inventory.scalars import parse_mac, serial_key

_NONE: Mapping[str, Any] = MappingProxyType({})


class Identity(NamedTuple):
    """What a request tells of its sender. A tuple, as Match: one is made for each datagram of a flood."""

    mac: str = ""  # "52:54:00:00:00:01"
    uuid: bytes | None = None  # the 16 bytes as on the wire, in whichever byte order
    serial: str | None = None
    arch: str | None = None  # a name of pxed.architecture.name_of


class Match(NamedTuple):
    """The request gets a profile."""

    name: str  # of the inventory; the MAC of a machine that is not listed
    machine: Machine | None
    profile_name: str
    profile: Profile
    vars: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The request gets no profile: a waiting screen when `hold`, else silence."""

    hold: bool
    reason: str
    machine: Machine | None = None


_UNLISTED = {
    False: Unmatched(False, "not listed, no group matches, and unknown is ignore"),
    True: Unmatched(True, "not listed, no group matches, and unknown is hold"),
}


def find(inventory: Inventory, identity: Identity) -> Machine | None:
    """The listed machine: by MAC, else by UUID in either byte order, else by serial number."""
    indexes = inventory.indexes
    machine = indexes.by_mac.get(identity.mac)
    if machine is None and identity.uuid is not None:
        machine = indexes.by_uuid.get(identity.uuid)
    if machine is None and identity.serial:
        machine = indexes.by_serial.get(serial_key(identity.serial))
    return machine


def resolve(inventory: Inventory, identity: Identity) -> Match | Unmatched:
    """The machine's own profile, else that of the first group that matches, else what server.unknown says."""
    machine = find(inventory, identity)
    if machine is None:
        return _unlisted(inventory, identity)
    name, profile_name, profile = machine.name, machine.profile_name, machine.profile
    if profile is not None and profile_name is not None:
        reason = f"listed as {name}, by its {_means(inventory, identity, machine)}"
        return Match(name, machine, profile_name, profile, machine.vars, reason)
    return _without_profile(inventory, identity, machine)


def by_name(inventory: Inventory, name_or_mac: str) -> Machine | None:
    """The listed machine of a name, or of a MAC in any common spelling."""
    machine = inventory.machines.get(name_or_mac)
    if machine is not None:
        return machine
    try:
        return inventory.indexes.by_mac.get(parse_mac(name_or_mac))
    except ValueError:
        return None


def _means(inventory: Inventory, identity: Identity, machine: Machine) -> str:
    """By what it was found, and which other machine the rest of the request names."""
    indexes = inventory.indexes
    by_uuid = indexes.by_uuid.get(identity.uuid, machine) if identity.uuid is not None else machine
    if by_uuid is machine and not identity.serial and indexes.by_mac.get(identity.mac) is machine:
        return "MAC"  # nearly every DHCP request
    hits = [
        (what, hit)
        for what, hit in (
            ("MAC", indexes.by_mac.get(identity.mac)),
            ("UUID", indexes.by_uuid.get(identity.uuid) if identity.uuid is not None else None),
            ("serial number", indexes.by_serial.get(serial_key(identity.serial)) if identity.serial else None),
        )
        if hit is not None
    ]
    others = "".join(f"; but its {what} is that of {hit.name}" for what, hit in hits[1:] if hit is not machine)
    return hits[0][0] + others


def _group(inventory: Inventory, identity: Identity) -> int:
    """The position of the first group that matches; -1 for none."""
    for position, selector in enumerate(inventory.indexes.selectors):
        if selector.matches(identity.mac, identity.uuid, identity.serial, identity.arch):
            return position
    return -1


def _unlisted(inventory: Inventory, identity: Identity) -> Match | Unmatched:
    position = _group(inventory, identity)
    if position >= 0:
        group = inventory.groups[position]
        profile = inventory.profiles[group.profile]
        return Match(
            identity.mac, None, group.profile, profile, group.vars, f"not listed; group {position + 1} matches"
        )
    unknown = inventory.server.unknown
    known = inventory.profiles.get(unknown)
    if known is None:
        return _UNLISTED[unknown == "hold"]
    return Match(identity.mac, None, unknown, known, _NONE, "not listed, no group matches; unknown names this profile")


def _without_profile(inventory: Inventory, identity: Identity, machine: Machine) -> Match | Unmatched:
    """A listed machine that leaves its profile to the groups. Its overrides and variables count."""
    listed = f"listed as {machine.name}, by its {_means(inventory, identity, machine)}, without a profile of its own"
    position = _group(inventory, identity)
    unknown = inventory.server.unknown
    base: Mapping[str, Any] = _NONE
    if position >= 0:
        group = inventory.groups[position]
        name, base, reason = group.profile, group.vars, f"{listed}; group {position + 1} matches"
    elif unknown in inventory.profiles:
        name, reason = unknown, f"{listed}; no group matches; unknown names this profile"
    else:
        return Unmatched(unknown == "hold", f"{listed}; no group matches, and unknown is {unknown}", machine)
    profile = with_overrides(inventory.profiles[name], machine.overrides)
    return Match(machine.name, machine, name, profile, {**base, **machine.vars}, reason)
