"""The package's life on a host, by real apt and real systemd: installed, enabled, upgraded, removed, purged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import netns
from tests.lab.debpackage import as_version, debian_package, field
from tests.lab.nspawn import Container, container
from tests.lab.process import run
from tests.lab.systemtree import system_tree

pytestmark = [pytest.mark.net, pytest.mark.timeout(600)]
URL = f"http://{netns.PXE_ADDRESS}:8080"
PROBE = Path(sys.executable).with_name("pxed-probe")
UNITS = ("pxed.service", "pxed.socket", "pxed-bootserver.socket", "pxed-tftp.socket", "pxed-http.socket")
MACHINE = """
images: {rescue: {kernel: http://10.77.0.2/vmlinuz, initrd: http://10.77.0.2/initrd}}
profiles: {rescue: {image: rescue}}
machines: {node1: {mac: 52:54:00:00:00:01, profile: rescue}}
"""


@dataclass(frozen=True, slots=True)
class Host:
    system: Container
    network: netns.Network

    def apt(self, *words: str) -> None:
        """Debian's own way; nothing is fetched, and nobody is there to be asked."""
        self.system.run("apt-get", "--yes", "--no-install-recommends", *words, timeout=240)

    def install(self, package: Path, name: str) -> None:
        self.system.put(package, f"/root/{name}.deb")
        self.apt("install", f"/root/{name}.deb")

    def state(self, what: str, unit: str = "pxed.service") -> str:
        return self.system.attempt("systemctl", what, unit).stdout.strip()

    def ask(self, url: str) -> bytes:
        """What curl gets on another host of the network."""
        argv = ["ip", "netns", "exec", self.network.dhcp, "curl", "-sS", "--fail", "--max-time", "20", url]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def files(self, folder: str) -> dict[str, str]:
        """Owner and mode of what is there."""
        lines = self.system.run("find", folder, "-printf", "%p %u:%g %m\n").splitlines()
        return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def package() -> Path:
    return debian_package()


@pytest.fixture(scope="module")
def host(package: Path) -> Iterator[Host]:
    """The tests of this file follow each other on it."""
    with netns.network(0) as network, container("debian", network=network.pxe) as system:
        host = Host(system, network)
        host.install(package, "pxed")
        yield host


def test_installed_it_waits_to_be_enabled(host: Host) -> None:
    assert {unit: (host.state("is-enabled", unit), host.state("is-active", unit)) for unit in UNITS} == dict.fromkeys(
        UNITS, ("disabled", "inactive")
    )
    assert host.files("/etc/pxed") == {"/etc/pxed": "root:pxed 750", "/etc/pxed/pxed.yaml": "root:pxed 640"}
    below = host.files("/var/lib/pxed")
    assert below == dict.fromkeys(below, "pxed:pxed 750")
    assert {"/var/lib/pxed/images", "/var/lib/pxed/loaders", "/var/lib/pxed/mirror"} <= set(below)
    assert host.system.run("getent", "passwd", "pxed").split(":")[5:] == ["/var/lib/pxed", "/usr/sbin/nologin\n"]


def test_the_shipped_inventory_is_right_and_lists_nobody(host: Host) -> None:
    assert "0 machines" in host.system.run("pxed", "check")
    assert (
        host.system.run("pxed", "--version")
        == f"pxed {host.system.run('dpkg-query', '-W', '-f', '${Version}', 'pxed')}\n"
    )


def test_enabled_it_serves(host: Host) -> None:
    host.system.run("systemctl", "enable", "--now", "pxed")
    assert (host.state("is-enabled"), host.state("is-active")) == ("enabled", "active")
    assert json.loads(host.ask(f"{URL}/healthz"))["status"] == "ok"


def test_a_machine_in_the_inventory_gets_an_offer_and_a_loader(host: Host) -> None:
    host.system.write("/etc/pxed/pxed.yaml", MACHINE)
    host.system.run("systemctl", "reload", "pxed")
    probe = [PROBE, "dhcp", "-i", host.network.clients, "--as", "uefi", "--mac", "52:54:00:00:00:01", "--no-lease"]
    enter = ("ip", "netns", "exec", host.network.switch)
    done = subprocess.run([*enter, *probe], capture_output=True, text=True, check=False, timeout=60)
    assert netns.PXE_ADDRESS in done.stdout and "snponly.efi" in done.stdout, done.stdout + done.stderr
    loader = host.ask(f"tftp://{netns.PXE_ADDRESS}/snponly.efi")
    known = host.system.run("sha256sum", "/usr/lib/ipxe/snponly.efi").split()[0]
    assert hashlib.sha256(loader).hexdigest() == known


def test_an_upgrade_keeps_what_was_edited_and_restarts_the_service(host: Host, package: Path) -> None:
    host.system.run("chmod", "0644", "/etc/pxed/pxed.yaml")
    host.system.write("/etc/pxed/worker.bu", "variant: flatcar\nversion: 1.1.0\n")
    before = host.system.show("pxed", "MainPID")
    host.install(as_version(package, f"{field(package, 'Version')}+up1"), "newer")
    assert host.files("/etc/pxed")["/etc/pxed/pxed.yaml"] == "root:pxed 644"
    assert (host.system.root / "etc/pxed/pxed.yaml").read_text() == MACHINE
    assert host.system.show("pxed", "MainPID") not in (before, "0")
    assert (host.state("is-enabled"), host.state("is-active")) == ("enabled", "active")
    assert json.loads(host.ask(f"{URL}/healthz"))["status"] == "ok"


def test_removed_it_is_stopped_and_nothing_of_yours_is_lost(host: Host) -> None:
    host.system.run("systemctl", "stop", "pxed")
    host.system.run("systemctl", "enable", "--now", "pxed-http.socket")
    host.system.run("systemctl", "start", "pxed")
    host.apt("remove", "pxed")
    assert [host.state("is-active", unit) for unit in ("pxed.service", "pxed-http.socket")] == ["inactive"] * 2
    assert not (host.system.root / "usr/lib/pxed").exists()
    assert (host.system.root / "etc/pxed/pxed.yaml").read_text() == MACHINE
    assert "/var/lib/pxed/state.db" in host.files("/var/lib/pxed")


def test_purged_only_your_own_files_and_the_user_stay(host: Host) -> None:
    host.apt("purge", "pxed")
    assert list(host.files("/etc/pxed")) == ["/etc/pxed", "/etc/pxed/worker.bu"]
    assert not (host.system.root / "var/lib/pxed").exists()
    left = host.system.run("find", "/etc/systemd", "/var/lib/systemd/deb-systemd-helper-enabled", "-name", "*pxed*")
    assert left == ""
    assert host.system.run("getent", "passwd", "pxed"), "files that it owned elsewhere must not become somebody else's"


def test_it_can_be_installed_where_no_systemd_runs(package: Path) -> None:
    """In a chroot: an image builder, a container; and PATH has nothing of pxed's environment."""
    with chroot() as tree:
        run("cp", str(package), f"{tree}/root/pxed.deb")
        enter = (
            "chroot",
            str(tree),
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
        )
        run(*enter, "apt-get", "--yes", "--no-install-recommends", "install", "/root/pxed.deb")
        assert "0 machines" in run(*enter, "pxed", "check")
        assert run(*enter, "stat", "-c", "%U:%G %a", "/etc/pxed/pxed.yaml") == "root:pxed 640\n"
        run(*enter, "apt-get", "--yes", "purge", "pxed")


@contextlib.contextmanager
def chroot() -> Iterator[Path]:
    """The container's tree, not booted, with a layer in memory to write to."""
    with tempfile.TemporaryDirectory(prefix="pxed-chroot-") as scratch:
        run("mount", "-t", "tmpfs", "tmpfs", scratch)
        tree = Path(scratch, "tree")
        try:
            for name in ("upper", "work", "tree"):
                Path(scratch, name).mkdir()
            layers = f"lowerdir={system_tree()},upperdir={scratch}/upper,workdir={scratch}/work"
            run("mount", "-t", "overlay", "-o", layers, "overlay", str(tree))
            yield tree
        finally:
            run("umount", str(tree), quiet=True)
            run("umount", scratch)
