"""Whether a DHCP message shows that its machine boots: one of this network does, one from elsewhere if it may.

Secrets go to boots that were seen (SECURITY.md), and UDP lets anybody on a routed network say that he is a relay
(RFC 2131 4.1, giaddr). What comes from 0.0.0.0 comes from this network: no router passes it on (RFC 1812 5.3.7), and
Linux takes it as a broadcast only. So does what comes from an address of this network, if routers let none in from
outside (RFC 2827). For all else the inventory names who is believed, in `server.relays`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from pxed.dhcp.message import ZERO_ADDRESS
from pxed.dhcp.reply import dotted
from pxed.server.interfaces import Interfaces

MOST = 4096  # answers that are kept; senders can make up as many as they like


class Relays:
    """Judges where messages come from, each origin once."""

    def __init__(self, interfaces: Interfaces) -> None:
        self._interfaces = interfaces
        self._known: dict[tuple[bytes, str, int], str] = {}
        self._basis: tuple[object, object] = (None, None)

    def judged_for(self, allowed: Sequence[IPv4Network]) -> Mapping[tuple[bytes, str, int], str]:
        """What refusal() has said until now, by giaddr, source and interface."""
        networks = self._interfaces.networks
        if self._basis[0] is not allowed or self._basis[1] is not networks or len(self._known) >= MOST:
            self._known, self._basis = {}, (allowed, networks)
        return self._known

    def refusal(self, relay: bytes, source: str, ifindex: int, allowed: Sequence[IPv4Network]) -> str:
        """Why a message is no sign of its machine; "" for one that is. `relay` is its giaddr."""
        key = (relay, source, ifindex)
        known = self.judged_for(allowed).get(key)
        if known is None:
            here = self._interfaces.networks.get(ifindex, ())
            known = self._known[key] = judged(relay, source, here, allowed)
        return known


def judged(relay: bytes, source: str, here: Sequence[IPv4Network], allowed: Sequence[IPv4Network]) -> str:
    """The same, of an interface in the networks `here`."""
    sender = IPv4Address(source)
    direct = relay == ZERO_ADDRESS
    if not direct and not _within(IPv4Address(relay), allowed):
        return f"its DHCP came by relay {dotted(relay)}, which is not in server.relays"
    if (direct and source == "0.0.0.0") or _within(sender, here) or _within(sender, allowed):
        return ""
    by = "" if direct else f" by relay {dotted(relay)}"
    return f"its DHCP came{by} from {source}, which is not of this network and not in server.relays"


def _within(address: IPv4Address, networks: Sequence[IPv4Network]) -> bool:
    return any(address in network for network in networks)
