"""Whom a command is about: a machine of the inventory by name, or any MAC; and the address it would see pxed at."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from pxed.assets.mirror.index import load_index
from pxed.assets.mirror.rollout import version_for
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.boot.page import Release
from pxed.errors import PxedError
from pxed.inventory.lookup import Identity, Match, Unmatched, by_name
from pxed.inventory.model import Inventory, Machine, Server
from pxed.inventory.scalars import parse_mac
from pxed.server.interfaces import Interfaces
from pxed.server.live import Snapshot


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


def mirrored_release(snapshot: Snapshot, match: Match | Unmatched) -> Release | None:
    """What of its image is mirrored for a machine; None when it boots no release of Flatcar. Raises MirrorError."""
    name = match.profile.image or "" if isinstance(match, Match) else ""
    image = snapshot.inventory.images.get(name)
    if not isinstance(match, Match) or image is None or image.flatcar is None:
        return None
    index = load_index(snapshot.inventory.server.data_dir / "mirror")
    version = version_for(name, image.flatcar, index, match.name)
    return Release(version) if version else Release(missing="is not mirrored yet: run pxed images sync")
