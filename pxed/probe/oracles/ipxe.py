"""iPXE, beside an ordinary lease. ipxe/ipxe src/net/udp/dhcp.c, src/net/dhcppkt.c, src/usr/autoboot.c, pxemenu.c."""

from __future__ import annotations

from pxed.probe.oracles.edk2 import vendor_options
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Url, Verdict
from pxed.probe.oracles.wire import Datagram, MalformedError, Packet, dotted, parse, text

BOOTPS, PXE = 67, 4011
SKIP = 8  # PXEBS_SKIP
NOWHERE = "0.0.0.0"


def offer(reply: Datagram, request: Datagram) -> Verdict:
    """dhcp_deliver, dhcp_discovery_rx, then what dhcp_request_rx does with the proxy offer once there is a lease."""
    packet = _deliver(reply, request)
    if isinstance(packet, Rejected):
        return packet
    if not (packet.first(60) or b"").startswith(b"PXEClient"):
        return Rejected("dhcp_discovery_rx: option 60 does not begin with PXEClient")
    if priority(packet) < 0:
        return Rejected("dhcp_discovery_rx: a negative priority (175.1) never wins")
    if has_pxeopts(packet):
        return _boot(packet)
    return Accepted(Ask(pseudo_id(packet, reply)))


def lease(reply: Datagram, request: Datagram) -> Verdict:
    """What the DHCP server's own offer says of a boot file, when no ProxyDHCP offer is there."""
    to = request.src if reply.dst == "255.255.255.255" else reply.dst
    packet = _deliver(reply, Datagram(to, request.sport, request.dst, request.dport, request.payload))
    return packet if isinstance(packet, Rejected) else _boot(packet)


def ack(reply: Datagram, request: Datagram, offered: Datagram) -> Verdict:
    """dhcp_proxy_rx: from port 4011, OFFER or ACK, the same pseudo id as the offer's, and with a file or a menu."""
    packet = _deliver(reply, request)
    if isinstance(packet, Rejected):
        return packet
    if reply.sport != PXE:
        return Rejected(f"dhcp_proxy_rx: from port {reply.sport}, not 4011")
    if packet.kind not in (2, 5):
        return Rejected("dhcp_proxy_rx: neither OFFER nor ACK")
    chosen = pseudo_id(parse(offered.payload), offered)
    if pseudo_id(packet, reply) != chosen:
        return Rejected(f"dhcp_proxy_rx: pseudo id {pseudo_id(packet, reply)}, the offer's was {chosen}")
    if not has_pxeopts(packet):
        return Rejected("dhcp_proxy_rx: no next-server with a boot file, and no menu")
    return _boot(packet)


def boot_server_ack(reply: Datagram, request: Datagram) -> Verdict:
    """dhcp_pxebs_rx: the answer to a boot item (43.71), from 67 or 4011, for the same item."""
    packet = _deliver(reply, request)
    if isinstance(packet, Rejected):
        return packet
    if reply.sport not in (BOOTPS, PXE):
        return Rejected(f"dhcp_pxebs_rx: from port {reply.sport}")
    if packet.kind != 5:
        return Rejected("dhcp_pxebs_rx: not an ACK")
    wanted = vendor_options(parse(request.payload).first(43) or b"").get(71, b"")[:2]
    if vendor_options(packet.first(43) or b"").get(71, b"")[:2] != wanted:
        return Rejected(f"dhcp_pxebs_rx: not for boot item {wanted.hex()}")
    return _boot(packet)


def priority(packet: Packet) -> int:
    """175.1, signed. A later offer wins over an earlier one from the same priority on (`>=`)."""
    value = vendor_options(packet.first(175) or b"").get(1) or b"\0"
    return int.from_bytes(value[:1], "big", signed=True)


def pseudo_id(packet: Packet, reply: Datagram) -> str:
    """dhcp_deliver: option 54, else siaddr, else where it came from."""
    return next(address for address in (packet.server, packet.siaddr, reply.src) if address not in ("", NOWHERE))


def has_pxeopts(packet: Packet) -> bool:
    """dhcp_has_pxeopts: a next-server and a boot file, or a menu (43.9)."""
    return (packet.siaddr != NOWHERE and bool(filename(packet))) or bool(_menu(packet))


def filename(packet: Packet) -> str:
    """dhcppkt_fetch: the file field if it is filled, else option 67. iPXE knows no option overload (52)."""
    return text(packet.file) or text(packet.first(67) or b"")


def _menu(packet: Packet) -> bytes:
    return vendor_options(packet.first(43) or b"").get(9, b"")


def _deliver(reply: Datagram, request: Datagram) -> Packet | Rejected:
    """dhcp_deliver: xid and hardware address; and the UDP layer: port 68, broadcast or its own address."""
    asked = parse(request.payload)
    if reply.dport != 68 or reply.dst not in ("255.255.255.255", request.src) or reply.dst == NOWHERE:
        return Rejected(f"a reply to {reply.dst}:{reply.dport} does not reach it")
    try:
        packet = parse(reply.payload)
    except MalformedError as error:
        return Rejected(str(error))
    if packet.xid != asked.xid:
        return Rejected("dhcp_deliver: bad transaction ID")
    if packet.chaddr[: asked.hlen] != asked.chaddr[: asked.hlen]:
        return Rejected("dhcp_deliver: bad chaddr")
    return packet


def _boot(packet: Packet) -> Verdict:
    """have_pxe_menu (a menu without SKIP goes before the file), then fetch_next_server_and_filename."""
    vendor = vendor_options(packet.first(43) or b"")
    control = vendor.get(6) or b"\0"
    skip = bool(control[0] & SKIP) and bool(filename(packet))
    if packet.first(60) == b"PXEClient" and _menu(packet) and not skip:
        servers = vendor.get(8, b"")
        server = dotted(servers[3:7]) if len(servers) >= 7 else packet.siaddr
        return Accepted(Ask(server, int.from_bytes(_menu(packet)[:2], "big")))
    name = filename(packet)
    if not name:
        return Rejected("Nothing to boot: no file name")
    if "://" in name:
        return Accepted(Url(name))
    if packet.siaddr == NOWHERE:
        return Rejected("Nothing to boot: no next-server")
    return Accepted(Tftp(packet.siaddr, name))
