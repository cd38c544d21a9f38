"""EDK2 of 2015 to 2017 (UDK2014.SP1, UDK2015; Skylake-era Dell, HP, Supermicro): the inverted test.

tianocore/edk2 commit 04d8e5f06e68 NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c; the same in MdeModulePkg's PxeBcDhcp.c.
"""

from __future__ import annotations

from pxed.probe.oracles import edk2, edk2_current
from pxed.probe.oracles.edk2 import OfferType
from pxed.probe.oracles.verdict import Rejected, Verdict
from pxed.probe.oracles.wire import Datagram, parse


def offer(reply: Datagram, request: Datagram) -> Verdict:
    """PxeBcCacheDhcp4Offer: a ProxyPxe10 is kept only if one was kept before (`OfferCount > 0`), so never."""
    parsed = edk2_current.received(reply, request, knows_overload=False)
    if isinstance(parsed, Rejected):
        return parsed
    if parsed.type is OfferType.PROXY_PXE10:
        return Rejected("PxeBcCacheDhcp4Offer: option 43 has tags 6 to 10, and such an offer is never cached (PXE-E16)")
    return edk2_current.selected(parsed)


def ack(reply: Datagram, request: Datagram) -> Verdict:
    """PxeBcRetryBinlOffer."""
    return edk2.binl_ack(reply, request, parse(request.payload), knows_overload=False)
