"""A DHCP relay agent: what it takes from a server and what it sends on. RFC 2131 4.1, RFC 1542 4.1.2, RFC 3046 2.1."""

from __future__ import annotations

from dataclasses import replace

from pxed.probe.oracles.verdict import Rejected
from pxed.probe.oracles.wire import COOKIE, HEADER, Datagram, MalformedError, parse

RELAY_AGENT_INFORMATION = 82


def relayed(discover: bytes, *, giaddr: bytes, information: bytes | None = None, hops: int = 1) -> bytes:
    """The request as the agent passes it to the server: giaddr set, hops counted, option 82 put last."""
    body = bytearray(discover)
    body[3] = hops
    body[24:28] = giaddr
    if information is None:
        return bytes(body)
    end = _end(bytes(body))
    return bytes(body[:end]) + bytes([RELAY_AGENT_INFORMATION, len(information)]) + information + b"\xff"


def forward(reply: Datagram, request: Datagram) -> Datagram | Rejected:
    """What reaches the client's link, or why nothing does."""
    asked = parse(request.payload)
    try:
        packet = parse(reply.payload)
    except MalformedError as error:
        return Rejected(str(error))
    if (reply.dst, reply.dport) != (asked.giaddr, 67):
        return Rejected(f"the agent listens on {asked.giaddr}:67, the reply went to {reply.dst}:{reply.dport}")
    if packet.op != 2 or packet.giaddr != asked.giaddr or packet.chaddr != asked.chaddr or packet.xid != asked.xid:
        return Rejected("RFC 2131 4.3.1: op, giaddr, chaddr and xid do not fit the request")
    if packet.hops not in (0, asked.hops):
        return Rejected("RFC 2131 4.3.1: hops is neither 0 nor the request's")
    information = asked.joined(RELAY_AGENT_INFORMATION)
    if packet.joined(RELAY_AGENT_INFORMATION) != information:
        return Rejected("RFC 3046 2.2: option 82 is not echoed")
    payload = reply.payload
    if information is not None:
        if packet.options[-1][0] != RELAY_AGENT_INFORMATION:
            return Rejected("RFC 3046 2.2: option 82 is not the last option")
        payload = _without_last_option(payload, information)
    if not packet.broadcast and packet.yiaddr == "0.0.0.0":
        # A ProxyDHCP server assigns no address, so that the agent has none to send to. dnsmasq sets the flag in every
        # proxy offer, also where the client had not (tests/data/captures/bios-ipxe-rom-dnsmasq.pcap).
        return Rejected("RFC 2131 4.1: no broadcast flag and no yiaddr: the agent cannot reach the client")
    return replace(reply, dst="255.255.255.255", dport=68, payload=payload)


def _end(raw: bytes) -> int:
    at = HEADER + len(COOKIE)
    while raw[at] != 255:
        at += 1 if raw[at] == 0 else 2 + raw[at + 1]
    return at


def _without_last_option(raw: bytes, value: bytes) -> bytes:
    end = _end(raw)
    return (raw[: end - 2 - len(value)] + b"\xff").ljust(300, b"\0")
