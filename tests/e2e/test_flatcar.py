"""A stand-in Flatcar release boots, and Debian's real Ignition in it does what the machine's config asks for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import flatcar, sysroot
from tests.lab.daemon import URL
from tests.lab.inventory import document
from tests.lab.laboratory import BOOT_TIMEOUT, Lab, laboratory
from tests.lab.process import LabError, run
from tests.lab.stages import missing
from tests.lab.sysroot import Ignited, Node
from tests.lab.vm import Firmware, Guest, Vm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

UEFI = Guest("uefi1", Firmware.UEFI, 0)
BIOS = Guest("bios1", Firmware.BIOS, 1)
VERSION = "4593.2.4"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlatcar core@laboratory"
WORKER = {
    "ignition": {"version": "3.3.0"},
    "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": [KEY]}]},
    "storage": {
        "files": [
            {"path": "/etc/hostname", "contents": {"source": "data:,{{ machine.name }}%0A"}},
            {"path": "/opt/bin/start", "mode": 0o755, "contents": {"source": "{{ server.url }}/loaders/snponly.efi"}},
        ],
    },
    "systemd": {"units": [{"name": "update-engine.service", "mask": True}]},
}
LOADER = Path("/usr/lib/ipxe/snponly.efi")


def place(directory: Path, release: flatcar.Release) -> dict[str, Any]:
    """Put a release below data_dir/images; the image that names it."""
    home = directory / "data" / "images" / "flatcar"
    home.mkdir(parents=True)
    for name, content in release.files().items():
        (home / name).write_bytes(content)
    return {"kernel": f"flatcar/{flatcar.KERNEL}", "initrd": [f"flatcar/{flatcar.CPIO}"]}


def inventory(directory: Path) -> dict[str, Any]:
    """Both machines boot the release with the same template."""
    worker = {"image": "flatcar", "console": ["ttyS0,115200n8"], "args": ["panic=-1"], "ignition": "worker.ign"}
    found = document(directory, {UEFI: "worker", BIOS: "worker"}, {"worker": worker})
    found["images"]["flatcar"] = place(directory, flatcar.release(VERSION))
    (directory / "worker.ign").write_text(json.dumps(WORKER))
    return found


def finish(lab: Lab, machine: Vm) -> Ignited:
    """The print-out of a machine whose stages of Ignition all ended well; else LabError with the story."""
    machine.wait_done(BOOT_TIMEOUT)
    found = sysroot.read(machine.console.lines)
    if not found.done or any(found.stages.values()) or "files" not in found.stages:
        raise LabError(f"Ignition did not get to its end: {found.stages}\n{found.log}\n{lab.story(machine)}")
    return found


def served(lab: Lab, machine: Guest) -> bytes:
    """The config that pxed has for a machine."""
    return run("ip", "netns", "exec", lab.network.pxe, "curl", "-sf", f"{URL}/ignition/{machine.name}").encode()


def written(name: str) -> dict[str, Node]:
    """Everything that Ignition must leave in /sysroot for this machine."""
    return {
        "/etc/hostname": sysroot.file(f"{name}\n"),
        "/etc/systemd": sysroot.directory(),
        "/etc/systemd/system": sysroot.directory(),
        "/etc/systemd/system/update-engine.service": sysroot.link("/dev/null"),
        "/home/core/.ssh": sysroot.directory(0o700, "500:500"),
        "/home/core/.ssh/authorized_keys.d": sysroot.directory(0o700, "500:500"),
        "/home/core/.ssh/authorized_keys.d/ignition": sysroot.file(f"{KEY}\n", 0o600, "500:500"),
        "/opt": sysroot.directory(),
        "/opt/bin": sysroot.directory(),
        "/opt/bin/start": sysroot.file(LOADER.read_bytes(), 0o755),
    }


def test_the_real_ignition_fetches_a_config_over_http_and_writes_what_it_asks_for(artifacts: Path) -> None:
    with laboratory(artifacts, inventory(artifacts), taps=2) as lab:
        machines = [lab.boot(UEFI), lab.boot(BIOS)]
        for machine, firmware in zip(machines, ("efi", "bios"), strict=True):
            name, found = machine.machine.name, finish(lab, machine)
            assert (found.release, found.firmware) == (VERSION, firmware)
            assert {"flatcar.first_boot=1", f"ignition.config.url={URL}/ignition/{name}"} <= set(found.arguments)
            assert found.stages == {"fetch-offline": 0, "fetch": 0, "files": 0}
            assert f"GET {URL}/ignition/{name}: attempt #1" in found.log
            assert hashlib.sha512(served(lab, machine.machine)).hexdigest() in found.digests, "byte for byte"
            result = found.written.pop("/etc/.ignition-result.json")
            assert result.mode == 0o600
            assert found.written == written(name)
            assert set(missing(lab.daemon.events(), name)) == {"running"}, "Flatcar itself does not report"
