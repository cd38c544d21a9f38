"""EDK2 today (and OVMF), IPv4 PXE. tianocore/edk2 NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c."""

from __future__ import annotations

from pxed.probe.oracles import edk2
from pxed.probe.oracles.edk2 import PACKET_MAXIMUM, OfferType, Parsed
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Verdict
from pxed.probe.oracles.wire import Datagram, parse


def offer(reply: Datagram, request: Datagram) -> Verdict:
    """PxeBcDhcp4CallBack Dhcp4RcvdOffer, PxeBcCacheDhcp4Offer, PxeBcSelectDhcp4Offer, PxeBcHandleDhcp4Offer."""
    parsed = received(reply, request)
    if isinstance(parsed, Rejected):
        return parsed
    if len(reply.payload) > PACKET_MAXIMUM:
        return Rejected(f"PxeBcDhcp4CallBack: {len(reply.payload)} bytes are more than {PACKET_MAXIMUM}")
    return selected(parsed)


def ack(reply: Datagram, request: Datagram) -> Verdict:
    """PxeBcRetryBinlOffer: the answer to the REQUEST on port 4011."""
    return edk2.binl_ack(reply, request, parse(request.payload), knows_overload=True)


def received(reply: Datagram, request: Datagram, *, knows_overload: bool = True) -> Parsed | Rejected:
    """Up to PxeBcParseDhcp4Packet: the offer with its type."""
    lost = edk2.delivered_offer(reply)
    if lost is not None:
        return lost
    packet = edk2.input_check(reply.payload, parse(request.payload))
    if isinstance(packet, Rejected):
        return packet
    refused = edk2.select_check(packet)
    if refused is not None:
        return refused
    return edk2.parse_cached(packet, reply.payload, knows_overload=knows_overload)


def selected(parsed: Parsed) -> Verdict:
    """PxeBcSelectDhcp4Offer: a DhcpOnly lease with a ProxyPxe10 (rule 3) or a ProxyBinl (rule 6); else PXE-E16."""
    if parsed.type is OfferType.PROXY_PXE10:
        return edk2.boot_info(parsed)
    if parsed.type is OfferType.PROXY_BINL:
        server = edk2.boot_server(parsed.packet)
        return Accepted(Ask(server)) if server else Rejected("PxeBcRetryBinlOffer: option 54 is a NULL pointer")
    return Rejected(f"PxeBcSelectDhcp4Offer: {parsed.type.value} is not taken beside a lease (PXE-E16)")
