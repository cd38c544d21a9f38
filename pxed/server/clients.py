"""Which machine has which address: a ProxyDHCP server gives no leases, so it learns them from what it sees.

Sources: requests on port 4011 (ciaddr), REQUESTs to the DHCP server heard on 67 (option 50), iPXE's script query, and
the kernel's neighbour table for a client that none of these told about.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from socket import inet_ntoa
from typing import Any

KNOWN_NAMES = 32768  # MACs that a machine known by its UUID or serial number was seen with
KNOWN_ADDRESSES = 32768  # bounds what invented requests can grow; the oldest goes first
# Not /proc/net, which leads to the same: systemd's ProcSubset=pid takes everything away that is of no process.
NEIGHBOURS = Path("/proc/self/net/arp")
ROUTES = Path("/proc/self/net/route")  # of IPv4, as all that pxed serves
_COMPLETE = 0x02  # ATF_COM of linux/if_arp.h
_VIA = 0x03  # RTF_UP | RTF_GATEWAY of linux/route.h


class Clients:
    """IPv4 address -> MAC, and MAC -> machine where the inventory does not list the MAC."""

    def __init__(self, neighbours: Path = NEIGHBOURS, routes: Path = ROUTES) -> None:
        self._macs: OrderedDict[str, str] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._neighbours = neighbours
        self._routes = routes

    def learn(self, address: str, mac: str) -> None:
        """Remember that `mac` was seen at `address`."""
        if not mac or address == "0.0.0.0":
            return
        self._macs[address] = mac
        self._macs.move_to_end(address)
        if len(self._macs) > KNOWN_ADDRESSES:
            self._macs.popitem(last=False)

    def learn_name(self, mac: str, machine: str) -> None:
        """Remember that `machine`, found by its UUID or serial number, boots from the NIC `mac`."""
        if not mac:
            return
        self._names[mac] = machine
        self._names.move_to_end(mac)
        if len(self._names) > KNOWN_NAMES:
            self._names.popitem(last=False)

    def name_of(self, mac: str) -> str:
        """The machine last seen with a MAC that the inventory does not list, or ""."""
        return self._names.get(mac, "")

    def mac_of(self, address: str) -> str:
        """The MAC last seen at `address`, or ""."""
        known = self._macs.get(address)
        if known is None:
            known = next(iter(self.neighbours(address)), "")
            self.learn(address, known)
        return known

    def written(self) -> object:
        """All of it as plain data."""
        return {"macs": list(self._macs.items()), "names": list(self._names.items())}

    def read(self, content: Any) -> None:
        """Learn what another process has written. Raises TypeError, ValueError or KeyError for anything else."""
        for address, mac in content["macs"]:
            self.learn(str(address), str(mac))
        for mac, name in content["names"]:
            self.learn_name(str(mac), str(name))

    def neighbours(self, address: str) -> tuple[str, ...]:
        """The MACs that the kernel has at `address` now, on each of its interfaces: none for what is behind a router.

        proc(5), /proc/net/arp: IP address, HW type, Flags, HW address, Mask, Device. An entry without ATF_COM is being
        looked for, or was not found; its MAC is what was true once. That of a gateway is left out: a router that
        answers ARP for hosts behind it (RFC 1027, proxy ARP) tells as little of them as one that does not. Only this
        host's routes say who is one; that a MAC has many addresses does not, for whoever likes can take a second one.
        """
        rows = _rows(self._neighbours)
        found = _complete(rows, {address})
        routers = _complete(rows, self._gateways()) if found else ()
        return tuple(mac for mac in found if mac not in routers)

    def _gateways(self) -> frozenset[str]:
        """The routers of this host, by their addresses.

        proc(5), /proc/net/route: Iface, Destination, Gateway, Flags, ...; an address is a number in the host's order.
        """
        rows = [row for row in _rows(self._routes) if len(row) >= 4 and int(row[3], 16) & _VIA == _VIA]
        return frozenset(inet_ntoa(int(row[2], 16).to_bytes(4, sys.byteorder)) for row in rows)


def _complete(rows: list[list[str]], addresses: Collection[str]) -> tuple[str, ...]:
    return tuple(row[3] for row in rows if len(row) >= 4 and row[0] in addresses and int(row[2], 16) & _COMPLETE)


def _rows(table: Path) -> list[list[str]]:
    """A table of the kernel without its heads; none when it cannot be read."""
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
