"""A stand-in Flatcar release is mirrored and booted, and Debian's real Ignition in it does what Butane configs ask for.

The release server, pxed and the machines are hosts of one laboratory. What is asserted about a machine is what the
machine itself printed (tests/lab/flatcar_init.sh).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import flatcar, releaseserver, sysroot
from tests.lab.daemon import PXED, URL
from tests.lab.inventory import document
from tests.lab.laboratory import BOOT_TIMEOUT, Lab, laboratory
from tests.lab.process import LabError, run
from tests.lab.stages import missing
from tests.lab.sysroot import Ignited, Node
from tests.lab.tail import POLL
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240 * 2)]

UEFI = Guest("uefi1", Firmware.UEFI, 0)
BIOS = Guest("bios1", Firmware.BIOS, 1)
FIRST, SECOND, THIRD = "4593.2.4", "4593.2.5", "4593.2.6"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlatcar core@laboratory"
CONFIGS = Path(__file__).with_name("flatcar")
CURRENT = "/flatcar/stable/amd64-usr/current/version.txt"
LOADER = Path("/usr/lib/ipxe/snponly.efi")


def inventory(directory: Path, online: bool, fields: dict[str, Any]) -> dict[str, Any]:
    """Both machines boot the channel's current version with the same Butane template; `fields` are their profile's."""
    shutil.copytree(CONFIGS, directory, dirs_exist_ok=True)
    worker = {"image": "flatcar", "console": ["ttyS0,115200n8"], "args": ["panic=-1"], "butane": "worker.bu"}
    worker |= {"ignition_access": "open" if online else "once"} | fields
    digest = hashlib.sha512(LOADER.read_bytes()).hexdigest()
    own = {"vars": {"role": "etcd", "key": KEY, "digest": digest, "online": online}}
    found = document(directory, {UEFI: "worker", BIOS: "worker"}, {"worker": worker}, {UEFI.name: own, BIOS.name: own})
    found["images"] = {"flatcar": {"flatcar": {"channel": "stable", "arch": "amd64", "version": "current"}}}
    found["server"]["mirror"] = releaseserver.settings(directory / "releases")
    return found


@contextmanager
def flatcar_lab(directory: Path, *, online: bool = True, **fields: Any) -> Iterator[Lab]:
    """A laboratory with a release server, and its first version in pxed's mirror."""
    releases = directory / "releases"
    releaseserver.publish(releases, FIRST)
    described = inventory(directory, online, fields)
    with laboratory(directory, described, taps=2, beside=lambda net: releaseserver.serving(net, releases)) as lab:
        assert sync(lab) == (0, "")
        wait_current(lab, FIRST)
        yield lab


def sync(lab: Lab) -> tuple[int, str]:
    """`pxed images sync` on pxed's host: its exit status, and what it complains of."""
    argv = ["ip", "netns", "exec", lab.network.pxe, PXED, "images", "sync", "--wait", "-c", lab.daemon.config]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stderr


def wait_current(lab: Lab, version: str) -> None:
    """Until the daemon has seen that this version has been mirrored: it looks at the mirror's index once a second."""
    deadline = time.monotonic() + 10
    while f"FLATCAR_VERSION={version}\n" not in served(lab, CURRENT):
        if time.monotonic() > deadline:
            raise LabError(f"pxed does not serve {version} as the current one:\n{lab.daemon.program.output.end()}")
        time.sleep(POLL)


def boot(lab: Lab, *guests: Guest) -> list[Ignited]:
    """What each machine printed when all its stages of Ignition had ended well; else LabError with the story."""
    found = []
    for machine in [lab.boot(guest) for guest in guests]:
        machine.wait_done(BOOT_TIMEOUT)
        found.append(sysroot.read(machine.console.lines))
        stages = found[-1].stages
        if not found[-1].done or any(stages.values()) or "files" not in stages:
            raise LabError(f"Ignition did not get to its end: {stages}\n{found[-1].log}\n{lab.story(machine)}")
    return found


def served(lab: Lab, path: str) -> str:
    """What pxed serves below its URL; "" if it does not."""
    return run("ip", "netns", "exec", lab.network.pxe, "curl", "-sf", f"{URL}{path}", quiet=True)


def expected(guest: Guest, *, online: bool) -> dict[str, Node]:
    """Everything that worker.bu lets Ignition leave in /sysroot."""
    role = f"{guest.name} is etcd at {guest.mac}\npeer 0\npeer 1\npeer 2\nthat is all\n"
    hello = "[Service]\nExecStart=/opt/bin/setup\n[Install]\nWantedBy=multi-user.target\n"
    setup = sysroot.file((CONFIGS / "setup.sh").read_bytes(), 0o755, links=2)
    nodes = {
        "/etc/hostname": sysroot.file(f"{guest.name}\n"),
        "/etc/localtime": sysroot.link("/usr/share/zoneinfo/Europe/Berlin"),
        "/etc/role": sysroot.file(role, 0o600),
        "/etc/systemd/system-preset/20-ignition.preset": sysroot.file("enable hello.service\n"),
        "/etc/systemd/system/hello.service": sysroot.file(hello),
        "/etc/systemd/system/hello.service.d/10-role.conf": sysroot.file("[Service]\nEnvironment=ROLE=etcd\n"),
        "/etc/systemd/system/update-engine.service": sysroot.link("/dev/null"),
        "/home/core/.ssh/authorized_keys.d/ignition": sysroot.file(f"{KEY}\n", 0o600, "500:500"),
        "/opt/bin/again": setup,
        "/opt/bin/setup": setup,
        "/opt/numbers": sysroot.file((CONFIGS / "numbers.txt").read_bytes()),
        "/srv/bin/check": sysroot.file((CONFIGS / "tree/bin/check").read_bytes(), 0o755),
        "/srv/plain.txt": sysroot.file("no newline at the end"),
        "/var/lib/etcd": sysroot.directory(0o700, "500:500"),
    }
    return nodes | ({"/opt/loader": sysroot.file(LOADER.read_bytes())} if online else {})


def entries(found: Ignited) -> dict[str, Node]:
    """What Ignition wrote, without the directories that it made on the way and its own note of the result."""
    above = {str(parent) for path in found.written for parent in Path(path).parents}
    return {path: node for path, node in found.written.items() if path not in above | {"/etc/.ignition-result.json"}}


def test_machines_boot_a_mirrored_release_and_ignition_fetches_and_writes_their_butane_configs(artifacts: Path) -> None:
    with flatcar_lab(artifacts) as lab:
        for guest, found in zip((UEFI, BIOS), boot(lab, UEFI, BIOS), strict=True):
            url = f"{URL}/ignition/{guest.name}"
            config = served(lab, f"/ignition/{guest.name}")
            assert '"version":"3.3.0"' in config
            assert (found.release, found.firmware) == (FIRST, "efi" if guest is UEFI else "bios")
            assert {"flatcar.first_boot=1", f"ignition.config.url={url}"} <= set(found.arguments)
            assert found.stages == {"fetch-offline": 0, "fetch": 0, "files": 0}
            assert f"GET {url}: attempt #1" in found.log
            assert hashlib.sha512(config.encode()).hexdigest() in found.digests, "Ignition read it byte for byte"
            assert entries(found) == expected(guest, online=True)
            assert set(missing(lab.daemon.events(), guest.name)) == {"running"}, "Flatcar itself does not report"


def test_an_embedded_config_and_its_base_are_applied_without_the_network(artifacts: Path) -> None:
    embedded = {"ignition_delivery": "embedded", "ignition_base": "base.bu"}
    with flatcar_lab(artifacts, online=False, oem_files={"usr/share/oem/bin/setup": "setup.sh"}, **embedded) as lab:
        for guest, found in zip((UEFI, BIOS), boot(lab, UEFI, BIOS), strict=True):
            assert found.release == FIRST
            assert set(found.oem) == {"config.ign", "base/base.ign", "bin/setup"}
            assert "ignition.config.url" not in found.cmdline
            assert found.stages == {"fetch-offline": 0, "files": 0}
            assert found.address == "", "the network was never brought up"
            assert entries(found) == expected(guest, online=False) | {"/etc/issue": sysroot.file("booted by pxed\n")}


def test_a_new_version_boots_once_it_is_mirrored_and_a_tampered_one_never(artifacts: Path) -> None:
    releases = artifacts / "releases"
    with flatcar_lab(artifacts) as lab:
        releaseserver.publish(releases, SECOND)
        assert sync(lab) == (0, "")
        wait_current(lab, SECOND)
        assert [found.release for found in boot(lab, BIOS)] == [SECOND]
        releaseserver.tamper(releaseserver.publish(releases, THIRD))
        status, complaint = sync(lab)
        assert (status, flatcar.CPIO in complaint, THIRD in complaint) == (1, True, True)
        assert [found.release for found in boot(lab, BIOS)] == [SECOND], "the tampered one was refused"
        assert f"FLATCAR_VERSION={SECOND}\n" in served(lab, CURRENT)
