"""The networks and domains of vagrant/libvirt, with real libvirtd: machines boot through pxed on the same host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.dhcpserver import on_bridge
from tests.lab.hypervisor import Hypervisor, by_tcg
from tests.vagrant.site import LIBVIRT, MEGABYTES, VAGRANT, expect_boot, pxed_on

pytestmark = pytest.mark.e2e


@contextlib.contextmanager
def network(host: Hypervisor, file: str) -> Iterator[str]:
    """A network of vagrant/libvirt, defined and started; its name."""
    host.virsh("net-define", str(LIBVIRT / file))
    name = next(line for line in host.virsh("net-list", "--inactive", "--name").splitlines() if line)
    host.virsh("net-start", name)
    try:
        yield name
    finally:
        host.virsh("net-destroy", name)
        host.virsh("net-undefine", name)


@contextlib.contextmanager
def domain(host: Hypervisor, firmware: str, on: str = "pxed") -> Iterator[str]:
    """A domain of vagrant/libvirt, switched on; its name. It differs only in what TCG and the laboratory need."""
    name = f"pxed-{firmware}1"
    host.console(name).path.write_bytes(b"")
    path = host.directory / f"{firmware}.xml"
    text = by_tcg(LIBVIRT / f"domain-{firmware}.xml", host.directory / f"{name}.serial", megabytes=MEGABYTES[firmware])
    path.write_text(text.replace('network="pxed"', f'network="{on}"'))
    host.virsh("define", str(path))
    try:
        host.virsh("start", name)
        yield name
    finally:
        with contextlib.suppress(Exception):  # it has switched itself off
            host.virsh("destroy", name)
        host.virsh("undefine", "--nvram", name)


@pytest.mark.parametrize("path", sorted(LIBVIRT.glob("*.xml")), ids=lambda path: path.name)
def test_each_file_is_valid(host: Hypervisor, path: Path) -> None:
    host.run("virt-xml-validate", str(path), path.name.partition("-")[0])


def test_bios_and_uefi_boot_beside_libvirts_own_dhcp_server(host: Hypervisor) -> None:
    with (
        network(host, "network-dhcp.xml"),
        pxed_on(host, VAGRANT / "host" / "pxed.yaml") as daemon,
        domain(host, "bios") as bios,
        domain(host, "uefi") as uefi,
    ):
        expect_boot(host, daemon, bios, "bios1", "bios")
        expect_boot(host, daemon, uefi, "uefi1", "efi")


def test_beside_libvirts_own_dhcp_server_port_67_cannot_be_had_and_pxed_says_what_to_do(host: Hypervisor) -> None:
    with network(host, "network-dhcp.xml"), pytest.raises(Exception, match=r"dhcp: colocated") as refused:  # noqa: SIM117
        with pxed_on(host, VAGRANT / "host" / "pxed.yaml", dhcp="proxy"):
            pass
    assert "UDP port 67 on virbr-pxed is taken by libvirt's dnsmasq" in str(refused.value)


def test_a_machine_boots_on_a_network_whose_dhcp_server_is_another_host(host: Hypervisor) -> None:
    with (
        network(host, "network-without-dhcp.xml") as name,
        on_bridge(host.namespace, "virbr-pxed2", "192.168.78", host.directory),
        pxed_on(host, VAGRANT / "host" / "pxed.yaml", dhcp="proxy", interfaces=["virbr-pxed2"]) as daemon,
        domain(host, "bios", on=name) as bios,
    ):
        expect_boot(host, daemon, bios, "bios1", "bios")
