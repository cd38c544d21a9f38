"""A BIOS boot ROM that follows Intel's "Preboot Execution Environment 2.1" to the letter.

2.2.3 (the steps of the protocol) and 2.4 with its tables (the options). Where ROMs in the field are milder, the
specification counts: a reply that passes here passes there.
"""

from __future__ import annotations

from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Verdict
from pxed.probe.oracles.wire import Datagram, MalformedError, Packet, dotted, flaw, options_in, parse, text

NOWHERE = "0.0.0.0"
BYPASS = 8


def offer(reply: Datagram, request: Datagram) -> Verdict:
    """2.2.3 step 2 and 3: a ProxyDHCPOFFER, and what discovery control (43.6) makes of it."""
    if (reply.dst, reply.dport) != ("255.255.255.255", 68):
        return Rejected(f"a reply to {reply.dst}:{reply.dport} does not reach a ROM without an address")
    packet = _checked(reply, request, 2)
    if isinstance(packet, Rejected):
        return packet
    vendor = vendor_options(packet)
    if isinstance(vendor, Rejected):
        return vendor
    if 6 not in vendor:
        return _ask(packet, vendor)
    if len(vendor[6]) != 1:
        return Rejected("2.4: discovery control (43.6) is one byte")
    if not vendor[6][0] & BYPASS:
        return _ask(packet, vendor)
    return _fetch(packet)


def ack(reply: Datagram, request: Datagram) -> Verdict:
    """2.2.3 step 5 and 6: the boot server's ACK goes to the port that asked, from 4011, with the boot item echoed."""
    if (reply.dst, reply.dport) != (request.src, request.sport):
        return Rejected(f"it asked from {request.src}:{request.sport}, the reply went to {reply.dst}:{reply.dport}")
    if reply.sport != 4011:
        return Rejected(f"a boot server answers from 4011, not {reply.sport}")
    packet = _checked(reply, request, 5)
    if isinstance(packet, Rejected):
        return packet
    vendor = vendor_options(packet)
    if isinstance(vendor, Rejected):
        return vendor
    asked = vendor_options(parse(request.payload))
    wanted = asked.get(71) if isinstance(asked, dict) else None
    if vendor.get(71) != wanted:
        return Rejected("2.4: the boot item (43.71) is not the one asked for")
    return _fetch(packet)


def vendor_options(packet: Packet) -> dict[int, bytes] | Rejected:
    """2.4: option 43 is a list of encapsulated options and its last is PXE_END (255)."""
    data = packet.joined(43)
    if data is None:
        return {}
    try:
        return dict(options_in(data, "option 43"))
    except MalformedError as error:
        return Rejected(f"PXE-E77: {error}")


def _checked(reply: Datagram, request: Datagram, kind: int) -> Packet | Rejected:
    """Tables 2-3 to 2-7: 53, 54, 60 "PXEClient", 97 echoed; RFC 2131 for the rest."""
    asked = parse(request.payload)
    try:
        packet = parse(reply.payload)
    except MalformedError as error:
        return Rejected(str(error))
    wrong = flaw(packet, asked)
    if wrong:
        return Rejected(wrong)
    if packet.kind != kind:
        return Rejected(f"option 53 is {packet.kind}, not {kind}")
    if packet.server in ("", NOWHERE):
        return Rejected("no server identifier (54)")
    if packet.joined(60) != b"PXEClient":
        return Rejected('option 60 is not "PXEClient"')
    identifier = asked.joined(97)
    if identifier is not None and len(identifier) == 17 and identifier[0] == 0 and packet.joined(97) != identifier:
        return Rejected("the client machine identifier (97) is not echoed")
    return packet


def _ask(packet: Packet, vendor: dict[int, bytes]) -> Verdict:
    """No discovery control: the server that sent PXEClient is asked on 4011. A menu: a boot server of its list is."""
    if 9 in vendor:
        servers, menu = vendor.get(8, b""), vendor[9]
        if len(servers) < 7 or len(menu) < 3:
            return Rejected("PXE-E74: a menu without a boot server list")
        return Accepted(Ask(dotted(servers[3:7]), int.from_bytes(menu[:2], "big")))
    return Accepted(Ask(packet.server))


def _fetch(packet: Packet) -> Verdict:
    """The file field, or option 67 where option 52 took the field (RFC 2132 9.3); the server is siaddr."""
    named = packet.first(67) if packet.overload & 1 or not packet.file[0] else packet.file
    name = text(named or b"")
    if not name:
        return Rejected("PXE-E53: no boot filename received")
    if len(name) > 127 or "://" in name:
        return Rejected(f"a ROM fetches by TFTP and knows no URL: {name!r}")
    if packet.siaddr == NOWHERE:
        return Rejected("PXE-E32: no next server (siaddr)")
    return Accepted(Tftp(packet.siaddr, name))
