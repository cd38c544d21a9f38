"""Real boots on a real wire, from a capture of it and live."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pxed.errors import PxedError
from pxed.probe.capture import read
from tests.lab.daemon import Daemon
from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS
from tests.lab.process import spawn
from tests.probe.site import INITRD, KERNEL, MAC, UUID, WHO, Site, dnsmasq, host, pxed

pytestmark = pytest.mark.net
STAGES = {
    "bios": ["discover", "offer", "loader", "ipxe", "script", "kernel", "initrd", "ignition", "running"],
    "uefi": ["discover", "offer", "bootserver", "loader", "ipxe", "script", "kernel", "initrd", "ignition", "running"],
    "http": ["discover", "offer", "loader", "ipxe", "script", "kernel", "initrd", "ignition", "running"],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Daemon]]:
    with pxed(tmp_path_factory.mktemp("site"), uuid=UUID) as both:
        yield both


def is_whole(path: Path) -> bool:
    """Whether the lease has been given back in it: the last that a played boot sends."""
    with contextlib.suppress(PxedError):  # a packet is being written
        return any(datagram.payload[242:243] == b"\7" for datagram in read(path) if datagram.dport == 67)
    return False


def captured(place: Site, path: Path, *words: str) -> dict[str, Any]:
    """What pxed-probe boot says, with its packets in `path`."""
    argv = ["tcpdump", "-i", "br0", "-U", "--immediate-mode", "-B", "32768", "-n", "-w", str(path), "-Z", "root"]
    program = spawn(argv, log=path.with_suffix(".log"), namespace=place.network.switch, name="tcpdump")
    try:
        assert program.output.wait(lambda line: line if "listening on" in line else None, timeout=10)
        told: dict[str, Any] = place.probed("boot", *words)
        end = time.monotonic() + 20
        while not is_whole(path):
            assert time.monotonic() < end, "tcpdump has not written the last packet"
    finally:
        program.stop()
    return told


@pytest.mark.parametrize("kind", STAGES)
def test_a_boot_reads_the_same_from_its_capture(site: tuple[Site, Daemon], kind: str, tmp_path: Path) -> None:
    place, _ = site
    told = captured(place, tmp_path / "boot.pcap", *WHO, "--as", kind, "--report", "running")
    assert told["ok"], told
    argv = [sys.executable, "-m", "pxed.probe", "pcap", str(tmp_path / "boot.pcap"), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    [boot] = report["boots"]
    assert (done.returncode, boot["outcome"], boot["verdict"]) == (0, "running", None), boot
    assert (report["server"], [one["address"] for one in report["servers"]]) == (PXE_ADDRESS, [DHCP_ADDRESS])
    assert [span["stage"] for span in boot["spans"]] == STAGES[kind], report["packets"]
    sizes = {span["stage"]: span["bytes"] for span in boot["spans"]}
    assert (sizes["kernel"], sizes["initrd"]) == (len(KERNEL), len(INITRD))
    loader = next(stage for stage in told["stages"] if stage["stage"] == "loader")
    assert sizes["loader"] == loader["bytes"]


def test_a_wire_is_explained_live_with_a_rival_on_it(site: tuple[Site, Daemon]) -> None:
    place, _ = site
    rival = "10.77.0.9"
    settings = 'dhcp-range=10.77.0.0,proxy\npxe-service=X86-64_EFI,"boot",rival.efi\n'
    argv = [sys.executable, "-m", "pxed.probe", "watch", "-i", "eth0", "--seconds", "60", "--server", PXE_ADDRESS]
    with host(place.network, "attacker", rival) as there, dnsmasq(there, place.directory, "rival", settings):
        watch = spawn(argv, log=place.directory / "watch.log", namespace=place.network.pxe, name="watch",
                      env={"PYTHONUNBUFFERED": "1"})  # fmt: skip
        try:
            # Asked again and again: nothing tells from outside when it listens.
            for _ in range(5):
                place.probe("boot", *WHO, "--as", "uefi", "--server", PXE_ADDRESS)
                if watch.output.wait(lambda line: line if "rival.efi" in line or rival in line else None, timeout=1):
                    break
        finally:
            watch.stop()
    text = watch.log.read_text()
    assert f"{MAC}  PXE firmware sends DISCOVER" in text
    assert f"{rival}  is another server that offers to boot: a ProxyDHCP server" in text
