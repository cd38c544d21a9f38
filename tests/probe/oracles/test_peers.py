"""Negative controls: replies of the shapes that other servers send, and where the field reports say they fail.

Each shape is made by hand after the peer's source. An oracle that accepted them would prove nothing of pxed's replies.
"""

from __future__ import annotations

import pytest

from pxed.probe.oracles import clients, edk2_current, ipxe
from pxed.probe.oracles.clients import Client, Option, address, message
from pxed.probe.oracles.firmware import BIOS_ROM, EDK2, EDK2_2015, EDK2_HTTP, IPXE, Firmware, Responder, boot
from pxed.probe.oracles.relay import forward, relayed
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Url
from pxed.probe.oracles.wire import Datagram, parse, text

SERVER = "10.0.0.2"
ME = address(SERVER)
BYPASS = b"\x06\x01\x08\xff"
OFFER, ACK = b"\2", b"\5"


def reply(
    request: Datagram,
    options: tuple[Option, ...],
    *,
    siaddr: str = SERVER,
    sname: bytes = b"",
    file: bytes = b"",
    to: tuple[str, int] | None = None,
    sport: int | None = None,
    echo: bool = True,
    pad: int = 300,
    **header: int,
) -> Datagram:
    """A reply to `request`: broadcast to 68 from port 67, or from 4011 back to where the request came from."""
    asked = parse(request.payload)
    identifier = asked.first(97)
    if echo and identifier is not None:
        options = (*options, (97, identifier))
    fields = {"op": 2, "xid": asked.xid, "flags": asked.flags, **header}
    payload = message(options, siaddr=siaddr, sname=sname, file=file, mac=asked.chaddr[:6], pad=pad, **fields)  # type: ignore[arg-type]
    on_67 = request.dport == 67
    dst, dport = to or (("255.255.255.255", 68) if on_67 else (request.src, request.sport))
    return Datagram(SERVER, sport or request.dport, dst, dport, payload)


def good(request: Datagram) -> Datagram:
    """What the reply matrix wants, for EFI and iPXE: the base that the shapes below spoil."""
    kind = OFFER if request.dport == 67 else ACK
    return reply(request, ((53, kind), (54, ME), (60, b"PXEClient")), file=b"boot.efi", sname=SERVER.encode())


def bootimus(request: Datagram) -> Datagram | None:
    """bootimus internal/proxydhcp, copied by jacaudi/booty: 43 `06 01 08 ff` for all, giaddr unheard of, no 4011."""
    if request.dport != 67:
        return None
    kind = OFFER if parse(request.payload).kind == 1 else ACK
    return reply(request, ((53, kind), (54, ME), (60, b"PXEClient"), (43, BYPASS)), file=b"boot.efi")


def booter(request: Datagram, *, with_67: bool = True) -> Datagram | None:
    """booter internal/server/dhcp: no 53, no 54, the client's own 60, the name in 67 only, no 4011."""
    if request.dport != 67:
        return None
    asked = parse(request.payload)
    named: tuple[Option, ...] = ((67, b"boot.efi"),) if with_67 else ()
    return reply(request, ((60, asked.first(60) or b""), *named))


def smee(request: Datagram) -> Datagram | None:
    """smee proxy.go: 43 6=8 for all, sname is the address, no 4011 socket."""
    if request.dport != 67:
        return None
    options = ((53, OFFER), (54, ME), (60, b"PXEClient"), (43, BYPASS))
    return reply(request, options, file=b"boot.efi", sname=SERVER.encode())


def pixiecore(request: Datagram) -> Datagram | None:
    """pixiecore: good offers, but arch 0 is refused on 4011 (netboot issue 132)."""
    bios = parse(request.payload).first(93) == b"\0\0"
    return None if bios and request.dport == 4011 else good(request)


def bootycall(request: Datagram) -> Datagram | None:
    """BootyCall server.rs: one socket, 4011 by default; broadcasts there if the flag is set; no 97; file is empty."""
    if request.dport == 67:
        return None
    options = ((53, ACK), (54, ME), (60, b"PXEClient"), (67, b"boot.efi"))
    return reply(request, options, to=("255.255.255.255", 68), echo=False)


def pureboot(request: Datagram) -> Datagram | None:
    """PureBoot dhcp_proxy.py: an OFFER on 4011, no 60, no siaddr, the boot file in sname."""
    if request.dport == 67:
        return None
    return reply(request, ((53, OFFER), (54, ME)), siaddr="0.0.0.0", sname=b"boot.efi")


def dnsmasq_2_92(request: Datagram) -> Datagram:
    """dnsmasq 2.92: the answer on 4011 goes to 255.255.255.255:68 (fixed in 2.93)."""
    if request.dport == 67:
        return reply(request, ((53, OFFER), (54, ME), (60, b"PXEClient")))
    return reply(request, ((53, ACK), (54, ME), (60, b"PXEClient")), file=b"boot.efi", to=("255.255.255.255", 68))


def silent_on_67(responder: Responder) -> Responder:
    """Its answers on 4011 only, behind a good offer without a file."""
    offered = ((53, OFFER), (54, ME), (60, b"PXEClient"))
    return lambda request: reply(request, offered) if request.dport == 67 else responder(request)


EFI, HTTP, ROM = clients.efi(7), clients.efi_http(16), clients.bios_rom()
IPXE_EFI = clients.ipxe(7)
REFUSED: dict[str, tuple[Client, Firmware, Responder, str]] = {
    "bootimus to EFI of 2015": (EFI, EDK2_2015, bootimus, "never cached"),
    "smee to EFI of 2015": (EFI, EDK2_2015, smee, "never cached"),
    "bootimus to HTTP Boot": (HTTP, EDK2_HTTP, bootimus, "without HTTPClient"),
    "booter to EFI": (EFI, EDK2, booter, "Bootp is not taken"),
    "booter to EFI of 2015": (EFI, EDK2_2015, booter, "Bootp is not taken"),
    "booter without 67 to EFI": (EFI, EDK2, lambda r: booter(r, with_67=False), "without a boot file is discarded"),
    "booter to a BIOS ROM": (ROM, BIOS_ROM, booter, "option 53 is 0"),
    "booter without 67 to iPXE": (IPXE_EFI, IPXE, lambda r: booter(r, with_67=False), "no answer from 10.0.0.2:4011"),
    "pixiecore to a ROM that asks 4011": (ROM, BIOS_ROM, pixiecore, "no answer from 10.0.0.2:4011"),
    "BootyCall to EFI": (EFI, EDK2, bootycall, "no offer"),
    "BootyCall's broadcast on 4011 to EFI": (EFI, EDK2, silent_on_67(bootycall), "listens on 10.0.0.77:4011"),
    "BootyCall's broadcast on 4011 to a ROM": (ROM, BIOS_ROM, silent_on_67(bootycall), "it asked from 10.0.0.77:68"),
    "PureBoot to EFI": (EFI, EDK2, pureboot, "no offer"),
    "PureBoot's answer on 4011 to EFI": (EFI, EDK2, silent_on_67(pureboot), "no boot file name"),
    "PureBoot's answer on 4011 to iPXE": (IPXE_EFI, IPXE, silent_on_67(pureboot), "no next-server"),
    "PureBoot's answer on 4011 to a ROM": (ROM, BIOS_ROM, silent_on_67(pureboot), "option 53 is 2"),
    "dnsmasq 2.92 to EFI": (EFI, EDK2, dnsmasq_2_92, "listens on 10.0.0.77:4011"),
    "dnsmasq 2.92 to EFI of 2015": (EFI, EDK2_2015, dnsmasq_2_92, "listens on 10.0.0.77:4011"),
    "dnsmasq 2.92 to a BIOS ROM": (ROM, BIOS_ROM, dnsmasq_2_92, "it asked from 10.0.0.77:68"),
}


@pytest.mark.parametrize(("client", "firmware", "peer", "why"), REFUSED.values(), ids=REFUSED)
def test_the_oracle_refuses(client: Client, firmware: Firmware, peer: Responder, why: str) -> None:
    verdict = boot(client, firmware, peer)
    assert isinstance(verdict, Rejected), verdict
    assert why in verdict.reason


TAKEN: dict[str, tuple[Client, Firmware, Responder]] = {
    "the good reply by EFI": (EFI, EDK2, good),
    "the good reply by EFI of 2015": (EFI, EDK2_2015, good),
    "the good reply by iPXE": (IPXE_EFI, IPXE, good),
    "the good reply by a BIOS ROM": (ROM, BIOS_ROM, good),
    "bootimus by current EFI": (EFI, EDK2, bootimus),
    "smee by current EFI": (EFI, EDK2, smee),
    "smee by a BIOS ROM": (ROM, BIOS_ROM, smee),
    "booter with 67 by iPXE": (IPXE_EFI, IPXE, booter),
    "pixiecore by EFI": (EFI, EDK2, pixiecore),
    "dnsmasq 2.92 by iPXE, which asks from port 68": (IPXE_EFI, IPXE, dnsmasq_2_92),
}


@pytest.mark.parametrize(("client", "firmware", "peer"), TAKEN.values(), ids=TAKEN)
def test_the_oracle_takes_what_works_in_the_field(client: Client, firmware: Firmware, peer: Responder) -> None:
    assert boot(client, firmware, peer) == Accepted(Tftp(SERVER, "boot.efi"))


def test_a_server_without_ipxe_detection_gives_ipxe_itself_again() -> None:
    """bootimus: iPXE fetches the boot loader that it is, for ever."""
    assert boot(IPXE_EFI, IPXE, bootimus) == boot(EFI, EDK2, bootimus)


def test_a_server_that_ignores_giaddr_does_not_reach_the_relay() -> None:
    """bootimus issue 129."""
    agent = address("10.9.0.1")
    request = Datagram("10.9.0.1", 67, SERVER, 67, relayed(EFI.discover().payload, giaddr=agent, information=b"\1\2ab"))
    answer = bootimus(request)
    assert answer is not None
    verdict = forward(answer, request)
    assert isinstance(verdict, Rejected)
    assert "listens on 10.9.0.1:67" in verdict.reason


# Single faults in an otherwise good reply

CORE = ((54, ME), (60, b"PXEClient"))
FAULTS_IN_OFFER: dict[str, tuple[Firmware, dict[str, object], str]] = {
    "no End": (EDK2, {"options": ((53, OFFER), *CORE), "cut": 1}, "no End"),
    "an option past the end": (EDK2, {"options": ((53, OFFER), *CORE, (43, b"abcd")), "cut": 3}, "cut short"),
    "54 of three bytes": (EDK2, {"options": ((53, OFFER), (54, ME[:3]), (60, b"PXEClient"))}, "option 54 has a wrong"),
    "54 of zeros": (EDK2, {"options": ((53, OFFER), (54, bytes(4)), (60, b"PXEClient"))}, "without server identifier"),
    "a NAK": (EDK2, {"options": ((53, b"\6"), *CORE)}, "not an OFFER"),
    "another xid": (EDK2, {"options": ((53, OFFER), *CORE), "xid": 1}, "not an answer to our xid"),
    "another xid, iPXE": (IPXE, {"options": ((53, OFFER), *CORE), "xid": 1}, "bad transaction ID"),
    "a request's op": (EDK2, {"options": ((53, OFFER), *CORE), "op": 1}, "not an answer"),
    "60 is missing": (EDK2, {"options": ((53, OFFER), (54, ME))}, "without PXEClient is not taken"),
    "60 is missing, iPXE": (IPXE, {"options": ((53, OFFER), (54, ME))}, "does not begin with PXEClient"),
    "unicast to the offered address": (EDK2, {"options": ((53, OFFER), *CORE), "to": ("10.0.0.77", 68)}, "not reach"),
    "67 without NUL before 43": (
        EDK2,
        {"options": ((53, OFFER), *CORE, (67, b"boot.efi"), (43, BYPASS)), "file": b""},
        "destroys option 43",
    ),
    "67 without NUL before 60": (
        EDK2_2015,
        {"options": ((53, OFFER), (54, ME), (67, b"boot.efi"), (60, b"PXEClient")), "file": b""},
        "destroys option 60",
    ),
    "a file field without NUL": (EDK2, {"options": ((53, OFFER), *CORE), "file": b"x" * 128}, "without NUL"),
    "bypass without a file": (EDK2, {"options": ((53, OFFER), *CORE, (43, BYPASS)), "file": b""}, "local boot"),
    "bypass without a file, ROM": (BIOS_ROM, {"options": ((53, OFFER), *CORE, (43, BYPASS)), "file": b""}, "PXE-E53"),
    "43 without End, ROM": (BIOS_ROM, {"options": ((53, OFFER), *CORE, (43, b"\6\1\x08"))}, "PXE-E77"),
    "a menu alone, ROM": (BIOS_ROM, {"options": ((53, OFFER), *CORE, (43, b"\x09\4\x80\0\1x\xff"))}, "PXE-E74"),
    "60 with the client's text, ROM": (BIOS_ROM, {"options": ((53, OFFER), (54, ME), (60, b"PXEClient:Arch"))}, "60"),
    "no 97, ROM": (BIOS_ROM, {"options": ((53, OFFER), *CORE), "echo": False}, "not echoed"),
    "240 bytes, ROM": (BIOS_ROM, {"options": ((53, OFFER), *CORE), "pad": 0}, "less than BOOTP's 300"),
    "a URL, ROM": (
        BIOS_ROM,
        {"options": ((53, OFFER), *CORE, (43, BYPASS)), "file": b"http://10.0.0.2/x"},
        "knows no URL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("firmware", "spoilt", "why"), FAULTS_IN_OFFER.values(), ids=FAULTS_IN_OFFER)
def test_a_fault_in_the_offer_is_seen(firmware: Firmware, spoilt: dict[str, object], why: str) -> None:
    client = {EDK2: EFI, EDK2_2015: EFI, IPXE: IPXE_EFI, BIOS_ROM: ROM}[firmware]
    discover = client.discover()
    arguments = {"file": b"boot.efi", **spoilt}
    cut = arguments.pop("cut", 0)
    if cut:
        arguments.update(pad=0, echo=False)
    made = reply(discover, **arguments)  # type: ignore[arg-type]
    if cut:
        made = Datagram(made.src, made.sport, made.dst, made.dport, made.payload[: -int(str(cut))])
    verdict = firmware.offer(made, discover)
    assert isinstance(verdict, Rejected), verdict
    assert why in verdict.reason


def test_siaddr_goes_before_option_54_in_edk2() -> None:
    discover = EFI.discover()
    offer = reply(discover, ((53, OFFER), *CORE), siaddr="10.0.0.3")
    assert edk2_current.offer(offer, discover) == Accepted(Ask("10.0.0.3"))
    offer = reply(discover, ((53, OFFER), *CORE), siaddr="0.0.0.0")
    assert edk2_current.offer(offer, discover) == Accepted(Ask(SERVER))


def test_edk2_reads_the_boot_server_list_under_bypass() -> None:
    discover = EFI.discover()
    listed = b"\6\1\x08\x08\7\x80\0\1" + address("10.0.0.9") + b"\xff"
    offer = reply(discover, ((53, OFFER), *CORE, (43, listed)), file=b"boot.efi")
    assert edk2_current.offer(offer, discover) == Accepted(Tftp("10.0.0.9", "boot.efi"))


def test_edk2_of_2015_takes_overloaded_options_for_a_file_name() -> None:
    """FileFieldOverloaded came later: an option in the file field, tag and all, becomes the boot file's name."""
    discover = EFI.discover()
    options = ((53, OFFER), *CORE, (52, b"\1"))
    offer = reply(discover, options, file=b"\x0f\1x\xff")
    request = EFI.ask(SERVER)
    answer = reply(request, ((53, ACK), *CORE, (52, b"\1")), file=b"\x0f\1x\xff")
    assert edk2_current.offer(offer, discover) == Accepted(Ask(SERVER))
    assert isinstance(EDK2.ack(answer, request, offer), Rejected)
    assert EDK2_2015.ack(answer, request, offer) == Accepted(Tftp(SERVER, "\x0f\1x\xff"))


def test_ipxe_wants_the_same_server_on_4011_and_that_port() -> None:
    """ipxe issue 954."""
    discover = IPXE_EFI.discover()
    offer = reply(discover, ((53, OFFER), *CORE))
    assert ipxe.offer(offer, discover) == Accepted(Ask(SERVER))
    request = IPXE_EFI.ask(SERVER, names_server=True)
    other = reply(request, ((53, ACK), (54, address("10.0.0.3")), (60, b"PXEClient")), file=b"http://10.0.0.2/x")
    assert "pseudo id" in str(ipxe.ack(other, request, offer))
    wrong_port = reply(request, ((53, ACK), *CORE), file=b"http://10.0.0.2/x", sport=67)
    assert "not 4011" in str(ipxe.ack(wrong_port, request, offer))
    no_server = reply(request, ((53, ACK), *CORE), file=b"http://10.0.0.2/x", siaddr="0.0.0.0")
    assert "no next-server" in str(ipxe.ack(no_server, request, offer))
    assert ipxe.ack(reply(request, ((53, ACK), *CORE), file=b"http://10.0.0.2/x"), request, offer) == Accepted(
        Url("http://10.0.0.2/x")
    )


def test_a_menu_goes_before_the_file_in_ipxe() -> None:
    """ipxe issues 908 and 913: the menu's boot server hands out iPXE, which sees the menu."""
    discover = IPXE_EFI.discover()
    menu = b"\x08\7\x80\0\1" + ME + b"\x09\4\x80\0\1x\xff"
    offer = reply(discover, ((53, OFFER), *CORE, (43, menu)), file=b"http://10.0.0.2/x")
    assert ipxe.offer(offer, discover) == Accepted(Ask(SERVER, 0x8000))
    skipped = reply(discover, ((53, OFFER), *CORE, (43, b"\6\1\x08" + menu)), file=b"http://10.0.0.2/x")
    assert ipxe.offer(skipped, discover) == Accepted(Url("http://10.0.0.2/x"))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (b"", "must have a boot URI"),
        (b"boot.efi", "not an absolute URL"),
        (b"tftp://10.0.0.2/boot.efi", "not an absolute URL"),
        (b"http://boot.example/boot.efi", "no DNS server"),
        (b"http://10.0.0.2/", "not an absolute URL"),
    ],
    ids=["none", "a file name", "tftp", "a host name", "no file"],
)
def test_http_boot_refuses_other_names(uri: bytes, why: str) -> None:
    discover = HTTP.discover()
    named: tuple[Option, ...] = ((67, uri + b"\0"),) if uri else ()
    offer = reply(discover, ((53, OFFER), (54, ME), (60, b"HTTPClient"), *named))
    verdict = EDK2_HTTP.offer(offer, discover)
    assert isinstance(verdict, Rejected), verdict
    assert why in verdict.reason


def test_a_rom_wants_its_boot_item_back() -> None:
    request = ROM.ask(SERVER, item=0x8000)
    without = reply(request, ((53, ACK), *CORE), file=b"undionly.kpxe")
    assert "43.71" in str(BIOS_ROM.ack(without, request, without))
    with_item = reply(request, ((53, ACK), *CORE, (43, b"\x47\4\x80\0\0\0\xff")), file=b"undionly.kpxe")
    assert BIOS_ROM.ack(with_item, request, without) == Accepted(Tftp(SERVER, "undionly.kpxe"))


RELAY_FAULTS = {
    "option 82 is dropped": ({"options": ((53, OFFER), *CORE)}, "not echoed"),
    "option 82 is not last": ({"options": ((53, OFFER), (82, b"\1\2ab"), *CORE)}, "not the last"),
    "giaddr is dropped": ({"options": ((53, OFFER), *CORE, (82, b"\1\2ab")), "giaddr": "0.0.0.0"}, "giaddr"),
    "to the agent's port 68": ({"options": ((53, OFFER), *CORE, (82, b"\1\2ab")), "dport": 68}, "listens on"),
    "no broadcast flag": ({"options": ((53, OFFER), *CORE, (82, b"\1\2ab")), "flags": 0}, "cannot reach the client"),
}


@pytest.mark.parametrize(("spoilt", "why"), RELAY_FAULTS.values(), ids=RELAY_FAULTS)
def test_a_relay_refuses(spoilt: dict[str, object], why: str) -> None:
    request, answer = _relayed(**spoilt)  # type: ignore[arg-type]
    verdict = forward(answer, request)
    assert isinstance(verdict, Rejected), verdict
    assert why in verdict.reason


def test_a_relay_sends_on_without_option_82() -> None:
    request, answer = _relayed(options=((53, OFFER), *CORE, (82, b"\1\2ab")))
    sent = forward(answer, request)
    assert isinstance(sent, Datagram)
    packet = parse(sent.payload)
    assert (sent.dst, sent.dport, packet.first(82), text(packet.file)) == ("255.255.255.255", 68, None, "boot.efi")


def _relayed(*, options: tuple[Option, ...], **changes: object) -> tuple[Datagram, Datagram]:
    agent = "10.9.0.1"
    raw = relayed(EFI.discover().payload, giaddr=address(agent), information=b"\1\2ab")
    request = Datagram(agent, 67, SERVER, 67, raw)
    asked = parse(raw)
    fields: dict[str, object] = {"flags": 0x8000, "giaddr": agent, "dport": 67, **changes}
    dport = int(str(fields.pop("dport")))
    payload = message(options, op=2, xid=asked.xid, hops=1, siaddr=SERVER, file=b"boot.efi", **fields)  # type: ignore[arg-type]
    return request, Datagram(SERVER, 67, agent, dport, payload)
