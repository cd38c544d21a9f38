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
_COMPLETE = 0x02  # ATF_COM of linux/if_arp.h


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
        if known is None:
            known = next(iter(self.neighbours(address)), "")
            self.learn(address, known)
        return known

    def neighbours(self, address: str) -> tuple[str, ...]:
        """The MACs that the kernel has at `address` now, on each of its interfaces: none for what is behind a router.

        proc(5), /proc/net/arp: IP address, HW type, Flags, HW address, Mask, Device. An entry without ATF_COM is being
        looked for, or was not found; its MAC is what was true once.
        """
        try:
            rows = [line.split() for line in self._neighbours.read_text().splitlines()[1:]]
        except OSError:
            return ()
        return tuple(row[3] for row in rows if len(row) >= 4 and row[0] == address and int(row[2], 16) & _COMPLETE)
