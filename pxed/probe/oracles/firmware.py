"""The oracles under one roof, and a whole conversation: DISCOVER, OFFER, perhaps a REQUEST to port 4011 and its ACK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pxed.probe.oracles import bios_rom, edk2_2015, edk2_current, edk2_http, ipxe
from pxed.probe.oracles.clients import Client
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Verdict
from pxed.probe.oracles.wire import Datagram

Responder = Callable[[Datagram], Datagram | None]


@dataclass(frozen=True, slots=True)
class Firmware:
    """How one client takes an offer, and the answer (reply, request, the offer before it) of a boot server."""

    name: str
    offer: Callable[[Datagram, Datagram], Verdict]
    ack: Callable[[Datagram, Datagram, Datagram], Verdict]
    names_server: bool = False  # whether it puts option 54 into the REQUEST to 4011

    def __str__(self) -> str:
        return self.name


def _http_asks_nobody(reply: Datagram, request: Datagram, offered: Datagram) -> Verdict:
    return Rejected("HttpBootDxe never asks port 4011")


EDK2_2015 = Firmware("EDK2 of 2015", edk2_2015.offer, lambda reply, request, _: edk2_2015.ack(reply, request))
EDK2 = Firmware("EDK2", edk2_current.offer, lambda reply, request, _: edk2_current.ack(reply, request))
EDK2_HTTP = Firmware("EDK2 HTTP Boot", edk2_http.offer, _http_asks_nobody)
IPXE = Firmware("iPXE", ipxe.offer, ipxe.ack, names_server=True)
BIOS_ROM = Firmware("PXE 2.1 ROM", bios_rom.offer, lambda reply, request, _: bios_rom.ack(reply, request))


def boot(client: Client, firmware: Firmware, responder: Responder) -> Verdict:
    """What the client does in the end: Accepted holds the file or URL it fetches."""
    discover = client.discover()
    offered = responder(discover)
    if offered is None:
        return Rejected("PXE-E18: no offer")
    verdict = firmware.offer(offered, discover)
    if not (isinstance(verdict, Accepted) and isinstance(verdict.next, Ask)):
        return verdict
    request = client.ask(verdict.next.server, item=verdict.next.item, names_server=firmware.names_server)
    answer = responder(request)
    if answer is None:
        return Rejected(f"PXE-E55: no answer from {verdict.next.server}:4011")
    if firmware is IPXE and verdict.next.item is not None:
        return ipxe.boot_server_ack(answer, request)
    return firmware.ack(answer, request, offered)
