"""Which machine has which address: a ProxyDHCP server gives no leases, so it learns them from what it sees.

Sources: requests on port 4011 (ciaddr), REQUESTs to the DHCP server heard on 67 (option 50), iPXE's script query, and
the kernel's neighbour table for a client that none of these told about.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

KNOWN_NAMES = 32768  # MACs that a machine known by its UUID or serial number was seen with
KNOWN_ADDRESSES = 32768  # bounds what invented requests can grow; the oldest goes first
NEIGHBOURS = Path("/proc/net/arp")


class Clients:
    """IPv4 address -> MAC, and MAC -> machine where the inventory does not list the MAC."""

    def __init__(self, neighbours: Path = NEIGHBOURS) -> None:
        self._macs: OrderedDict[str, str] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._neighbours = neighbours

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
        return known if known is not None else self.neighbour(address, learn=True)

    def neighbour(self, address: str, *, learn: bool = False) -> str:
        """The MAC that the kernel knows at `address`, or "": from /proc/net/arp, proc(5): IP address, HW type, Flags,
        HW address, Mask, Device. What is behind a router is not there."""
        try:
            lines = self._neighbours.read_text().splitlines()[1:]
        except OSError:
            return ""
        for line in lines:
            fields = line.split()
            if len(fields) >= 4 and fields[0] == address and fields[3] != "00:00:00:00:00:00":
                if learn:
                    self.learn(address, fields[3])
                return fields[3]
        return ""
