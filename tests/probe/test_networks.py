"""`pxed-probe` on networks of other shapes: DHCP servers that go wrong, and a PXE server that is not pxed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS
from tests.probe.site import INITRD, KERNEL, MAC, UUID, WHO, dnsmasq, network, pxed

pytestmark = pytest.mark.net


def test_a_dhcp_server_that_says_pxeclient_beside_pxed_is_named(tmp_path: Path) -> None:
    settings = "dhcp-range=10.77.0.50,10.77.0.60,1h\nno-ping\ndhcp-option-force=option:vendor-class,PXEClient\n"
    with pxed(tmp_path, dhcp=False) as (place, _), dnsmasq(place.network.dhcp, tmp_path, "other", settings):
        told = place.probed("boot", *WHO, "--as", "uefi")
    assert (told["ok"], told["verdict"]["fault"]) == (False, "dhcp-option-60")
    assert told["verdict"]["cause"].startswith(f"The DHCP server {DHCP_ADDRESS} sends option 60")


def test_a_dhcp_server_that_names_a_boot_file_wins_in_ipxe(tmp_path: Path) -> None:
    settings = "dhcp-range=10.77.0.50,10.77.0.60,1h\nno-ping\ndhcp-boot=other.efi\n"
    with pxed(tmp_path, dhcp=False) as (place, _), dnsmasq(place.network.dhcp, tmp_path, "other", settings):
        told = place.probed("dhcp", *WHO, "--as", "ipxe", "--server", PXE_ADDRESS)
    assert [one["fault"] for one in told["findings"]] == ["rival-in-ipxe"]
    assert told["takes"]["iPXE"]["boot"] == DHCP_ADDRESS


def test_no_dhcp_server(tmp_path: Path) -> None:
    with pxed(tmp_path, dhcp=False) as (place, _):
        told = place.probed("boot", *WHO)
    assert (told["ok"], told["verdict"]["fault"]) == (False, "no-dhcp-server")


SCRIPT = """#!ipxe
isset ${net0/ip} || dhcp
set base tftp://${next-server}/files
kernel ${base}/vmlinuz initrd=initrd.img uuid=${uuid} mac=${mac:hexhyp} || goto bad
initrd --name initrd.img files/initrd.img || goto bad
boot
:bad
echo it does not work
exit 1
"""


@pytest.mark.parametrize("kind", ["bios", "uefi"])
def test_a_boot_from_a_plain_dnsmasq_succeeds(tmp_path: Path, kind: str) -> None:
    """DHCP, boot file and TFTP of one server, and an iPXE script by TFTP."""
    root = tmp_path / "tftp"
    (root / "files").mkdir(parents=True)
    for name in ("snponly.efi", "undionly.kpxe"):
        (root / name).write_bytes((Path("/usr/lib/ipxe") / name).read_bytes())
    (root / "boot.ipxe").write_text(SCRIPT)
    (root / "files" / "vmlinuz").write_bytes(KERNEL)
    (root / "files" / "initrd.img").write_bytes(INITRD)
    settings = f"""dhcp-range=10.77.0.50,10.77.0.60,1h
no-ping
enable-tftp
tftp-root={root}
dhcp-match=set:ipxe,175
dhcp-match=set:efi,option:client-arch,7
dhcp-boot=tag:ipxe,boot.ipxe
dhcp-boot=tag:efi,tag:!ipxe,snponly.efi
dhcp-boot=tag:!efi,tag:!ipxe,undionly.kpxe
"""
    with network(tmp_path, dhcp=False) as place, dnsmasq(place.network.dhcp, tmp_path, "plain", settings):
        told = place.probed("boot", *WHO, "--as", kind)
    assert told["ok"], told
    assert [stage["stage"] for stage in told["stages"]] == [
        *("discover", "lease", "loader", "ipxe", "lease", "script", "kernel", "initrd"),
    ]
    assert told["end"].endswith(f"initrd=initrd.img uuid={UUID} mac={MAC.replace(':', '-')}")


def test_a_machine_that_is_held_sees_the_waiting_screen(tmp_path: Path) -> None:
    with pxed(tmp_path, settings={"unknown": "hold"}) as (place, _):
        told = place.probed("boot", "-i", "eth0", "--mac", "52:54:00:77:02:55", "--timeout", "0.6", "--as", "ipxe")
    assert (told["ok"], told["verdict"]["fault"]) == (False, "not-listed")
    assert told["verdict"]["cause"].endswith("so pxed shows it the waiting screen")
    assert any("waiting to be added" in line for line in told["verdict"]["evidence"])


def test_a_machine_whose_profile_is_its_disk_boots_it(tmp_path: Path) -> None:
    with pxed(tmp_path, profile="disk") as (place, _):
        uefi, bios = (place.probed("boot", *WHO, "--as", kind) for kind in ("ipxe", "ipxe-bios"))
    assert (uefi["ok"], uefi["end"]) == (True, "leaves iPXE for the next boot device")
    assert (bios["ok"], bios["end"]) == (True, "boots its local disk (sanboot 0x80)")


def test_a_server_that_sends_ipxe_to_a_loader_again_makes_a_loop(tmp_path: Path) -> None:
    root = tmp_path / "tftp"
    root.mkdir()
    (root / "snponly.efi").write_bytes(Path("/usr/lib/ipxe/snponly.efi").read_bytes())
    settings = f"dhcp-range=10.77.0.50,10.77.0.60,1h\nno-ping\nenable-tftp\ntftp-root={root}\ndhcp-boot=snponly.efi\n"
    with network(tmp_path, dhcp=False) as place, dnsmasq(place.network.dhcp, tmp_path, "plain", settings):
        told = place.probed("boot", *WHO)
    assert (told["ok"], told["verdict"]["fault"]) == (False, "ipxe-loop")
    assert [stage["stage"] for stage in told["stages"]].count("loader") == 4
