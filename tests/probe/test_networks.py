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
