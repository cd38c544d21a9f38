"""The host's interfaces as pxed serves them: names, addresses, MTU. Kept by a task, read by every answer."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import psutil

from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.inventory.model import Server
from pxed.server.host.links import Link, link_findings
from pxed.server.host.wordings import Finding

DEFAULT_MTU = 1500
# netdevice(7), <linux/sockios.h>, <linux/if.h>: struct ifreq, what is asked, and the flags, which are a short.
_IFREQ = struct.Struct("@16si20x")
_SIOCGIFFLAGS, _SIOCGIFMTU = 0x8913, 0x8921
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40


@dataclass(frozen=True, slots=True)
class Interface:
    """One served interface. `addresses` are dotted IPv4, the first one first."""

    index: int
    name: str
    addresses: tuple[str, ...]
    mtu: int
    networks: tuple[IPv4Network, ...] = ()  # that its addresses are of
    mac: str = ""


class Interfaces:
    """A picture of the interfaces, taken by `refresh`; looking something up does no system call."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._served: dict[int, Interface] = {}
        self._by_address: dict[str, Interface] = {}
        self._endpoints: dict[tuple[int, bytes], Endpoint | None] = {}
        self._mtu: dict[int, int] = {}
        self._single: set[str] = set()
        self._findings: list[Finding] | None = None
        self.unserved_since: float | None = None  # time.time() since when no machine is answered anywhere
        self.networks: Mapping[int, tuple[IPv4Network, ...]] = {}  # by index; another object when something changed

    def refresh(self) -> bool:
        """Look again; whether something changed."""
        links, served = picture(self._server.interfaces)
        findings = link_findings(self._server.interfaces, links)
        if served == self._served and findings == self._findings:
            return False
        self._served, self._findings = served, findings
        if any(interface.addresses for interface in served.values()):
            self.unserved_since = None
        elif self.unserved_since is None:
            self.unserved_since = time.time()
        self._by_address = {address: i for i in served.values() for address in i.addresses}
        self._mtu = {i.index: i.mtu for i in served.values()}
        self.networks = {i.index: i.networks for i in served.values()}
        self._single = {i.name for i in served.values() if len(i.addresses) == 1}
        self._endpoints = {}
        return True

    def use(self, server: Server) -> None:
        """Take a reloaded `server:` section."""
        self._server = server
        self._served, self._findings = {}, None
        self.refresh()

    def endpoint(self, ifindex: int, address: bytes) -> Endpoint | None:
        """Where a datagram reached us; None when that is no interface that pxed serves."""
        key = (ifindex, address)
        try:
            return self._endpoints[key]
        except KeyError:
            return self._endpoints.setdefault(key, self._find(ifindex, socket.inet_ntoa(address)))

    def has_one_address(self, name: str) -> bool:
        """Whether a served interface has exactly one IPv4 address."""
        return name in self._single

    def mtu_of(self, ifindex: int) -> int:
        """Bytes; what Ethernet has for an interface that is not known."""
        return self._mtu.get(ifindex, DEFAULT_MTU)

    def addresses(self) -> tuple[str, ...]:
        """All IPv4 addresses of the served interfaces."""
        return tuple(address for interface in self.served() for address in interface.addresses)

    def served(self) -> tuple[Interface, ...]:
        return tuple(self._served.values())

    def findings(self) -> list[Finding]:
        """What keeps machines from being answered on interfaces that pxed serves."""
        return list(self._findings or ())

    def missing(self) -> list[str]:
        """The interfaces of the inventory that are not there."""
        there = {interface.name for interface in self._served.values()}
        return [name for name in self._server.interfaces if name not in there]

    def first_endpoint(self) -> Endpoint:
        """The endpoint to name where no request says which: 127.0.0.1 on a host without any address."""
        addresses = [address for interface in self._served.values() for address in interface.addresses]
        return endpoint_at(addresses[0] if addresses else "127.0.0.1", self._server)

    def _find(self, ifindex: int, address: str) -> Endpoint | None:
        interface = self._by_address.get(address)
        if interface is None and ifindex in self._served and self._served[ifindex].addresses:
            interface = self._served[ifindex]
            address = interface.addresses[0]
        return None if interface is None else endpoint_at(address, self._server, interface.name)


def picture(wanted: Sequence[str]) -> tuple[dict[str, Link], dict[int, Interface]]:
    """All interfaces; and those to serve: those named, or all that are up with an IPv4 address, loopback left out."""
    links: dict[str, Link] = {}
    served: dict[int, Interface] = {}
    addresses_of = psutil.net_if_addrs()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        for index, name in socket.if_nameindex():
            addresses = addresses_of.get(name, [])
            ipv4 = tuple(a.address for a in addresses if a.family == socket.AF_INET)
            with contextlib.suppress(OSError):  # gone since
                flags, mtu = _asked(asking, name, _SIOCGIFFLAGS), _asked(asking, name, _SIOCGIFMTU)
                link = Link(bool(flags & _UP), bool(flags & _RUNNING), ipv4, bool(flags & _LOOPBACK))
                links[name] = link
                if name in wanted if wanted else bool(ipv4) and link.running and not link.loopback:
                    networks = _networks(addresses)
                    served[index] = Interface(index, name, ipv4, mtu or DEFAULT_MTU, networks, _mac(addresses))
    return links, served


def _asked(asking: socket.socket, name: str, what: int) -> int:
    """A number that the kernel has of an interface. Raises OSError.

    psutil.net_if_stats() has it too, but needs /proc/net/dev, which systemd's ProcSubset=pid takes away.
    """
    number: int = _IFREQ.unpack(fcntl.ioctl(asking, what, _IFREQ.pack(name.encode(), 0)))[1]
    return number & 0xFFFF if what == _SIOCGIFFLAGS else number


def _networks(addresses: Sequence[Any]) -> tuple[IPv4Network, ...]:
    ipv4 = (a for a in addresses if a.family == socket.AF_INET and a.netmask)
    return tuple(IPv4Network((a.address, a.netmask), strict=False) for a in ipv4)


def _mac(addresses: Sequence[Any]) -> str:
    """In lower case with colons; "" for an interface without one of Ethernet."""
    mac = next((a.address for a in addresses if a.family == socket.AF_PACKET), "")
    return mac.lower() if len(mac) == len("52:54:00:00:00:01") else ""
