"""UEFI HTTP Boot of EDK2, IPv4, beside an ordinary lease. tianocore/edk2 NetworkPkg/HttpBootDxe/HttpBootDhcp4.c."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from pxed.probe.oracles import edk2
from pxed.probe.oracles.edk2 import PACKET_MAXIMUM
from pxed.probe.oracles.verdict import Accepted, Rejected, Url, Verdict
from pxed.probe.oracles.wire import Datagram, Packet, parse, text


def offer(reply: Datagram, request: Datagram, *, lease_has_dns: bool = False) -> Verdict:
    """HttpBootDhcp4CallBack, HttpBootParseDhcp4Packet, HttpBootSelectDhcpOffer ("corporate environment").

    It too writes a NUL behind an option 67 without one, but reads the packet no second time: an offer with option 97
    right behind option 67 was taken (tests/data/captures/uefi-httpboot-proxy.pcap).
    """
    lost = edk2.delivered_offer(reply)
    if lost is not None:
        return lost
    packet = edk2.input_check(reply.payload, parse(request.payload))
    if isinstance(packet, Rejected):
        return packet
    refused = edk2.select_check(packet)
    if refused is not None:
        return refused
    if len(reply.payload) > PACKET_MAXIMUM:
        return Rejected("HttpBootDhcp4CallBack: more than 1472 bytes")
    if not (packet.first(60) or b"").startswith(b"HTTPClient"):
        return Rejected("HttpBootParseDhcp4Packet: a proxy offer without HTTPClient is discarded")
    return _url(_boot_uri(packet), lease_has_dns)


def _boot_uri(packet: Packet) -> str:
    """Option 67, else the file field unless it is overloaded."""
    named = packet.first(67)
    if named is not None:
        return text(named)
    return "" if packet.overload & 1 else text(packet.file)


def _url(uri: str, lease_has_dns: bool) -> Verdict:
    """HttpParseUrl, HttpUrlGetIp4: a name needs a lease with DNS (priority 5), an address goes with any (3 and 4)."""
    if not uri:
        return Rejected("HttpBootParseDhcp4Packet: an HTTP offer must have a boot URI")
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
        return Rejected(f"HttpParseUrl: {uri!r} is not an absolute URL of a file")
    try:
        IPv4Address(parts.hostname)
    except AddressValueError:
        if not lease_has_dns:
            return Rejected("HttpBootSelectDhcpOffer: a host name, and the lease has no DNS server")
    return Accepted(Url(uri))
