"""Of several offers: whose lease, whose boot file."""

from __future__ import annotations

import pytest

from pxed.probe.oracles.choice import choose
from pxed.probe.oracles.clients import Option, address, bios_rom, efi, efi_http, ipxe, message
from pxed.probe.oracles.firmware import BIOS_ROM, EDK2, EDK2_2015, EDK2_HTTP, IPXE, Firmware
from pxed.probe.oracles.wire import Datagram, parse

DHCP, PROXY, RIVAL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
CLIENT = {EDK2: efi(7), EDK2_2015: efi(7), EDK2_HTTP: efi_http(16), IPXE: ipxe(7), BIOS_ROM: bios_rom()}
BYPASS = (43, b"\6\1\x08\xff")
PXE = (60, b"PXEClient")


def offer(
    firmware: Firmware, server: str, *options: Option, gives: str = "", file: str = "", siaddr: str = ""
) -> Datagram:
    discover = parse(CLIENT[firmware].discover().payload)
    echo = ((97, discover.joined(97) or b""),)
    payload = message(
        ((53, b"\2"), (54, address(server)), *options, *echo),
        op=2,
        flags=discover.flags,
        yiaddr=gives or "0.0.0.0",
        siaddr=siaddr or (server if file else "0.0.0.0"),
        file=file.encode(),
    )
    return Datagram(server, 67, "255.255.255.255", 68, payload)


def lease(firmware: Firmware, *options: Option, file: str = "") -> Datagram:
    return offer(firmware, DHCP, *options, gives="10.0.0.77", file=file)


def proxy(firmware: Firmware, *options: Option, server: str = PROXY, file: str = "a.efi") -> Datagram:
    return offer(firmware, server, PXE, *options, file=file)


def told(firmware: Firmware, *offers: Datagram) -> tuple[int | None, int | None, str]:
    choice = choose(firmware, offers, CLIENT[firmware].discover())
    return choice.lease, choice.boot, str(choice.verdict)


SETS = {
    "a lease and a proxy without option 43": (EDK2, [lease(EDK2), proxy(EDK2)], (0, 1, "ask 10.0.0.2:4011")),
    "the proxy comes first": (EDK2, [proxy(EDK2), lease(EDK2)], (1, 0, "ask 10.0.0.2:4011")),
    "a proxy with option 43 goes before one without": (
        EDK2,
        [lease(EDK2), proxy(EDK2), proxy(EDK2, BYPASS, server=RIVAL, file="b.efi")],
        (0, 2, "tftp b.efi from 10.0.0.3"),
    ),
    "firmware of 2015 does not see the one with option 43": (
        EDK2_2015,
        [lease(EDK2_2015), proxy(EDK2_2015), proxy(EDK2_2015, BYPASS, server=RIVAL, file="b.efi")],
        (0, 1, "ask 10.0.0.2:4011"),
    ),
    "a DHCP server that says PXEClient goes before the proxy": (
        EDK2,
        [proxy(EDK2), lease(EDK2, PXE)],
        (1, 1, "ask 10.0.0.1:4011"),
    ),
    "a proxy goes before the file of the DHCP server": (
        EDK2,
        [lease(EDK2, file="dhcp.efi"), proxy(EDK2)],
        (0, 1, "ask 10.0.0.2:4011"),
    ),
    "the file of the DHCP server alone": (EDK2, [lease(EDK2, file="dhcp.efi")], (0, 0, "tftp dhcp.efi from 10.0.0.1")),
    "no lease": (EDK2, [proxy(EDK2)], (None, None, "PXE-E51")),
    "nobody offers a file": (EDK2, [lease(EDK2)], (0, None, "PXE-E53")),
    "nothing": (EDK2, [], (None, None, "PXE-E18")),
    "a ROM takes the proxy's file": (
        BIOS_ROM,
        [lease(BIOS_ROM), proxy(BIOS_ROM, BYPASS, file="undionly.kpxe")],
        (0, 1, "tftp undionly.kpxe from 10.0.0.2"),
    ),
    "a ROM takes the DHCP server's own when there is no proxy": (
        BIOS_ROM,
        [lease(BIOS_ROM, file="pxelinux.0")],
        (0, 0, "tftp pxelinux.0 from 10.0.0.1"),
    ),
    "a ROM prefers a combined server": (
        BIOS_ROM,
        [lease(BIOS_ROM, PXE, BYPASS, file="pxelinux.0"), proxy(BIOS_ROM, BYPASS)],
        (0, 0, "tftp pxelinux.0 from 10.0.0.1"),
    ),
    "iPXE takes the proxy's URL": (
        IPXE,
        [lease(IPXE), proxy(IPXE, file="http://10.0.0.2/x")],
        (0, 1, "http://10.0.0.2/x"),
    ),
    "in iPXE the DHCP server's file goes before the proxy's": (
        IPXE,
        [proxy(IPXE, file="http://10.0.0.2/x"), lease(IPXE, file="other.efi")],
        (1, 1, "tftp other.efi from 10.0.0.1"),
    ),
    "unless the proxy has a priority": (
        IPXE,
        [proxy(IPXE, (175, b"\1\1\5"), file="http://10.0.0.2/x"), lease(IPXE, file="other.efi")],
        (1, 0, "http://10.0.0.2/x"),
    ),
    "iPXE does not wait for a second proxy": (
        IPXE,
        [lease(IPXE), proxy(IPXE, file="http://10.0.0.2/x"), proxy(IPXE, server=RIVAL, file="http://10.0.0.3/y")],
        (0, 1, "http://10.0.0.2/x"),
    ),
    "of two that came before the lease iPXE takes the later": (
        IPXE,
        [proxy(IPXE, file="http://10.0.0.2/x"), proxy(IPXE, server=RIVAL, file="http://10.0.0.3/y"), lease(IPXE)],
        (2, 1, "http://10.0.0.3/y"),
    ),
    "HTTP Boot takes the proxy's URL beside a lease": (
        EDK2_HTTP,
        [lease(EDK2_HTTP), offer(EDK2_HTTP, PROXY, (60, b"HTTPClient"), file="http://10.0.0.2/a.efi")],
        (0, 1, "http://10.0.0.2/a.efi"),
    ),
    "HTTP Boot needs a name server for a name": (
        EDK2_HTTP,
        [lease(EDK2_HTTP), offer(EDK2_HTTP, PROXY, (60, b"HTTPClient"), file="http://boot.example/a.efi")],
        (0, None, "no DNS server"),
    ),
    "and has one by the lease": (
        EDK2_HTTP,
        [
            lease(EDK2_HTTP, (6, address("10.0.0.9"))),
            offer(EDK2_HTTP, PROXY, (60, b"HTTPClient"), file="http://boot.example/a.efi"),
        ],
        (0, 1, "http://boot.example/a.efi"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("firmware", "offers", "expected"), SETS.values(), ids=SETS)
def test_of_these_offers(
    firmware: Firmware, offers: list[Datagram], expected: tuple[int | None, int | None, str]
) -> None:
    lease_of, boot_of, verdict = told(firmware, *offers)
    assert (lease_of, boot_of) == expected[:2], verdict
    assert expected[2] in verdict
