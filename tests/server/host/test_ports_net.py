"""Real programs on pxed's ports: `pxed check --host` names each and says what to do, and the daemon says the same."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.process import ROOT, Program, spawn

pytestmark = pytest.mark.net

PXED = Path(sys.executable).with_name("pxed")
PREFIX = f"pxph{os.getpid() % 100000}"
HOST = f"{PREFIX}-h"
INSIDE = ("ip", "netns", "exec", HOST)
DNSMASQ = "port=0\nno-ping\nleasefile-ro\nuser=root\n"
EVERYWHERE = DNSMASQ + "dhcp-range=10.85.0.100,10.85.0.150,1h\nenable-tftp\ntftp-root=/usr/lib/ipxe\n"
# What libvirt 9.0 writes for its network "default" (src/network/bridge_driver.c).
LIBVIRT = """\
strict-order
pid-file={home}/default.pid
except-interface=lo
bind-dynamic
interface=virbr0
port=0
dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0
dhcp-no-override
dhcp-authoritative
dhcp-lease-max=253
leasefile-ro
"""
CONFIG = """\
server: {{interfaces: {interfaces}, data_dir: data}}
images: {{i: {{kernel: vmlinuz}}}}
profiles: {{p: {{image: i}}}}
machines: {{node1: {{mac: "52:54:00:00:00:01", profile: p}}}}
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def host() -> Iterator[None]:
    """A host with a NIC to its machines and libvirt's bridge."""
    try:
        ip("netns", "add", HOST)
        ip("-n", HOST, "link", "set", "lo", "up")
        ip("-n", HOST, "link", "add", "eth1", "type", "veth", "peer", "name", "switch")
        ip("-n", HOST, "link", "add", "virbr0", "type", "bridge")
        for name, address in (("eth1", "10.85.0.1/24"), ("virbr0", "192.168.122.1/24"), ("switch", "")):
            ip("-n", HOST, "link", "set", name, "up")
            if address:
                ip("-n", HOST, "address", "add", address, "dev", name)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", HOST], check=False, capture_output=True)


@contextlib.contextmanager
def running(argv: list[str], home: Path, port: int) -> Iterator[Program]:
    """A program of the host that has a UDP port."""
    program = spawn(argv, log=home / "other.log", namespace=HOST, name=argv[0])
    try:
        for _ in range(200):
            listing = subprocess.run(
                [*INSIDE, "ss", "-Huan", f"sport = :{port}"], capture_output=True, text=True, check=True
            )
            if listing.stdout:
                break
            assert program.alive(), program.output.end()
            program.wait(0.05)
        else:
            raise AssertionError(f"{argv[0]} does not listen: {program.output.end()}")
        yield program
    finally:
        program.stop()


def dnsmasq(settings: str, home: Path) -> list[str]:
    """Its command, with its configuration where libvirt has its own."""
    config = home / "libvirt" / "dnsmasq" / "default.conf" if "virbr0" in settings else home / "dnsmasq.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(settings.format(home=home))
    return ["dnsmasq", "--keep-in-foreground", f"--conf-file={config}", "--log-facility=-"]


def inventory(home: Path, interfaces: str) -> Path:
    path = home / "pxed.yaml"
    path.write_text(CONFIG.format(interfaces=interfaces))
    (home / "data" / "images" / "i").mkdir(parents=True, exist_ok=True)
    (home / "data" / "images" / "vmlinuz").write_bytes(b"kernel")
    return path


def check(config: Path, *before: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the first finding of the host of each code."""
    words = [*INSIDE, *before, str(PXED), "check", "--host", "--json", "-c", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout, done.stderr
    found = [one for one in json.loads(done.stdout) if "code" in one]
    return done.returncode, {one["code"]: one for one in reversed(found)}


def serve(config: Path) -> str:
    """What the daemon says before it gives up."""
    words = [*INSIDE, str(PXED), "serve", "-c", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30, cwd=ROOT)
    assert done.returncode == 2, "and systemd does not try again: who has the port keeps it"
    return done.stderr.removeprefix("pxed: ").strip()


TFTPD = ["in.tftpd", "--foreground", "--listen", "--address", "0.0.0.0:69", "--user", "nobody", "/usr/lib/ipxe"]
TAKEN = {
    "dnsmasq": (EVERYWHERE, 67, "[]", "UDP port 67 is taken by dnsmasq (pid {pid}): if it serves"),
    "libvirt's network": (LIBVIRT, 67, "[]", "UDP port 67 is taken by libvirt's dnsmasq: name pxed's own"),
    "libvirt's network, named": (LIBVIRT, 67, "[virbr0]", "UDP port 67 on virbr0 is taken by libvirt's dnsmasq: "),
    "tftpd-hpa": ("", 69, "[eth1]", "UDP port 69 on eth1 is taken by in.tftpd (pid {pid}): systemctl stop"),
}  # fmt: skip


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(("settings", "port", "interfaces", "sentence"), TAKEN.values(), ids=TAKEN)
def test_who_has_a_port_is_named_with_the_way_out(
    tmp_path: Path, settings: str, port: int, interfaces: str, sentence: str
) -> None:
    config = inventory(tmp_path, interfaces)
    with running(dnsmasq(settings, tmp_path) if settings else TFTPD, tmp_path, port) as other:
        code, found = check(config)
        said = serve(config)
    assert code == 1
    assert found["port-taken"]["message"].startswith(sentence.format(pid=other.pid))
    assert found["port-taken"]["severity"] == "error"
    assert said == found["port-taken"]["message"], "the daemon says the same"


@pytest.mark.usefixtures("host")
def test_the_way_out_of_libvirts_network_is_one(tmp_path: Path) -> None:
    config = inventory(tmp_path, "[eth1]")
    with running(dnsmasq(LIBVIRT, tmp_path), tmp_path, 67):
        assert check(config)[0] == 0
        pxed = spawn([str(PXED), "serve", "-c", str(config)], log=tmp_path / "log", namespace=HOST, name="pxed")
        try:
            assert pxed.output.wait(lambda line: " ready: " in line or None, timeout=20), pxed.output.end()
        finally:
            pxed.stop()


@pytest.mark.usefixtures("host")
def test_a_pxed_that_runs_is_no_rival_of_itself(tmp_path: Path) -> None:
    config = inventory(tmp_path, "[eth1]")
    pxed = spawn([str(PXED), "serve", "-c", str(config)], log=tmp_path / "log", namespace=HOST, name="pxed")
    try:
        assert pxed.output.wait(lambda line: " ready: " in line or None, timeout=20), pxed.output.end()
        code, found = check(config)
        said = serve(config)
    finally:
        pxed.stop()
    assert code == 0
    assert f"pxed has its ports already (pxed (pid {pxed.pid}))" in found["pxed-runs"]["message"]
    assert "port-taken" not in found
    assert said.endswith("one runs already: restart or stop that one")


@pytest.mark.usefixtures("host")
def test_somebody_who_may_not_see_processes_is_told_who_can(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pxed-") as home, running(TFTPD, tmp_path, 69):
        Path(home).chmod(0o755)
        config = inventory(Path(home), "[eth1]")
        _, found = check(config, "setpriv", "--reuid=nobody", "--clear-groups", "--bounding-set=-all")
    assert "a program of user root (`pxed check --host`, as root, names it)" in found["port-taken"]["message"]
    assert found["not-root"]["severity"] == "note"


@pytest.mark.usefixtures("host")
def test_a_host_without_systemd_needs_one_capability_and_no_root(tmp_path: Path) -> None:
    """The command of docs/how-to/check-host.md."""
    page = (ROOT / "docs" / "how-to" / "check-host.md").read_text().replace("\n", " ")
    found = re.search(r"`(setpriv [^`]+) pxed serve`", page)
    assert found is not None
    words = found[1].replace("=pxed", "=nobody").replace("--regid=nobody", "--regid=nogroup").split()
    with tempfile.TemporaryDirectory(prefix="pxed-") as home:
        config = inventory(Path(home), "[eth1]")
        subprocess.run(["chown", "-R", "nobody:nogroup", home], check=True)
        argv = [*words, str(PXED), "serve", "-c", str(config)]
        pxed = spawn(argv, log=tmp_path / "log", namespace=HOST, name="pxed")
        try:
            assert pxed.output.wait(lambda line: " ready: " in line or None, timeout=20), pxed.output.end()
            if not Path("/run/systemd/system").is_dir():
                assert pxed.output.wait(lambda line: "this host does not run systemd" in line or None, timeout=20)
        finally:
            pxed.stop()


@pytest.mark.usefixtures("host")
def test_a_good_host_has_no_finding_but_what_it_lacks(tmp_path: Path) -> None:
    code, found = check(inventory(tmp_path, "[eth1]"))
    assert code == 0
    assert set(found) == (set() if Path("/run/systemd/system").is_dir() else {"no-systemd"})
