"""The installation image: that GRUB finds the rest of itself, and that tools which we did not write find its parts."""

from __future__ import annotations

import bz2
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.lab import diskimage

pytestmark = pytest.mark.skipif(shutil.which("grub-mkimage") is None, reason="grub-mkimage is not installed")


def test_the_boot_sector_names_the_core_and_the_cores_first_sector_names_the_rest() -> None:
    core = bytes(range(250)) * 10  # 2,500 bytes: five sectors, the last one not full
    first, made = diskimage.boot_code(core, 2048)
    assert (len(first), struct.unpack_from("<Q", first, 0x5C)) == (440, (2048,))
    assert struct.unpack_from("<QHH", made, 500) == (2049, 4, 0x820)
    assert (made[:500], made[512:]) == (core[:500], core[512:])


@pytest.mark.e2e
def test_the_image_has_the_partitions_files_and_label_that_firmware_and_flatcar_install_look_for(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bz2.decompress(diskimage.build("4593.2.5").read_bytes()))
    listed = json.loads(subprocess.check_output(["sfdisk", "--json", str(disk)]))["partitiontable"]
    assert listed["label"] == "gpt"
    starts = {part["name"]: part["start"] * 512 for part in listed["partitions"]}
    assert list(starts) == ["BIOS-BOOT", "EFI-SYSTEM", "OEM"]
    names = subprocess.check_output(["mdir", "-i", f"{disk}@@{starts['EFI-SYSTEM']}", "-/", "-b", "::"], text=True)
    assert {"::/EFI/BOOT/BOOTX64.EFI", "::/flatcar/vmlinuz-a", "::/flatcar/initrd"} <= set(names.splitlines())
    oem = tmp_path / "oem"
    oem.write_bytes(disk.read_bytes()[starts["OEM"] :])
    label = subprocess.check_output(["blkid", "-p", "-o", "value", "-s", "LABEL", str(oem)], text=True)
    assert label == "OEM\n"
