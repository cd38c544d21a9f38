"""Secure Boot, as docs/how-to/secure-boot.md has it: shim, signed GRUB and kernel by TFTP boot; iPXE is refused.

The page's inventory, grub.cfg and line of the DHCP server are what is run here.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.inventory import document, fill, sources
from tests.lab.laboratory import laboratory
from tests.lab.process import ROOT
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PAGE = (ROOT / "docs/how-to/secure-boot.md").read_text()
SIGNED = {
    "shimx64.efi": Path("/usr/lib/shim/shimx64.efi.signed"),
    "grubx64.efi": Path("/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"),
}
GUEST = Guest("secure", Firmware.UEFI_SECURE)


def shown(kind: str) -> str:
    """The page's block of that kind."""
    [block] = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


def signed_chain(directory: Path) -> dict[str, Any]:
    """The page's inventory for this machine, with what it says to put into data_dir/loaders."""
    described = document(directory, {GUEST: "open"})
    profile = yaml.safe_load(shown("yaml"))["profiles"]["secure"]
    described["profiles"]["open"] |= {name: profile[name] for name in ("loader", "ignition_access")}
    fill(directory)
    loaders, images = directory / "data/loaders", directory / "data/images/lab"
    (loaders / "grub").mkdir(parents=True)
    (loaders / "linux").mkdir()
    for name, source in SIGNED.items():
        shutil.copyfile(source, loaders / name)
    for name in ("vmlinuz", "initrd.img"):
        shutil.copyfile(images / name, loaders / "linux" / name)
    (loaders / "grub/grub.cfg").write_text(shown("grub").replace("10.0.0.2", "10.77.0.2"))
    return described


def test_a_machine_with_secure_boot_boots_a_signed_chain(artifacts: Path) -> None:
    line = shown("dnsmasq").replace("10.0.0.2", "10.77.0.2")
    with laboratory(artifacts, signed_chain(artifacts), taps=1, dhcp=line) as lab:
        machine = lab.boot(GUEST)
        printout = machine.wait_done(120)
        assert printout.done, lab.story(machine)
        assert {"console=ttyS0,115200n8"} <= set(printout.arguments)
        assert sources(printout.config) == {"/etc/hostname": GUEST.name, "/etc/pxed-lab": "open"}
        assert any("Secure boot enabled" in text for text in machine.console.lines)
        files = [event["file"] for event in lab.daemon.events() if event["kind"] in ("loader", "transfer")]
        served = dict.fromkeys(name for name in files if name.endswith((".efi", "vmlinuz", "initrd.img")))
        assert list(served) == ["shimx64.efi", "grubx64.efi", "linux/vmlinuz", "linux/initrd.img"]


def test_ipxe_is_refused_and_pxed_says_that_it_never_spoke(artifacts: Path) -> None:
    described = document(artifacts, {GUEST: "plain"})
    described["server"]["patience"] = 40  # 18 s until it says so
    with laboratory(artifacts, described, taps=1) as lab:
        machine = lab.boot(GUEST)
        assert machine.wait_for("NBP file downloaded successfully.", 60), lab.story(machine)
        assert machine.wait_for("BdsDxe: failed to load Boot0001", 30), lab.story(machine)
        assert any(line.endswith(": Access Denied") for line in machine.console.lines)
        assert lab.daemon.wait("stuck", GUEST.name)["fault"] == "loader-silent"
