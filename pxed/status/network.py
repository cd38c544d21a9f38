"""What is known of each wire: which DHCP and PXE servers speak there, and which of pxed's ports were reached.

Fed with the events of DHCP. A server is known by its replies (broadcast ones, and those to pxed's own questions) and by
the clients that take up its offers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST_INTERFACES = 64
MOST_SERVERS = 32  # of one interface; sources can be forged
RECENT = 3600.0  # seconds that a server counts as there after it was last heard of


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """Another server, as its replies show it. Times are seconds since 1970."""

    address: str
    first: float
    last: float
    count: int = 1
    gives_addresses: bool = False
    vendor: str = ""  # option 60
    file: str = ""  # the boot file that it offers to firmware
    ipxe_file: str = ""  # and to iPXE
    surveyed: float = 0.0  # when it last answered pxed's own question

    @property
    def is_pxe(self) -> bool:
        """It offers network boot: without addresses as a ProxyDHCP, or with a boot file or option 60."""
        return bool(self.file or self.ipxe_file) or self.vendor.startswith(("PXEClient", "HTTPClient"))

    def as_dict(self) -> dict[str, object]:
        """As the API has it."""
        return {
            "address": self.address,
            "gives_addresses": self.gives_addresses,
            "vendor": self.vendor or None,
            "file": self.file or None,
            "ipxe_file": self.ipxe_file or None,
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "count": self.count,
        }


@dataclass(slots=True)
class Wire:
    """One interface."""

    servers: dict[str, ServerSeen] = field(default_factory=dict)  # the one heard last at the end
    bootserver: float = 0.0  # when port 4011 was last reached
    tftp: float = 0.0  # when a read request last came
    surveyed: float = 0.0  # when pxed last asked the servers itself


class Network:
    """All interfaces."""

    def __init__(self) -> None:
        self._wires: OrderedDict[str, Wire] = OrderedDict()

    def interfaces(self) -> tuple[str, ...]:
        """Those of which something is known."""
        return tuple(self._wires)

    def wire(self, interface: str) -> Wire:
        """What is known of one interface."""
        wire = self._wires.get(interface)
        if wire is None:
            wire = self._wires[interface] = Wire()
            if len(self._wires) > MOST_INTERFACES:
                self._wires.popitem(last=False)
        return wire

    def wires(self) -> dict[str, Wire]:
        """All of it, for the process that goes on with it."""
        return dict(self._wires)

    def take_up(self, interface: str, wire: Wire) -> None:
        """What another process knew of an interface."""
        self.wire(interface)
        self._wires[interface] = wire

    def servers(self, interface: str) -> list[ServerSeen]:
        """The servers that were heard there, the newest last."""
        wire = self._wires.get(interface)
        return list(wire.servers.values()) if wire is not None else []

    def givers(self, interface: str, now: float) -> list[ServerSeen]:
        """The DHCP servers that were there of late."""
        return [one for one in self.servers(interface) if one.gives_addresses and now - one.last < RECENT]

    def on_reply(self, interface: str, when: float, data: Mapping[str, Any]) -> ServerSeen:
        """Another server's reply, as the data of a REPLY event."""
        return note_reply(self.wire(interface).servers, when, data)

    def on_chosen(self, interface: str, when: float, address: str) -> None:
        """A client has taken up the offer of the DHCP server at `address`."""
        servers = self.wire(interface).servers
        known = servers.pop(address, None)
        if known is None:
            known = ServerSeen(address, when, when, count=0)
        _put(servers, replace(known, last=max(when, known.last), count=known.count + 1, gives_addresses=True))


def note_reply(servers: dict[str, ServerSeen], when: float, data: Mapping[str, Any]) -> ServerSeen:
    """Put a reply into a table of servers; the server as it is known now."""
    address, file = str(data.get("server", "")), str(data.get("file", ""))
    known = servers.pop(address, None) or ServerSeen(address, when, when, count=0)
    is_ipxe = data.get("client") == "iPXE"
    seen = replace(
        known,
        last=max(when, known.last),
        count=known.count + 1,
        gives_addresses=known.gives_addresses or bool(data.get("given")),
        vendor=str(data.get("vendor", "")) or known.vendor,
        file=file if file and not is_ipxe else known.file,
        ipxe_file=file if file and is_ipxe else known.ipxe_file,
        surveyed=when if data.get("survey") else known.surveyed,
    )
    _put(servers, seen)
    return seen


def _put(servers: dict[str, ServerSeen], seen: ServerSeen) -> None:
    servers[seen.address] = seen
    if len(servers) > MOST_SERVERS:
        del servers[next(iter(servers))]
