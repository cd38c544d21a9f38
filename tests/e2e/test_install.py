"""Machines with empty disks install themselves once, boot their disks, are installed again when asked, and are held.

The live system is the stand-in release with Debian's real Ignition and systemd in it, flatcar-install is a stand-in
(tests/lab/flatcar_install.sh). What is asserted is what the machines print, from the network and from their disks, and
what the API shows.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_flatcar import sync, wait_current
from tests.lab import disks, installed, operator, releaseserver
from tests.lab.inventory import document
from tests.lab.laboratory import Lab, laboratory
from tests.lab.netns import PXE_ADDRESS
from tests.lab.operator import Watch, pxed, view
from tests.lab.vm import Firmware, Guest, Vm
from tests.releases.tree import INSTALL_IMAGE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280 * 2)]

UEFI = Guest("uefi1", Firmware.UEFI, 0, memory=512, disks=(10,))
BIOS = Guest("bios1", Firmware.BIOS, 1, memory=512, disks=(10, 12))
BROKEN = Guest("broken1", Firmware.BIOS, 2, memory=512, disks=(10,))
BLANK = Guest("blank1", Firmware.BIOS, 3, disks=(10,))
OLD, NEW = "4593.2.4", "4593.2.5"
PROFILE: dict[str, Any] = {"image": "flatcar", "console": ["ttyS0,115200n8"], "args": ["panic=-1"]}
INSTALL = {"disk": "smallest", "butane": "system.bu", "backoff": "1s"}
BY_ID = f"/dev/disk/by-id/virtio-{disks.identity(BIOS.serial, 0)}"


def inventory(directory: Path, machines: dict[Guest, str], **fields: Any) -> dict[str, Any]:
    """Machines that install the channel's current version, or an old one (`broken`), or boot their disk (`local`)."""
    shutil.copytree(Path(__file__).with_name("install"), directory, dirs_exist_ok=True)
    profiles = {
        "worker": PROFILE | {"boot": "install", "install": INSTALL},
        "broken": PROFILE | {"boot": "install", "install": INSTALL | {"channel": "stable", "version": OLD}},
        "local": {"boot": "local"},
    }
    own: dict[str, dict[str, Any]] = {guest.name: {"vars": {"secret": f"secret-of-{guest.name}"}} for guest in machines}
    if UEFI in machines:
        own[UEFI.name] |= {"report": True}
    if BIOS in machines:
        own[BIOS.name] |= {"local": "silent", "install": {"disk": BY_ID}}
    used = {name: profiles[name] for name in machines.values()}
    found = document(directory, machines, used, own)
    found["images"] = {"flatcar": {"flatcar": {"channel": "stable", "arch": "amd64", "version": "current"}}}
    found["server"] |= {
        "mirror": releaseserver.settings(directory / "releases"),
        "api_token_file": str(operator.token_file(directory)),
    }
    return found


@contextmanager
def install_lab(directory: Path, machines: dict[Guest, str]) -> Iterator[Lab]:
    """A laboratory whose mirror has what the machines install."""
    releases = directory / "releases"
    for version in (OLD, NEW) if "broken" in machines.values() else (NEW,):
        releaseserver.publish(releases, version, installs=True)
    described = inventory(directory, machines)
    with laboratory(directory, described, taps=4, beside=lambda net: releaseserver.serving(net, releases)) as lab:
        status, complaint = sync(lab)
        assert (status, complaint) == (0, "")
        wait_current(lab, NEW)
        yield lab


def count(vm: Vm, text: str) -> int:
    """How many lines of the console have it."""
    vm.console.poll()
    return sum(text in line for line in vm.console.lines)


def token_free(config: bytes) -> bytes:
    """The config as `pxed render` shows it."""
    return re.sub(rb"(?<=token%3D)[\w-]{43}", b"TOKEN", config)


def outcomes(lab: Lab, name: str) -> list[str | None]:
    """Of all attempts, in their order."""
    attempts = sorted(view(lab, name)["attempts"], key=lambda attempt: attempt["began"])
    return [attempt["outcome"] for attempt in attempts]


def check_installed(lab: Lab, watch: Watch, vm: Vm) -> None:
    """It installed itself once, said so, and what booted from its disk has its own config."""
    name = vm.machine.name
    watch.until_state(name, "local", 10)
    assert watch.states[name] == ["wanted", "installing", "installed", "local"]
    assert (count(vm, installed.SUCCESS), outcomes(lab, name)) == (1, ["installed"])
    (boot,) = installed.read(vm.console.lines)
    assert (boot.version, boot.firmware, boot.whole) == (NEW, "efi" if vm.machine is UEFI else "bios", True)
    rendered = pxed(lab, "render", name, "system", "--address", PXE_ADDRESS)
    assert boot.config and token_free(boot.config) == rendered.encode()
    assert f"secret-of-{name}".encode() in boot.config
    assert boot.reported == (vm.machine is UEFI), "its profile has report: true"


def test_machines_install_once_and_boot_their_disks_though_pxed_dies_and_again_only_when_asked(artifacts: Path) -> None:
    with install_lab(artifacts, {UEFI: "worker", BIOS: "worker"}) as lab:
        watch = Watch(lab, (UEFI.name, BIOS.name))
        watch.look()
        uefi, bios = lab.boot(UEFI), lab.boot(BIOS)
        watch.until(dict.fromkeys((uefi, bios), installed.WRITING), 150)
        watch.look()
        lab.crash()  # the one that came last is writing its image, which it gets from pxed
        lab.restart()
        watch.until({bios: installed.READY}, 150)
        check_installed(lab, watch, bios)
        assert count(bios, BY_ID) > 0, "the disk was named as the inventory names it"

        pxed(lab, "machines", "install", BIOS.name, "--token-file", str(artifacts / "api-token"))
        watch.look()
        start = {bios: len(bios.console.lines)}
        bios.reset()
        watch.until({uefi: installed.READY}, 150)
        check_installed(lab, watch, uefi)
        watch.until({bios: installed.READY}, 150, start)
        watch.until_state(BIOS.name, "local", 10)
        assert watch.states[BIOS.name] == ["wanted", "installing", "installed", "local"] * 2
        assert (count(bios, installed.SUCCESS), outcomes(lab, BIOS.name)) == (2, ["installed", "installed"])
        assert (count(uefi, installed.SUCCESS), count(uefi, installed.LIVE)) == (1, 1), "nobody asked for a second one"


def test_a_machine_that_fails_three_times_is_held_until_it_is_freed_and_an_empty_disk_does_not_boot(
    artifacts: Path,
) -> None:
    with install_lab(artifacts, {BROKEN: "broken", BLANK: "local"}) as lab:
        (signature,) = (path for path in (artifacts / "data").rglob(f"{INSTALL_IMAGE}.sig") if OLD in str(path))
        whole = signature.read_bytes()
        signature.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        watch = Watch(lab, (BROKEN.name,))
        broken, blank = lab.boot(BROKEN), lab.boot(BLANK)
        watch.until({blank: "No bootable device"}, 60)
        assert count(blank, "boots its local disk") == 1
        blank.program.stop()
        for state in ("wanted", "wanted", "failed"):
            watch.until_state(BROKEN.name, "installing", 90)
            watch.until_state(BROKEN.name, state, 60)
            if count(broken, installed.LIVE) > 1:  # the first time it reboots by itself, ten seconds later
                broken.reset()
        assert watch.states[BROKEN.name] == ["wanted", "installing"] * 3 + ["failed"]
        assert outcomes(lab, BROKEN.name) == ["failed"] * 3
        assert "Image signature unavailable" in view(lab, BROKEN.name)["install"]["reason"]
        watch.until({broken: "attempt 3 failed, no more are made: flatcar-install ended"}, 60)
        (listed,) = json.loads(pxed(lab, "machines", "list", "--json", "--state", "failed"))["machines"]
        assert (listed["name"], listed["install"]["held"]) == (BROKEN.name, True)
        assert "Image signature unavailable" in pxed(lab, "machines", "show", BROKEN.name)
        assert count(broken, installed.LIVE) == 3
        with disks.file(artifacts, BROKEN.name, 0).open("rb") as disk:
            assert not any(disk.read(1 << 20)), "nothing was written that had not been verified"

        signature.write_bytes(whole)
        pxed(lab, "machines", "reset", BROKEN.name, "--token-file", str(artifacts / "api-token"))
        start = {broken: len(broken.console.lines)}
        broken.reset()
        watch.until({broken: "profile broken, image flatcar"}, 60, start)
        assert view(lab, BROKEN.name)["install"]["attempt"] == 1
