"""Every reply that pxed can emit is accepted by every oracle of its client class, and is that of the reply matrix."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from pxed.inventory.model import Inventory
from pxed.probe.capture import read
from pxed.probe.oracles import clients, ipxe
from pxed.probe.oracles.clients import Client, address
from pxed.probe.oracles.firmware import BIOS_ROM, EDK2, EDK2_2015, EDK2_HTTP, IPXE, Firmware, boot
from pxed.probe.oracles.relay import forward, relayed
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Url
from pxed.probe.oracles.wire import Datagram, Packet, flaw, options_in, parse, text
from tests.dhcp.responder import BYPASS, NONE, PLAIN, SERVER, STRANGER, URL, inventory, pxed

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
LISTED = inventory()
HELD = inventory(unknown="hold")
ROM = clients.bios_rom()
FETCHES_SCRIPT = Accepted(Url(f"{URL}/boot.ipxe"))


def by_tftp(file: str) -> Accepted:
    return Accepted(Tftp(SERVER, file))


def by_http(file: str) -> Accepted:
    return Accepted(Url(f"{URL}/loaders/{file}"))


EFI = (EDK2, EDK2_2015)
KINDS: dict[str, tuple[Client, tuple[Firmware, ...], Accepted]] = {
    "BIOS ROM": (ROM, (BIOS_ROM,), by_tftp("undionly.kpxe")),
    "BIOS ROM with a bare PXEClient": (ROM.changed(60, b"PXEClient", "bare"), (BIOS_ROM,), by_tftp("undionly.kpxe")),
    "BIOS ROM without option 93": (ROM.without(93), (BIOS_ROM,), by_tftp("undionly.kpxe")),
    "EFI IA32 (6)": (clients.efi(6), EFI, by_tftp("snponly-i386.efi")),
    "EFI x64 (7)": (clients.efi(7), EFI, by_tftp("snponly.efi")),
    "EFI x64 as EBC (9)": (clients.efi(9), EFI, by_tftp("snponly.efi")),
    "EFI ARM32 (10)": (clients.efi(10), EFI, by_tftp("snponly-arm32.efi")),
    "EFI ARM64 (11)": (clients.efi(11), EFI, by_tftp("snponly-arm64.efi")),
    "EFI with 7 and 9": (clients.efi(7).changed(93, b"\0\7\0\x09", "list"), EFI, by_tftp("snponly.efi")),
    "EFI with an unknown number first": (
        clients.efi(7).changed(93, b"\0\x63\0\x0b", "list"),
        EFI,
        by_tftp("snponly-arm64.efi"),
    ),
    "EFI whose option 60 names another architecture": (
        clients.efi(11).changed(60, b"PXEClient:Arch:00000:UNDI:003000", "lies"),
        EFI,
        by_tftp("snponly-arm64.efi"),
    ),
    "HTTP Boot IA32 (15)": (clients.efi_http(15), (EDK2_HTTP,), by_http("snponly-i386.efi")),
    "HTTP Boot x64 (16)": (clients.efi_http(16), (EDK2_HTTP,), by_http("snponly.efi")),
    "HTTP Boot ARM32 (18)": (clients.efi_http(18), (EDK2_HTTP,), by_http("snponly-arm32.efi")),
    "HTTP Boot ARM64 (19)": (clients.efi_http(19), (EDK2_HTTP,), by_http("snponly-arm64.efi")),
    "HTTP Boot BIOS (20)": (clients.efi_http(20), (EDK2_HTTP,), by_http("undionly.kpxe")),
    "iPXE BIOS": (clients.ipxe(0), (IPXE,), FETCHES_SCRIPT),
    "iPXE EFI": (clients.ipxe(7), (IPXE,), FETCHES_SCRIPT),
    "iPXE with an RFC 3004 user class": (clients.ipxe(7, user_class=b"\4iPXE"), (IPXE,), FETCHES_SCRIPT),
    "iPXE as the second RFC 3004 user class": (clients.ipxe(7, user_class=b"\1x\4iPXE"), (IPXE,), FETCHES_SCRIPT),
    "iPXE told by its user class only": (clients.ipxe(7).without(175), (IPXE,), FETCHES_SCRIPT),
    "iPXE told by an RFC 3004 user class only": (
        clients.ipxe(7, user_class=b"\4iPXE").without(175),
        (IPXE,),
        FETCHES_SCRIPT,
    ),
    "iPXE told by option 175 only (FlexBoot)": (clients.ipxe(7, user_class=None), (IPXE,), FETCHES_SCRIPT),
    "iPXE with its parent's user class": (clients.ipxe(0, user_class=b"PXEClient"), (IPXE,), FETCHES_SCRIPT),
    "iPXE that says a bare PXEClient": (clients.ipxe(0, vendor_class=b"PXEClient"), (IPXE,), FETCHES_SCRIPT),
    "iPXE without HTTP (VirtualBox)": (
        clients.ipxe(0).changed(175, b"\x18\1\1", "no HTTP"),
        (IPXE,),
        Accepted(Url(f"tftp://{SERVER}/undionly.kpxe")),
    ),
}  # fmt: skip
CASES = [
    pytest.param(client, firmware, end, id=f"{name} / {firmware}")
    for name, (client, firmwares, end) in KINDS.items()
    for firmware in firmwares
]
IDENTIFIERS = {
    "option 97 as it should be": lambda client: client,
    "no option 97": lambda client: client.without(97),
    "option 97 of 16 bytes": lambda client: client.changed(97, clients.UUID, "odd 97"),
    "option 97 of an unknown type": lambda client: client.changed(97, b"\1" + clients.UUID, "odd 97"),
    "an empty option 97": lambda client: client.changed(97, b"", "odd 97"),
}


@pytest.mark.parametrize(("client", "firmware", "end"), CASES)
@pytest.mark.parametrize("identity", IDENTIFIERS.values(), ids=IDENTIFIERS)
@pytest.mark.parametrize("broadcast", [True, False], ids=["broadcast flag", "no broadcast flag"])
def test_every_client_gets_to_its_file(client, firmware, end, identity, broadcast) -> None:  # type: ignore[no-untyped-def]
    assert boot(identity(replace(client, broadcast=broadcast)), firmware, pxed(LISTED)) == end


@pytest.mark.parametrize(("client", "firmware", "end"), CASES)
def test_a_held_stranger_gets_the_same(client: Client, firmware: Firmware, end: Accepted) -> None:
    assert boot(replace(client, mac=STRANGER), firmware, pxed(HELD)) == end


@pytest.mark.parametrize(("client", "firmware", "end"), CASES)
def test_opt43_none_works_for_all(client: Client, firmware: Firmware, end: Accepted) -> None:
    assert boot(replace(client, mac=NONE), firmware, pxed(LISTED)) == end


@pytest.mark.parametrize(("client", "firmware", "end"), [case for case in CASES if case.values[1] is not EDK2_2015])
def test_opt43_bypass_works_for_all_but_efi_of_2015(client: Client, firmware: Firmware, end: Accepted) -> None:
    assert boot(replace(client, mac=BYPASS), firmware, pxed(LISTED)) == end


def test_opt43_bypass_is_lost_on_efi_of_2015_and_so_it_is_no_default() -> None:
    verdict = boot(replace(clients.efi(7), mac=BYPASS), EDK2_2015, pxed(LISTED))
    assert isinstance(verdict, Rejected)
    assert "never cached" in verdict.reason


def test_bypass_saves_current_efi_the_question_on_4011() -> None:
    discover = replace(clients.efi(7), mac=BYPASS).discover()
    assert EDK2.offer(answered(discover), discover) == by_tftp("snponly.efi")
    plain = clients.efi(7).discover()
    assert EDK2.offer(answered(plain), plain) == Accepted(Ask(SERVER))


def test_a_rom_that_asks_4011_all_the_same_is_answered() -> None:
    """Intel UNDI PXE-2.0 build 071 does (netboot issue 132)."""
    for client, firmware in ((ROM, BIOS_ROM), (clients.ipxe(0), IPXE), (clients.efi(7), EDK2)):
        offer = answered(client.discover())
        request = client.ask(SERVER, names_server=firmware.names_server)
        assert isinstance(firmware.ack(answered(request), request, offer), Accepted)


@pytest.mark.parametrize("item", [0x0000, 0x8000, 0x8004])
def test_a_boot_item_is_echoed(item: int) -> None:
    request = ROM.ask(SERVER, item=item)
    assert BIOS_ROM.ack(answered(request), request, request) == by_tftp("undionly.kpxe")
    request = clients.efi(7).ask(SERVER, item=item)
    assert vendor_tags(parse(answered(request).payload)) == {71: struct.pack("!HH", item, 0)}
    request = clients.ipxe(0).ask(SERVER, item=item)
    assert ipxe.boot_server_ack(answered(request), request) == FETCHES_SCRIPT


@pytest.mark.parametrize("identity", ["with option 97", "without option 97"])
def test_a_boot_server_request_on_67_that_names_us_is_answered(identity: str) -> None:
    """Some Intel ROMs ask there, after the OFFER, for item 80 00 00 00 and without option 97 (pixiecore issue 21)."""
    rom = ROM if identity == "with option 97" else ROM.without(97)
    asked = replace(rom.ask(SERVER, item=0x8000, names_server=True), dport=67, dst="255.255.255.255")
    reply = answered(asked)
    packet = parse(reply.payload)
    assert flaw(packet, parse(asked.payload)) == ""
    assert (packet.kind, vendor_tags(packet)) == (5, BYPASS_TAGS | ITEM)
    assert (reply.sport, reply.dst, reply.dport) == (67, clients.LEASE, 68)


def answered(request: Datagram, known: Inventory = LISTED) -> Datagram:
    reply = pxed(known)(request)
    assert reply is not None
    return reply


def vendor_tags(packet: Packet) -> dict[int, bytes] | None:
    value = packet.joined(43)
    return None if value is None else dict(options_in(value, "option 43"))


# The reply matrix


BYPASS_TAGS = {6: b"\x08"}
ITEM = {71: b"\x80\0\0\0"}
MATRIX = {
    "BIOS ROM on 67": (ROM.discover(), b"PXEClient", BYPASS_TAGS, "undionly.kpxe"),
    "BIOS ROM on 4011": (ROM.ask(SERVER), b"PXEClient", BYPASS_TAGS, "undionly.kpxe"),
    "BIOS ROM on 4011 with an item": (ROM.ask(SERVER, item=0x8000), b"PXEClient", BYPASS_TAGS | ITEM, "undionly.kpxe"),
    "EFI on 67": (clients.efi(7).discover(), b"PXEClient", None, "snponly.efi"),
    "EFI on 4011": (clients.efi(7).ask(SERVER), b"PXEClient", None, "snponly.efi"),
    "EFI on 4011 with an item": (clients.efi(7).ask(SERVER, item=0x8000), b"PXEClient", ITEM, "snponly.efi"),
    "HTTP Boot": (clients.efi_http(16).discover(), b"HTTPClient", None, f"{URL}/loaders/snponly.efi"),
    "iPXE on 67": (clients.ipxe(7).discover(), b"PXEClient", None, f"{URL}/boot.ipxe"),
    "iPXE on 4011": (clients.ipxe(7).ask(SERVER), b"PXEClient", None, f"{URL}/boot.ipxe"),
    "iPXE on 4011 with an item": (clients.ipxe(7).ask(SERVER, item=0x8000), b"PXEClient", ITEM, f"{URL}/boot.ipxe"),
}


@pytest.mark.parametrize(("request_", "vendor_class", "tags", "file"), MATRIX.values(), ids=MATRIX)
def test_the_reply_matrix(request_: Datagram, vendor_class: bytes, tags: dict[int, bytes] | None, file: str) -> None:
    reply = answered(request_)
    packet, asked = parse(reply.payload), parse(request_.payload)
    assert flaw(packet, asked) == ""
    assert (packet.kind, packet.joined(60)) == (2 if request_.dport == 67 else 5, vendor_class)
    assert (packet.server, packet.siaddr, text(packet.sname)) == (SERVER, SERVER, SERVER)
    assert packet.yiaddr == "0.0.0.0"
    assert packet.joined(66) == SERVER.encode()
    assert packet.joined(97) == asked.joined(97)
    assert vendor_tags(packet) == tags
    assert text(packet.joined(67) or packet.file) == file
    assert (packet.joined(67) or b"\0").endswith(b"\0")  # EDK2 writes it itself where it is missing
    assert (reply.src, reply.sport) == (SERVER, request_.dport)
    to = ("255.255.255.255", 68) if request_.dport == 67 else (request_.src, request_.sport)
    assert (reply.dst, reply.dport) == to


def test_a_raspberry_pi_gets_the_menu_that_its_rom_looks_for() -> None:
    pi = replace(ROM, mac=bytes.fromhex("b827eb000001"))
    tags = vendor_tags(parse(answered(pi.discover(), HELD).payload))
    assert tags is not None
    assert set(tags) == {6, 9, 10}
    assert b"Raspberry Pi Boot" in tags[9]


def test_ipxe_never_gets_a_menu() -> None:
    """ipxe issues 908 and 913."""
    for mac in (PLAIN, BYPASS, NONE, bytes.fromhex("b827eb000001")):
        packet = parse(answered(replace(clients.ipxe(0), mac=mac).discover(), HELD).payload)
        assert not (vendor_tags(packet) or {}).keys() & {8, 9, 10}


@pytest.mark.parametrize("request_", [m[0] for m in MATRIX.values()], ids=MATRIX)
def test_scapy_reads_the_same_and_builds_the_same_bytes(request_: Datagram) -> None:
    payload = answered(request_).payload
    ours, theirs = parse(payload), BOOTP(payload)
    assert (theirs.op, theirs.htype, theirs.hlen, theirs.hops, theirs.xid, theirs.secs, int(theirs.flags)) == (
        ours.op, ours.htype, ours.hlen, ours.hops, ours.xid, ours.secs, ours.flags
    )  # fmt: skip
    assert (theirs.ciaddr, theirs.yiaddr, theirs.siaddr, theirs.giaddr) == (
        ours.ciaddr, ours.yiaddr, ours.siaddr, ours.giaddr
    )  # fmt: skip
    assert (theirs.chaddr, theirs.sname, theirs.file) == (ours.chaddr, ours.sname, ours.file)
    named = {o[0]: o[1] for o in theirs[DHCP].options if isinstance(o, tuple)}
    assert named["message-type"] == ours.kind
    assert named["server_id"] == ours.server
    assert named["vendor_class_id"] == ours.joined(60)
    assert len(named) == len(ours.options)
    theirs.clear_cache()
    assert bytes(theirs) == payload


# Relays


AGENT = "10.9.0.1"
INFORMATION = b"\1\4vlan\2\6\x52\x54\0\0\0\x99"
RELAYED = [
    pytest.param(client, firmware, id=f"{name} / {firmware}")
    for name, (client, firmwares, _) in KINDS.items()
    for firmware in firmwares
]


@pytest.mark.parametrize(("client", "firmware"), RELAYED)
@pytest.mark.parametrize("information", [None, INFORMATION], ids=["no option 82", "option 82"])
def test_an_offer_through_a_relay(client: Client, firmware: Firmware, information: bytes | None) -> None:
    assert through_a_relay(replace(client, broadcast=True), firmware, information)


def test_an_offer_through_a_relay_to_clients_without_the_broadcast_flag() -> None:
    assert all(through_a_relay(client, IPXE, INFORMATION) for client in (clients.ipxe(0), clients.ipxe(7)))


def through_a_relay(client: Client, firmware: Firmware, information: bytes | None) -> bool:
    raw = relayed(client.discover().payload, giaddr=address(AGENT), information=information)
    request = Datagram(AGENT, 67, SERVER, 67, raw)
    sent = forward(answered(request), request)
    assert isinstance(sent, Datagram), sent
    as_sent = client.discover(giaddr=AGENT)  # an agent leaves giaddr in what it sends on (RFC 1542 4.1.2)
    return isinstance(firmware.offer(sent, as_sent), Accepted)


def test_a_routed_question_on_4011_is_answered_to_its_source() -> None:
    request = clients.efi(7).ask(SERVER)
    assert (answered(request).dst, answered(request).dport) == (clients.LEASE, 4011)


# What real firmware sent


def fetched(reply: Datagram, asked: Packet, request: Datagram, offer: Datagram | None) -> object:
    """The verdict of the oracle that fits the packet's sender."""
    if (asked.first(60) or b"").startswith(b"HTTPClient"):
        return EDK2_HTTP.offer(reply, request)
    if asked.first(175) is None:
        return EDK2.offer(reply, request) if request.dport == 67 else EDK2.ack(reply, request, reply)
    if request.dport == 67:
        return IPXE.offer(reply, request)
    if asked.first(43) is not None:
        return ipxe.boot_server_ack(reply, request)
    assert offer is not None
    return IPXE.ack(reply, request, offer)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda p: p.stem)
def test_replayed_captures_get_answers_that_their_firmware_takes(path: Path) -> None:
    server = "10.77.0.2"
    responder = pxed(HELD, server)
    offer = None
    for datagram in read(path):
        if datagram.dport not in (67, 4011) or datagram.dst not in ("255.255.255.255", server):
            continue
        request = Datagram(datagram.src, datagram.sport, datagram.dst, datagram.dport, datagram.payload)
        asked = parse(request.payload)
        reply = responder(request)
        boots = (asked.first(60) or b"").startswith((b"PXEClient", b"HTTPClient"))
        if not boots or (request.dport == 67 and asked.kind != 1):
            assert reply is None
            continue
        assert reply is not None
        offer = reply if request.dport == 67 else offer
        assert flaw(parse(reply.payload), asked) == ""
        assert isinstance(fetched(reply, asked, request, offer), Accepted)


# Any options


OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([12, 43, 50, 55, 57, 61, 77, 82, 93, 94, 97, 175, 224]), st.binary(max_size=40)),
        st.tuples(st.just(93), st.sampled_from([b"\0\0", b"\0\7", b"\0\x0b", b"\0\x10", b"\0\x63\0\7", b"\0"])),
        st.tuples(st.just(97), st.just(b"\0" + clients.UUID)),
        st.tuples(st.just(77), st.sampled_from([b"iPXE", b"\4iPXE"])),
    ),
    max_size=8,
    unique_by=lambda o: o[0],
)


@given(
    options=OPTIONS,
    vendor_class=st.sampled_from([b"PXEClient", b"PXEClient:Arch:00007:UNDI:003000", b"HTTPClient", b"HTTPClient:x"]),
    xid=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 0xFFFF),
    secs=st.integers(0, 0xFFFF),
    port=st.sampled_from([67, 4011]),
    mac=st.sampled_from([PLAIN, BYPASS, NONE]),
)
def test_whatever_the_options_a_reply_is_well_formed(options, vendor_class, xid, flags, secs, port, mac) -> None:  # type: ignore[no-untyped-def]
    kind = b"\1" if port == 67 else b"\3"
    payload = clients.message(
        ((53, kind), (60, vendor_class), *options),
        xid=xid, flags=flags, secs=secs, mac=mac, ciaddr="0.0.0.0" if port == 67 else clients.LEASE,
    )  # fmt: skip
    to = ("255.255.255.255", 67) if port == 67 else (SERVER, 4011)
    request = Datagram("0.0.0.0" if port == 67 else clients.LEASE, 68, *to, payload)
    reply = pxed(LISTED)(request)
    if reply is None:  # an architecture without a boot loader, or credentials wanted
        return
    packet, asked = parse(reply.payload), parse(payload)
    assert flaw(packet, asked) == ""
    assert text(packet.joined(67) or packet.file)
    assert packet.joined(82) == asked.joined(82)
    assert vendor_class.startswith(packet.joined(60) or b"none")
