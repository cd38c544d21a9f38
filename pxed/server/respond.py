"""From a DHCP datagram to its reply: decode, read, decide, encode. No I/O: the wire and `pxed explain` share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pxed.boot.course import Detour
from pxed.boot.decide import NO_DETOURS, Discovery, Ignore, Offer, decide
from pxed.boot.endpoint import Endpoint
from pxed.dhcp.codes import MessageType
from pxed.dhcp.message import Message, decode
from pxed.dhcp.pxe import HTTP_CLIENT, PXE_CLIENT, BootRequest, NoBootRequest, Stage, boot_request
from pxed.dhcp.reply import BYPASS, RASPBERRY_PI, Answer, destination, encode_reply, packed, vendor_options
from pxed.inventory.model import Inventory

_DISCOVERY_OPTIONS = {Discovery.NONE: b"", Discovery.BYPASS: BYPASS, Discovery.RASPBERRY_PI: RASPBERRY_PI}


class Outcome(NamedTuple):
    """What a datagram led to. `reply` is None for silence."""

    message: Message
    request: BootRequest | None  # None when the message asks for nothing that pxed gives
    decision: Offer | Ignore
    reply: bytes | None = None
    destination: tuple[str, int] = ("", 0)


def respond(
    inventory: Inventory,
    datagram: bytes,
    port: int,
    source: tuple[str, int],
    endpoint: Endpoint,
    detours: Mapping[str, Detour] = NO_DETOURS,
) -> Outcome:
    """The outcome of a datagram that reached `port` (67 or 4011) at `endpoint`. Raises DecodeError and nothing else."""
    message = decode(datagram)
    request = boot_request(message, port)
    if isinstance(request, NoBootRequest):
        return Outcome(message, None, Ignore(request.reason, wanted=False))
    decision = decide(inventory, request, endpoint, detours)
    if isinstance(decision, Ignore):
        return Outcome(message, request, decision)
    reply = encode_reply(message, answer(decision, request))
    return Outcome(message, request, decision, reply, destination(message, source, port))


def answer(offer: Offer, request: BootRequest) -> Answer:
    """The offer in DHCP's terms."""
    return Answer(
        MessageType.ACK if offer.acknowledge else MessageType.OFFER,
        packed(offer.address),
        HTTP_CLIENT if offer.client.stage is Stage.HTTP else PXE_CLIENT,
        offer.plan.file,
        vendor_options(_DISCOVERY_OPTIONS[offer.plan.discovery], request.boot_item if offer.acknowledge else None),
    )
