"""Whom a command is about: a machine of the inventory by name, or any MAC; and the address it would see pxed at."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.errors import PxedError
from pxed.inventory.lookup import Identity, by_name
from pxed.inventory.model import Inventory, Machine, Server
from pxed.inventory.scalars import parse_mac
from pxed.server.interfaces import Interfaces


@dataclass(frozen=True, slots=True)
class Subject:
    """A machine to explain or render."""

    name: str  # as the inventory has it; the MAC of an unlisted one
    mac: str
    uuid: bytes | None  # as firmware sends it: the first three fields little-endian (RFC 4578 2.3)
    serial: str | None
    machine: Machine | None

    def identity(self, arch: str | None) -> Identity:
        return Identity(self.mac, self.uuid, self.serial, arch)


def find_subject(inventory: Inventory, text: str) -> Subject:
    """The machine called `text`, or the one with that MAC. PxedError when it is neither a name nor a MAC."""
    machine = by_name(inventory, text)
    if machine is not None:
        mac = machine.macs[0] if machine.macs else ""
        uuid = machine.uuid.bytes_le if machine.uuid else None
        return Subject(machine.name, mac, uuid, machine.serial, machine)
    try:
        mac = parse_mac(text)
    except ValueError:
        known = len(inventory.machines)
        raise PxedError(f"{text!r} is none of the {known} machines of {inventory.path}, and no MAC") from None
    return Subject(mac, mac, None, None, None)


def local_endpoint(server: Server, address: str) -> Endpoint:
    """The endpoint at `address`; without one, at this host's first served interface."""
    if not address:
        interfaces = Interfaces(server)
        interfaces.refresh()
        return interfaces.first_endpoint()
    try:
        return endpoint_at(str(IPv4Address(address)), server)
    except ValueError:
        raise PxedError(f"--address {address!r} is no IPv4 address") from None
