"""The played clients against a real DHCP server and the daemon."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pxed.probe.client import BiosRom, Client, Ipxe, Uefi, UefiHttp
from pxed.probe.nic import Nic
from pxed.probe.oracles.choice import gives_address
from pxed.probe.oracles.verdict import Accepted, Ask, Tftp, Url
from tests.lab.daemon import Daemon
from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS
from tests.lab.process import run
from tests.probe.site import KERNEL, MAC, UUID, Site, pxed

pytestmark = pytest.mark.net
LOADER = Path("/usr/lib/ipxe/snponly.efi")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Daemon]]:
    with pxed(tmp_path_factory.mktemp("site"), uuid=UUID) as both:
        yield both


def both_servers(replies: list) -> bool:  # type: ignore[type-arg]
    return {reply.server for reply in replies} >= {DHCP_ADDRESS, PXE_ADDRESS}


EXPECTED = {
    BiosRom: Tftp(PXE_ADDRESS, "undionly.kpxe"),
    Uefi: Ask(PXE_ADDRESS),
    UefiHttp: Url(f"http://{PXE_ADDRESS}:8080/loaders/snponly.efi"),
}


@pytest.mark.parametrize("kind", [BiosRom, Uefi, UefiHttp, Ipxe], ids=lambda kind: kind.title)
def test_each_client_gets_a_lease_and_what_pxed_offers_it(site: tuple[Site, Daemon], kind: type[Client]) -> None:
    place, _ = site
    with Nic("eth0", MAC, namespace=place.host) as nic, kind(nic, uuid=UUID) as client:
        offers = client.discover(enough=both_servers)
        assert {offer.server: bool(offer.address) for offer in offers} == {DHCP_ADDRESS: True, PXE_ADDRESS: False}
        choice = client.choose(offers)
        assert choice.lease is not None and choice.boot is not None
        assert not gives_address(offers[choice.boot].datagram)
        assert isinstance(choice.verdict, Accepted), choice.verdict
        if kind is Ipxe:
            assert isinstance(choice.verdict.next, Url)
            assert choice.verdict.next.url.startswith(f"http://{PXE_ADDRESS}:8080/boot.ipxe")
        else:
            assert choice.verdict.next == EXPECTED[kind]
        acknowledged = client.request(offers[choice.lease])
        assert acknowledged is not None and client.lease is not None
        assert client.lease.address == nic.address == acknowledged.address
        assert client.lease.server == DHCP_ADDRESS


def test_uefi_asks_the_boot_server_and_loads_its_file(site: tuple[Site, Daemon]) -> None:
    place, served = site
    with Nic("eth0", MAC, namespace=place.host) as nic, Uefi(nic, uuid=UUID) as client:
        offers = client.discover(enough=both_servers)
        client.request(next(offer for offer in offers if offer.address))
        answer = client.bootserver(PXE_ADDRESS)
        assert answer is not None
        assert (answer.file, answer.datagram.sport) == ("snponly.efi", 4011)
        assert client.firmware.ack(answer.datagram, answer.request, offers[0].datagram) == Accepted(
            Tftp(PXE_ADDRESS, "snponly.efi")
        )
        whole = hashlib.sha256(LOADER.read_bytes()).hexdigest()
        for how in ({}, {"blksize": 512}, {"windowsize": 4}):
            loader = client.tftp(PXE_ADDRESS, "snponly.efi", **how)
            assert (loader.error, loader.sha256) == ("", whole)
        assert served.wait("loader", "node1")["mac"] == MAC
        kernel = client.http(f"http://{PXE_ADDRESS}:8080/images/lab/vmlinuz")
        assert (kernel.status, kernel.size) == (200, len(KERNEL))


def test_a_lease_is_given_back_and_the_card_leaves_nothing(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    before = run("ip", "-n", place.host, "-4", "-o", "addr")
    with Nic("eth0", "52:54:00:77:02:99", namespace=place.host) as nic, Ipxe(nic) as client:
        client.request(next(offer for offer in client.discover(1.0) if offer.address))
        leases = place.directory / "dhcp.leases"
        assert "52:54:00:77:02:99" in leases.read_text()
    assert place.dhcp is not None
    given_back = place.dhcp.output.wait(
        lambda line: line if "DHCPRELEASE(eth0)" in line and "52:54:00:77:02:99" in line else None, timeout=10
    )
    assert given_back is not None
    assert run("ip", "-n", place.host, "-4", "-o", "addr") == before


def test_an_interface_as_it_is_has_the_lease_for_the_time(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    with Nic("eth0", own=False, namespace=place.host) as nic, BiosRom(nic) as client:
        client.request(next(offer for offer in client.discover(1.0) if offer.address))
        assert nic.address in run("ip", "-n", place.host, "-4", "-o", "addr")
        loader = client.tftp(PXE_ADDRESS, "undionly.kpxe")
        assert loader.ok
        address = nic.address
    assert address not in run("ip", "-n", place.host, "-4", "-o", "addr")
