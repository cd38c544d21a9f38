"""Who asks by HTTP: the machine behind a connection or a query, and what of a query may be believed.

Query values come from SMBIOS and from anybody on the network: each is parsed into its type or dropped, never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from pxed.architecture import KNOWN_NAMES, name_of_ipxe
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.inventory.lookup import Identity, find
from pxed.inventory.model import Inventory, Machine
from pxed.inventory.scalars import parse_mac, parse_uuid

MAX_SERIAL = 64
_SERIAL = re.compile(rf"[\x20-\x7e]{{1,{MAX_SERIAL}}}")


class ClientMap(Protocol):
    """Which MAC was seen at which address (pxed.server.clients)."""

    def learn(self, address: str, mac: str) -> None: ...
    def mac_of(self, address: str) -> str: ...
    def learn_name(self, mac: str, machine: str) -> None: ...
    def name_of(self, mac: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection. `machine` and `mac` are "" when it is not known who it is."""

    address: str
    endpoint: Endpoint
    machine: str = ""
    mac: str = ""
    secure: bool = False  # it came by HTTPS


def caller_of(request: web.BaseRequest, inventory: Inventory, clients: ClientMap) -> Caller:
    """Who is at the other end, by the address it comes from."""
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport else None
    local = transport.get_extra_info("sockname") if transport else None
    endpoint = endpoint_at(local[0] if local else "0.0.0.0", inventory.server)
    address = str(peer[0]) if peer else ""
    mac = clients.mac_of(address) if address else ""
    secure = transport is not None and transport.get_extra_info("sslcontext") is not None
    return Caller(address, endpoint, name_by_mac(inventory, clients, mac), mac, secure)


def name_by_mac(inventory: Inventory, clients: ClientMap, mac: str) -> str:
    """The listed machine with a MAC, or the one that was seen with it; "" for neither."""
    machine = find(inventory, Identity(mac=mac)) if mac else None
    if machine is not None:
        return machine.name
    seen = clients.name_of(mac)
    return seen if seen in inventory.machines else ""


def identity_of(query: Mapping[str, str]) -> Identity:
    """What a script's query says of its machine. Raises ValueError for a MAC that is none; drops other nonsense."""
    mac = query.get("mac", "").strip()
    return Identity(
        mac=parse_mac(mac) if mac else "",
        uuid=_uuid(query.get("uuid", "")),
        serial=smbios_text(query.get("serial", "")),
        arch=_arch(query.get("arch", ""), query.get("platform", "")),
    )


def named(inventory: Inventory, text: str) -> tuple[Machine | None, str]:
    """The machine that a path names, by its name or a MAC, and that MAC ("" when it was a name or nothing)."""
    machine = inventory.machines.get(text)
    if machine is not None:
        return machine, ""
    try:
        mac = parse_mac(text)
    except ValueError:
        return None, ""
    return find(inventory, Identity(mac=mac)), mac


def _uuid(text: str) -> bytes | None:
    try:
        return parse_uuid(text).bytes
    except ValueError:
        return None


def smbios_text(text: str) -> str | None:
    """A serial number or an asset tag as boards carry them; anything else is taken for none."""
    serial = text.strip()
    return serial if _SERIAL.fullmatch(serial) else None


def _arch(arch: str, platform: str) -> str | None:
    return name_of_ipxe(arch, platform) or (arch if arch in KNOWN_NAMES else None)
