"""Settings of the host's network and limits that are in the way of machines."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from pxed.inventory.loader import loads
from pxed.server.host.loaders import judged, wanted
from pxed.server.host.network import buffer_finding, descriptor_finding, mirror_finding, shared_networks
from pxed.server.interfaces import Interface

NET, OTHER = (IPv4Network("10.0.0.0/24"),), (IPv4Network("10.1.0.0/24"),)
ETH0 = Interface(2, "eth0", ("10.0.0.1",), 1500, NET)
SAME_NET = Interface(3, "eth1", ("10.0.0.2",), 1500, NET)
SAME_ADDRESS = Interface(3, "eth1", ("10.0.0.1",), 1500, NET)
APART = Interface(3, "eth1", ("10.1.0.1",), 1500, OTHER)
PAIRS = {
    "two networks": ([ETH0, APART], 1, []),
    "one network, strict": ([ETH0, SAME_NET], 1, ["reverse-path"]),
    "one network, loose": ([ETH0, SAME_NET], 2, []),
    "one network, no check": ([ETH0, SAME_NET], 0, []),
    "one address": ([ETH0, SAME_ADDRESS], 0, ["address-twice"]),
    "one interface": ([ETH0], 1, []),
}


@pytest.mark.parametrize(("interfaces", "strict", "codes"), PAIRS.values(), ids=PAIRS)
def test_interfaces_of_one_network(interfaces: list[Interface], strict: int, codes: list[str]) -> None:
    found = shared_networks(interfaces, {"eth0": strict, "eth1": strict})
    assert [one.code for one in found] == codes


def test_the_usual_receive_buffer_is_enough_for_few_machines() -> None:
    assert buffer_finding(200, 212992, 4 << 20) == []
    assert buffer_finding(10000, 4 << 20, 4 << 20) == []
    assert [one.code for one in buffer_finding(10000, 212992, 4 << 20)] == ["receive-buffer"]


def test_transfers_need_descriptors() -> None:
    assert descriptor_finding(65536, 1024, 256) == []
    assert "needs 2304" in descriptor_finding(1024, 1024, 256)[0].sentence


def test_a_release_server_without_an_address_is_named() -> None:
    assert mirror_finding("http://127.0.0.1:8080/flatcar/{channel}") == []
    (found,) = mirror_finding("https://{channel}.release.invalid/")
    assert "stable.release.invalid cannot be looked up" in found.sentence


ARCHITECTURES = {
    "the usual": ("", ["bios", "efi64"]),
    "an image of arm64": ("images: {f: {flatcar: {channel: stable, arch: arm64}}}", ["bios", "efi64", "arm64"]),
    "a group of arm64": (
        "profiles: {p: {boot: local}}\ngroups: [{match: {arch: arm64-efi}, profile: p}]", ["bios", "efi64", "arm64"],
    ),
    "a loader that is named": ("server: {loaders: {riscv64: x.efi}}", ["bios", "efi64", "riscv64"]),
    "a group of any": ("profiles: {p: {boot: local}}\ngroups: [{match: {arch: '*'}, profile: p}]", ["bios", "efi64"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "keys"), ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_which_loaders_an_inventory_needs(text: str, keys: list[str]) -> None:
    assert list(wanted(loads(text or "{}", Path("/pxed.yaml")))) == keys


def test_the_usual_loaders_come_from_the_package_and_others_do_not() -> None:
    place = Path("/var/lib/pxed/loaders")
    found = judged({"bios": "undionly.kpxe", "efi64": "snponly.efi", "arm64": "snponly-arm64.efi"}, place)
    assert [one.code for one in found] == ["loaders-missing", "loader-missing"]
    assert found[0].sentence == (
        "there is no undionly.kpxe and snponly.efi, so firmware gets no boot loader: "
        "apt install ipxe, or put the files into /var/lib/pxed/loaders; no restart is needed"
    )
    assert "there is no snponly-arm64.efi for machines of arm64" in found[1].sentence
    assert [one.code for one in judged({"bios": "mine.kpxe"}, place)] == ["loader-missing"]
