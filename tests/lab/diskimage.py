"""The installation image of the stand-in release: a disk that boots on BIOS and UEFI, and finds the config beside it.

As Flatcar's: GPT, GRUB for both firmwares, an EFI system partition, a partition labelled OEM for config.ign. The system
on it is busybox with disk_init.sh. GPT and the BIOS boot partition: UEFI 2.10 section 5.3, GRUB's manual ("BIOS
installation"). Left out: the two /usr partitions, ROOT, verity.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.cache import cached
from tests.lab.flatcar import os_release, tree
from tests.lab.initrd import Entry, archive, load_order
from tests.lab.kernel import kernel
from tests.lab.process import run

_SECTOR = 512
_MIB = 1 << 20
_GRUB = Path("/usr/lib/grub")
_INIT = Path(__file__).with_name("disk_init.sh")
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "af_packet", "ahci", "sd_mod")
_FILESYSTEM = ("ext4", "crc32c_generic")
_LABEL = "EFI-SYSTEM"
_MENU = f"""search.fs_label {_LABEL} root
linux /flatcar/vmlinuz-a console=ttyS0,115200n8 panic=-1 quiet
initrd /flatcar/initrd
boot
"""
# Start and size in MiB. The image ends with room for the second partition table.
_PARTITIONS = {"bios": (1, 1), "efi": (2, 20), "oem": (22, 4)}
_SIZE = 27
_TABLE = """label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649, name=BIOS-BOOT
start=2MiB, size=20MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=EFI-SYSTEM
start=22MiB, size=4MiB, name=OEM
"""


def _entries() -> Iterator[Entry]:
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield Entry("bin/busybox", stat.S_IFREG | 0o755, Path("/bin/busybox").read_bytes())
    yield Entry("init", stat.S_IFREG | 0o755, _INIT.read_bytes())
    for number, module in enumerate(load_order(kernel(), _MODULES + _FILESYSTEM)):
        yield Entry(f"lib/modules/{number:02}-{module.name}", stat.S_IFREG | 0o644, module.read_bytes())


def _initrd(version: str) -> bytes:
    raw = archive(tree(_entries(), ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "sys", "dev", "run", "tmp", "oem")))
    return gzip.compress(raw, compresslevel=6, mtime=0) + os_release(version)


def _grub(platform: str, *modules: str) -> bytes:
    """GRUB with its menu built in: it needs no file of its own on the disk."""
    with tempfile.TemporaryDirectory() as scratch:
        menu, made = Path(scratch, "menu"), Path(scratch, "made")
        menu.write_text(_MENU)
        names = ("part_gpt", "fat", "search_label", "linux", "boot", *modules)
        run("grub-mkimage", "-O", platform, "-o", str(made), "-p", "/", "-c", str(menu), *names)
        return made.read_bytes()


def boot_code(core: bytes, start: int) -> tuple[bytes, bytes]:
    """The first 440 bytes of the disk, and GRUB's core such that it loads itself from sector `start`.

    What grub-bios-setup writes (grub-core/boot/i386/pc/boot.S, diskboot.S): boot.img has the core's first sector at
    0x5c; the end of that sector has where the rest lies, how long it is and the segment that it is loaded to.
    """
    first = bytearray((_GRUB / "i386-pc/boot.img").read_bytes()[:440])
    first[0x5C:0x64] = struct.pack("<Q", start)
    first[0x66:0x68] = b"\x90\x90"  # for disks, BIOS gives the right drive number
    rest = -(-len(core) // _SECTOR) - 1
    return bytes(first), core[: _SECTOR - 12] + struct.pack("<QHH", start + 1, rest, 0x820) + core[_SECTOR:]


def _efi_system(scratch: Path, version: str) -> bytes:
    image = scratch / "efi"
    image.write_bytes(bytes(_PARTITIONS["efi"][1] * _MIB))
    run("mformat", "-i", str(image), "-v", _LABEL, "::")
    run("mmd", "-i", str(image), "::/EFI", "::/EFI/BOOT", "::/flatcar")
    files = {
        "EFI/BOOT/BOOTX64.EFI": _grub("x86_64-efi"),
        "flatcar/vmlinuz-a": kernel().image.read_bytes(),
        "flatcar/initrd": _initrd(version),
    }
    for name, content in files.items():
        (scratch / "file").write_bytes(content)
        run("mcopy", "-i", str(image), str(scratch / "file"), f"::/{name}")
    return image.read_bytes()


def _oem(scratch: Path) -> bytes:
    image = scratch / "oem"
    run("mke2fs", "-q", "-t", "ext4", "-L", "OEM", str(image), f"{_PARTITIONS['oem'][1]}M")
    return image.read_bytes()


def _disk(version: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        path = scratch / "disk"
        path.write_bytes(bytes(_SIZE * _MIB))
        subprocess.run(["sfdisk", "--quiet", str(path)], input=_TABLE, text=True, check=True, capture_output=True)
        disk = bytearray(path.read_bytes())
        first, core = boot_code(_grub("i386-pc", "biosdisk"), _PARTITIONS["bios"][0] * _MIB // _SECTOR)
        disk[:440] = first
        for part, content in {"bios": core, "efi": _efi_system(scratch, version), "oem": _oem(scratch)}.items():
            at = _PARTITIONS[part][0] * _MIB
            disk[at : at + len(content)] = content
    return bytes(disk)


@functools.cache
def build(version: str) -> Path:
    """flatcar_production_image.bin.bz2 of this version, in the cache."""
    source = b"\0".join([_initrd(version), kernel().image.name.encode(), _MENU.encode(), _TABLE.encode()])
    return cached("image", source, ".bin.bz2", lambda: bz2.compress(_disk(version)), keep=4)
