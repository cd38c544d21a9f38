"""Which of several offers a client takes: the lease from one, the boot file perhaps from another.

EDK2: NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c PxeBcSelectDhcp4Offer, with its order of offer types, and
HttpBootDxe/HttpBootDhcp4.c HttpBootSelectDhcpOffer. iPXE: src/net/udp/dhcp.c, and src/core/settings.c for which block's
filename counts. A ROM: "Preboot Execution Environment 2.1" 2.2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pxed.probe.oracles import bios_rom, edk2, edk2_current, edk2_http, ipxe
from pxed.probe.oracles.edk2 import OfferType, Parsed
from pxed.probe.oracles.firmware import BIOS_ROM, EDK2, EDK2_2015, EDK2_HTTP, IPXE, Firmware
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Verdict
from pxed.probe.oracles.wire import Datagram, MalformedError, Packet, parse

NOWHERE = "0.0.0.0"
Offers = Sequence[Datagram]


@dataclass(frozen=True, slots=True)
class Choice:
    """Positions in the offers: whose address it takes, whose boot file; None for none."""

    lease: int | None
    boot: int | None
    verdict: Verdict


def choose(firmware: Firmware, offers: Offers, discover: Datagram) -> Choice:
    """What this client makes of the offers that answered its DISCOVER, in the order of their coming."""
    return _CHOOSERS[firmware](offers, discover)


def gives_address(offer: Datagram) -> bool:
    """Whether the offer is a DHCP server's: it has an address for the client."""
    return len(offer.payload) >= 20 and offer.payload[16:20] != bytes(4)


def _edk2(offers: Offers, discover: Datagram, *, bug_of_2015: bool = False) -> Choice:
    """PxeBcSelectDhcp4Offer with SortOffers, rules 1, 3, 5, 6 and 7."""
    parsed = _parsed(offers, discover, knows_overload=not bug_of_2015)
    of = {kind: [at for at, one in parsed if one.type is kind] for kind in OfferType}
    cached = dict(parsed)
    lease = _first([*of[OfferType.DHCP_PXE10], *of[OfferType.DHCP_BINL], *of[OfferType.DHCP_ONLY]])
    if of[OfferType.DHCP_PXE10]:
        at = of[OfferType.DHCP_PXE10][0]
        return Choice(at, at, edk2.boot_info(cached[at]))
    only = _first(of[OfferType.DHCP_ONLY])
    if only is not None and of[OfferType.PROXY_PXE10] and not bug_of_2015:
        at = of[OfferType.PROXY_PXE10][0]
        return Choice(only, at, edk2_current.selected(cached[at]))
    if of[OfferType.DHCP_BINL]:
        at = of[OfferType.DHCP_BINL][0]
        return Choice(at, at, _binl(cached[at]))
    if only is not None and of[OfferType.PROXY_BINL]:
        at = of[OfferType.PROXY_BINL][0]
        return Choice(only, at, edk2_current.selected(cached[at]))
    for at in of[OfferType.DHCP_ONLY]:
        if cached[at].bootfile:
            return Choice(at, at, edk2.boot_info(cached[at]))
    return Choice(lease, None, Rejected(_why_nothing(offers, lease, of, bug_of_2015)))


def _why_nothing(offers: Offers, lease: int | None, of: dict[OfferType, list[int]], bug_of_2015: bool) -> str:
    if not offers:
        return "PXE-E18: no offer"
    if bug_of_2015 and of[OfferType.PROXY_PXE10]:
        return "PxeBcCacheDhcp4Offer: option 43 has tags 6 to 10, and such an offer is never cached (PXE-E16)"
    if lease is None:
        return "PXE-E51: no DHCP or proxyDHCP offers with an address"
    return "PXE-E53: no boot file in any offer (PXE-E16)"


def _binl(parsed: Parsed) -> Verdict:
    """Rule 5: a DHCP server that says PXEClient is its own boot server, and is asked on port 4011."""
    server = edk2.boot_server(parsed.packet)
    return Accepted(Ask(server)) if server else Rejected("PxeBcRetryBinlOffer: option 54 is a NULL pointer")


def _parsed(offers: Offers, discover: Datagram, *, knows_overload: bool) -> list[tuple[int, Parsed]]:
    found = []
    for at, offer in enumerate(offers):
        one = _received(offer, discover, knows_overload)
        if isinstance(one, Parsed):
            found.append((at, one))
    return found


def _received(offer: Datagram, discover: Datagram, knows_overload: bool) -> Parsed | Rejected:
    """As edk2_current.received; a DHCP server's offer may come to the offered address too."""
    reached = Datagram(offer.src, offer.sport, "255.255.255.255", offer.dport, offer.payload)
    return edk2_current.received(reached if gives_address(offer) else offer, discover, knows_overload=knows_overload)


def _http(offers: Offers, discover: Datagram) -> Choice:
    """The best of: an offer with address and URL, else a lease with a proxy's URL (HttpBootSelectDhcpOffer)."""
    lease = _first([at for at, offer in enumerate(offers) if gives_address(offer)])
    if lease is None:
        return Choice(None, None, Rejected("no DHCP server offers an address" if offers else "no offer"))
    refusal = "no offer has option 60 HTTPClient and a URL"
    for at, offer in enumerate(offers):
        leased = offers[at if gives_address(offer) else lease]
        verdict = edk2_http.offer(_broadcast(offer), discover, lease_has_dns=_has(leased, 6))
        if isinstance(verdict, Accepted):
            return Choice(at if gives_address(offer) else lease, at, verdict)
        if not gives_address(offer):
            refusal = verdict.reason
    return Choice(lease, None, Rejected(refusal))


def _ipxe(offers: Offers, discover: Datagram) -> Choice:
    """dhcp_discovery_rx: the best lease and the best proxy offer, by priority (175.1), a later one of the same wins.

    Discovery ends with the first offer that makes up the pair of both. The lease's settings are below net0, which is
    registered before "proxydhcp": of two file names the DHCP server's counts, unless the proxy has the higher priority.
    """
    heard = offers[: _pair_complete(offers, discover)]
    leases = [(at, _packet(offer)) for at, offer in enumerate(heard) if gives_address(offer)]
    proxies = [(at, offer) for at, offer in enumerate(heard) if not gives_address(offer)]
    lease = _best([(at, ipxe.priority(packet)) for at, packet in leases if packet])
    if lease is None:
        return Choice(None, None, Rejected("no configuration: no DHCP server offers an address"))
    own, ours = ipxe.lease(offers[lease], discover), parse(offers[lease].payload)
    verdicts = {at: ipxe.offer(offer, discover) for at, offer in proxies}
    taken = [(at, ipxe.priority(parse(offers[at].payload))) for at, v in verdicts.items() if isinstance(v, Accepted)]
    proxy = _best(taken)
    stronger = proxy is not None and dict(taken)[proxy] > ipxe.priority(ours)
    if isinstance(own, Accepted) and not stronger:
        return Choice(lease, lease, own)
    if proxy is not None:
        return Choice(lease, proxy, verdicts[proxy])
    refused = next((v for v in verdicts.values() if isinstance(v, Rejected)), own)
    return Choice(lease, None, refused)


def _pair_complete(offers: Offers, discover: Datagram) -> int:
    """How many offers are heard: up to the one that makes up the pair of a lease and a ProxyDHCP offer."""
    lease = proxy = False
    for at, offer in enumerate(offers):
        lease |= gives_address(offer)
        proxy |= not gives_address(offer) and isinstance(ipxe.offer(offer, discover), Accepted)
        if lease and proxy:
            return at + 1
    return len(offers)


def _rom(offers: Offers, discover: Datagram) -> Choice:
    """Steps 3 and 4: a combined server's offer, else a lease with a proxy's, else the file that the lease names."""
    leases = [at for at, offer in enumerate(offers) if gives_address(offer)]
    if not leases:
        return Choice(None, None, Rejected("PXE-E51: no DHCP or proxyDHCP offers" if not offers else "PXE-E51"))
    combined = [at for at in leases if _says_pxe(offers[at])]
    for at in combined:
        verdict = bios_rom.offer(_broadcast(offers[at]), discover)
        if isinstance(verdict, Accepted):
            return Choice(at, at, verdict)
    refusal: Verdict = Rejected("PXE-E53: no boot filename received")
    for at, offer in enumerate(offers):
        if at not in leases:
            refusal = bios_rom.offer(offer, discover)
            if isinstance(refusal, Accepted):
                return Choice(leases[0], at, refusal)
    for at in leases:
        packet = _packet(offers[at])
        if packet is not None and (name := ipxe.filename(packet)) and packet.siaddr != NOWHERE:
            return Choice(at, at, Accepted(Tftp(packet.siaddr, name)))
    return Choice(leases[0], None, refusal)


def _says_pxe(offer: Datagram) -> bool:
    packet = _packet(offer)
    return packet is not None and packet.joined(60) == b"PXEClient"


def _has(offer: Datagram, tag: int) -> bool:
    packet = _packet(offer)
    return packet is not None and packet.first(tag) is not None


def _packet(offer: Datagram) -> Packet | None:
    try:
        return parse(offer.payload)
    except MalformedError:
        return None


def _broadcast(offer: Datagram) -> Datagram:
    """An offer to the address in it reaches the client by its hardware address, as a broadcast does."""
    if not gives_address(offer):
        return offer
    return Datagram(offer.src, offer.sport, "255.255.255.255", offer.dport, offer.payload)


def _first(positions: Sequence[int]) -> int | None:
    return positions[0] if positions else None


def _best(found: Sequence[tuple[int, int]]) -> int | None:
    """The highest priority, the last one of several."""
    return max(reversed(found), key=lambda one: one[1])[0] if found else None


_CHOOSERS: dict[Firmware, Callable[[Offers, Datagram], Choice]] = {
    EDK2: _edk2,
    EDK2_2015: lambda offers, discover: _edk2(offers, discover, bug_of_2015=True),
    EDK2_HTTP: _http,
    IPXE: _ipxe,
    BIOS_ROM: _rom,
}
