"""What the EDK2 network stack of any age does with a DHCP reply: Dhcp4Dxe below, UefiPxeBcDxe above it.

Modelled from tianocore/edk2, NetworkPkg (earlier MdeModulePkg/Universal/Network): Dhcp4Dxe/Dhcp4Impl.c and
Dhcp4Option.c, UefiPxeBcDxe/PxeBcDhcp4.c and PxeBcBoot.c. A lease from an ordinary DHCP server ("DhcpOnly") is taken to
be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Verdict
from pxed.probe.oracles.wire import COOKIE, HEADER, Datagram, MalformedError, Packet, dotted, parse, text

DISCOVERY_TAGS = frozenset({6, 7, 8, 9, 10})
INTERESTING = (13, 43, 52, 53, 54, 60, 67)  # mInterestedDhcp4Tags
MTFTP_TAGS = frozenset({1, 2, 3, 4, 5})
PACKET_MAXIMUM = 1472  # sizeof EFI_PXE_BASE_CODE_PACKET
BYPASS = 8  # bit 3 of discovery control

# Dhcp4Option.c DhcpOptionFormats, the ones a boot reply may carry: unit, least and most units (0: any number).
FORMATS: dict[int, tuple[int, int, int]] = {
    1: (4, 1, 1), 3: (4, 1, 0), 6: (4, 1, 0), 12: (1, 1, 0), 13: (2, 1, 1), 15: (1, 1, 0), 17: (1, 1, 0), 28: (4, 1, 1),
    43: (1, 1, 0), 50: (4, 1, 1), 51: (4, 1, 1), 52: (1, 1, 1), 53: (1, 1, 1), 54: (4, 1, 1), 57: (2, 1, 1),
    58: (4, 1, 1), 59: (4, 1, 1), 60: (1, 1, 0), 61: (1, 2, 0), 66: (1, 1, 0), 67: (1, 1, 0),
}  # fmt: skip


class OfferType(Enum):
    """PXEBC_OFFER_TYPE."""

    DHCP_ONLY = "DhcpOnly"
    BOOTP = "Bootp"
    DHCP_BINL = "DhcpBinl"
    DHCP_PXE10 = "DhcpPxe10"
    PROXY_BINL = "ProxyBinl"
    PROXY_PXE10 = "ProxyPxe10"
    UNKNOWN_PROXY = "a proxy offer without PXEClient"


@dataclass(frozen=True, slots=True)
class Parsed:
    """PXEBC_DHCP4_PACKET_CACHE: what PxeBcParseDhcp4Packet keeps of a packet."""

    packet: Packet
    type: OfferType
    vendor: dict[int, bytes]
    bootfile: str | None  # None: OptList[BOOTFILE] is NULL

    @property
    def bypasses(self) -> bool:
        control = self.vendor.get(6, b"")
        return bool(control) and bool(control[0] & BYPASS)


def input_check(reply: bytes, asked: Packet) -> Packet | Rejected:
    """Dhcp4Impl.c DhcpInput and PxeDhcpInput, Dhcp4Option.c DhcpValidateOptions: an answer to us, well formed?"""
    try:
        packet = parse(reply)
    except MalformedError as error:
        return Rejected(f"DhcpValidateOptions: {error}")
    if packet.op != 2 or packet.xid != asked.xid:
        return Rejected("DhcpInput: not an answer to our xid")
    if packet.chaddr[: packet.hlen] != asked.chaddr[: packet.hlen]:
        return Rejected("DhcpInput: not our hardware address")
    for tag in {code for code, _ in packet.options}:
        value = packet.joined(tag) or b""
        unit, least, most = FORMATS.get(tag, (1, 0, 0))
        if len(value) % unit or len(value) // unit < least or (most and len(value) // unit > most):
            return Rejected(f"DhcpValidateOptions: option {tag} has a wrong length")
    if packet.first(53) is not None and not 1 <= packet.kind <= 9:
        return Rejected("DhcpGetParameter: option 53 is no message type")
    return packet


def select_check(packet: Packet) -> Rejected | None:
    """Dhcp4Impl.c DhcpHandleSelect: a DHCP message must be an OFFER and name its server. BOOTP (no 53) passes."""
    if packet.kind and packet.kind != 2:
        return Rejected("DhcpHandleSelect: not an OFFER")
    if packet.kind and packet.server in ("", "0.0.0.0"):
        return Rejected("DhcpHandleSelect: an OFFER without server identifier")
    return None


def parse_packet(packet: Packet, *, knows_overload: bool) -> Parsed | Rejected:
    """PxeBcDhcp4.c PxeBcParseDhcp4Packet. `knows_overload`: FileFieldOverloaded, which was added after 2015."""
    is_pxe = (packet.first(60) or b"").startswith(b"PXEClient")
    vendor = vendor_options(packet.first(43) or b"") if is_pxe else {}
    named = packet.first(67)
    bootfile: str | None = None
    if named is not None:
        bootfile = text(named)
    elif packet.file[0] and not (knows_overload and packet.overload & 1):
        if b"\0" not in packet.file:
            return Rejected("PxeBcParseDhcp4Packet: a file field without NUL runs on into the options")
        bootfile = text(packet.file)
    proxy = packet.yiaddr == "0.0.0.0"
    if not packet.kind:
        if bootfile is None:
            return Rejected("PxeBcParseDhcp4Packet: a BOOTP reply (no option 53) without a boot file is discarded")
        return Parsed(packet, OfferType.BOOTP, vendor, bootfile)
    if DISCOVERY_TAGS & vendor.keys():
        return Parsed(packet, OfferType.PROXY_PXE10 if proxy else OfferType.DHCP_PXE10, vendor, bootfile)
    if vendor.keys() >= MTFTP_TAGS:
        return Rejected("PxeBcParseDhcp4Packet: WfM 1.1a, multicast TFTP is not supported")
    if is_pxe:
        return Parsed(packet, OfferType.PROXY_BINL if proxy else OfferType.DHCP_BINL, vendor, bootfile)
    return Parsed(packet, OfferType.UNKNOWN_PROXY if proxy else OfferType.DHCP_ONLY, vendor, bootfile)


def parse_cached(packet: Packet, raw: bytes, *, knows_overload: bool) -> Parsed | Rejected:
    """parse_packet, and what its NUL leaves of the packet for those who read it later."""
    lost = lost_to_nul(raw)
    if lost:
        return Rejected(f"the NUL behind option 67 destroys option {lost[0]}")
    return parse_packet(packet, knows_overload=knows_overload)


def vendor_options(data: bytes) -> dict[int, bytes]:
    """PxeBcDhcp4.c PxeBcParseVendorOptions: tag, length, value until End or the option's end, unchecked."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != 255:
        tag = data[at]
        if tag == 0:
            at += 1
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        found[tag] = data[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def lost_to_nul(raw: bytes) -> list[int]:
    """The options that read otherwise after PxeBcParseDhcp4Packet put a NUL behind an option 67 that had none.

    They were found before the NUL was written. But the cached packet is parsed again (PxeBcCopyProxyOffer) and handed
    to the boot program (Mode->ProxyOffer): the tag that was overwritten is a pad then, its length a tag, and so on.
    """
    options = bytearray(raw[HEADER + len(COOKIE) :])
    at = _find(options, 67)
    if at is None:
        return []
    before = {tag: _value(options, tag) for tag in INTERESTING}
    end = at + 2 + options[at + 1]
    if options[end - 1] != 0 and end < len(options):
        options[end] = 0
    return sorted(tag for tag in INTERESTING if _value(options, tag) != before[tag])


def _find(options: bytes | bytearray, tag: int) -> int | None:
    """PxeBcParseDhcp4Options: where the option begins; lengths are not checked."""
    at = 0
    while at + 1 < len(options) and options[at] != 255:
        if options[at] == tag:
            return at
        at += 1 if options[at] == 0 else 2 + options[at + 1]
    return None


def _value(options: bytes | bytearray, tag: int) -> bytes | None:
    at = _find(options, tag)
    return None if at is None else bytes(options[at + 2 : at + 2 + options[at + 1]])


def boot_server(packet: Packet) -> str:
    """PxeBcDhcp4.c PxeBcRetryBinlOffer: siaddr, else option 54, whose pointer is not checked for NULL."""
    return packet.siaddr if packet.siaddr != "0.0.0.0" else packet.server


def boot_info(parsed: Parsed) -> Verdict:
    """PxeBcBoot.c PxeBcSelectBootPrompt, PxeBcSelectBootMenu, PxeBcDhcp4BootInfo: where to get which file from."""
    pxe10 = parsed.type in (OfferType.PROXY_PXE10, OfferType.DHCP_PXE10)
    if pxe10 and not (parsed.bypasses and parsed.bootfile is not None):
        return _menu(parsed)
    if not parsed.bootfile:
        return Rejected("PxeBcDhcp4BootInfo: no boot file name")
    server = _listed_server(parsed) if parsed.bypasses else ""
    server = server or boot_server(parsed.packet)
    if not server:
        return Rejected("PxeBcDhcp4BootInfo: no siaddr, and option 54 is read through a NULL pointer")
    return Accepted(Tftp(server, parsed.bootfile))


def _listed_server(parsed: Parsed) -> str:
    """The first entry of 43.8: type (2), count (1), addresses."""
    servers = parsed.vendor.get(8, b"")
    return dotted(servers[3:7]) if len(servers) >= 7 and servers[2] else ""


def _menu(parsed: Parsed) -> Verdict:
    """No key is pressed: after the prompt's time the menu's first item. Without a menu the type stays 0, local boot."""
    menu = parsed.vendor.get(9, b"")
    item = int.from_bytes(menu[:2], "big") if len(menu) >= 3 else 0
    if item == 0:
        return Rejected("PxeBcDiscoverBootFile: discovery without a boot menu means local boot")
    servers = parsed.vendor.get(8, b"")
    at = 0
    while at + 7 <= len(servers):
        if int.from_bytes(servers[at : at + 2], "big") == item and servers[at + 2]:
            return Accepted(Ask(dotted(servers[at + 3 : at + 7]), item))
        at += 3 + 4 * servers[at + 2]
    return Rejected(f"PxeBcExtractDiscoverInfo: no boot server of type {item:#06x} in 43.8")


def delivered_offer(reply: Datagram) -> Rejected | None:
    """The client has no address yet: only a broadcast to port 68 reaches it (Dhcp4Dxe binds 0.0.0.0:68)."""
    if (reply.dst, reply.dport) != ("255.255.255.255", 68):
        return Rejected(f"a reply to {reply.dst}:{reply.dport} does not reach a client without an address")
    return None


def delivered_ack(reply: Datagram, request: Datagram) -> Rejected | None:
    """PxeBcDhcp4Discover: one listen point, StationIp:4011, where it asked from; no broadcasts there."""
    if (reply.dst, reply.dport) != (request.src, request.sport):
        return Rejected(f"PxeBcDhcp4Discover listens on {request.src}:{request.sport}, not {reply.dst}:{reply.dport}")
    return None


def binl_ack(reply: Datagram, request: Datagram, asked: Packet, *, knows_overload: bool) -> Verdict:
    """PxeBcDhcp4.c PxeBcRetryBinlOffer after PxeBcDhcp4Discover: the answer from port 4011."""
    lost = delivered_ack(reply, request)
    if lost is not None:
        return lost
    packet = input_check(reply.payload, asked)
    if isinstance(packet, Rejected):
        return packet
    parsed = parse_cached(packet, reply.payload, knows_overload=knows_overload)
    if isinstance(parsed, Rejected):
        return parsed
    if parsed.type is not OfferType.PROXY_PXE10 and parsed.bootfile is None:
        return Rejected("PxeBcRetryBinlOffer: no boot file name in the answer")
    return boot_info(parsed)
