"""`pxed-probe boot`: whole boots against the daemon as firmware and as iPXE; `dhcp` beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.lab.daemon import Daemon
from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS
from tests.probe.site import INITRD, KERNEL, MAC, UUID, WHO, Site, dnsmasq, host, pxed

pytestmark = pytest.mark.net
URL = f"http://{PXE_ADDRESS}:8080"
FIRMWARE_STAGES = {
    "bios": ["discover", "lease", "loader"],
    "uefi": ["discover", "lease", "bootserver", "loader"],
    "http": ["discover", "lease", "loader"],
    "ipxe": [],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Daemon]]:
    with pxed(tmp_path_factory.mktemp("site"), uuid=UUID) as both:
        yield both


@pytest.mark.parametrize("kind", FIRMWARE_STAGES)
def test_a_boot_from_the_daemon_succeeds_to_its_report(site: tuple[Site, Daemon], kind: str) -> None:
    place, served = site
    reports = len(served.events("running", "node1"))
    told = place.probed("boot", *WHO, "--as", kind, "--report", "running")
    assert told["ok"], told
    stages = [stage["stage"] for stage in told["stages"]]
    assert stages == [
        *FIRMWARE_STAGES[kind],
        *("ipxe", "lease", "script", "script", "kernel", "initrd", "ignition", "report"),
    ]
    by_name = {stage["stage"]: stage for stage in told["stages"]}
    assert by_name["kernel"]["sha256"] == hashlib.sha256(KERNEL).hexdigest()
    assert (by_name["kernel"]["bytes"], by_name["initrd"]["bytes"]) == (len(KERNEL), len(INITRD))
    assert (told["verdict"], told["notes"]) == (None, [])
    assert told["end"].startswith(f"starts {URL}/images/lab/vmlinuz with 1 initrds: ")
    assert len(served.events("running", "node1")) == reports + 1


def test_a_boot_is_told_line_by_line(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    done = place.probe("boot", *WHO, "--as", "uefi")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == f"UEFI PXE (architecture 7) with MAC {MAC}"
    assert "bootserver ok" in lines[3] and "ask" not in lines[3]
    assert "PE32+ x86-64, iPXE" in lines[4]
    assert lines[-1].startswith("good: starts ")


def test_a_machine_that_is_left_alone_is_told_why_it_does_not_boot(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    done = place.probe("boot", "-i", "eth0", "--mac", "52:54:00:77:02:77", "--timeout", "1")
    assert done.returncode == 1
    assert "No server on eth0 offers 52:54:00:77:02:77 a boot file" in done.stdout
    assert "[not-served]" in done.stdout


def test_bad_use_is_told_in_one_line(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    for words, said in {
        ("dhcp", "-i", "eth9"): "there is no interface eth9",
        ("dhcp", "-i", "eth0", "--as", "amiga"): "'amiga' is no client",
        ("boot", "-i", "eth0", "--mac", "nonsense"): "'nonsense' is no MAC address",
        ("http", "gopher://10.0.0.1/"): "no http or https URL",
    }.items():
        done = place.probe(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


MISSING = {
    "the kernel": ("images/lab/vmlinuz", "kernel", "file-missing"),
    "an initrd": ("images/lab/initrd.img", "initrd", "file-missing"),
}


@pytest.mark.parametrize(("path", "stage", "fault"), MISSING.values(), ids=MISSING)
def test_a_missing_file_is_the_verdict(site: tuple[Site, Daemon], path: str, stage: str, fault: str) -> None:
    place, _ = site
    file = place.directory / "data" / path
    away = file.rename(file.with_suffix(".away"))
    try:
        told = place.probed("boot", *WHO, "--as", "ipxe")
    finally:
        away.rename(file)
    assert (told["ok"], told["verdict"]["fault"], told["verdict"]["stage"]) == (False, fault, stage)


def test_dhcp_lists_every_server_and_what_firmware_makes_of_them(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    told = place.probed("dhcp", *WHO, "--as", "uefi")
    assert told["ok"] and told["findings"] == []
    servers = {one["server"]: one for one in told["servers"]}
    assert set(servers) == {DHCP_ADDRESS, PXE_ADDRESS}
    assert servers[DHCP_ADDRESS]["address"] and not servers[PXE_ADDRESS]["address"]
    assert servers[PXE_ADDRESS]["mac"] == place.network.pxe_mac()
    assert (servers[PXE_ADDRESS]["vendor"], servers[PXE_ADDRESS]["file"]) == ("PXEClient", "snponly.efi")
    assert {name: takes["boot"] for name, takes in told["takes"].items()} == {
        "EDK2": PXE_ADDRESS,
        "EDK2 of 2015": PXE_ADDRESS,
    }
    assert "file snponly.efi" in told["bootserver"][PXE_ADDRESS]


RIVAL = "10.77.0.9"
PROXY = 'dhcp-range=10.77.0.0,proxy\npxe-service=x86PC,"boot",lpxelinux\npxe-service=X86-64_EFI,"boot",rival.efi\n'


def test_dhcp_finds_a_second_pxe_server(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    with (
        host(place.network, "attacker", RIVAL) as there,
        dnsmasq(there, place.directory, "rival", PROXY),
    ):
        done = place.probe("dhcp", *WHO, "--as", "uefi", "--server", PXE_ADDRESS)
        told = place.probed("dhcp", *WHO, "--as", "uefi", "--server", PXE_ADDRESS)
    assert done.returncode == 1
    assert f"Another PXE server, {RIVAL}, answers this machine too" in done.stdout
    assert [one["fault"] for one in told["findings"]] == ["rival-proxy"]
    assert RIVAL in {one["server"] for one in told["servers"]}
