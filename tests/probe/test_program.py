"""What boot files are, by their first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pxed.probe.program import fits, identify

IPXE = Path("/usr/lib/ipxe")


def pe(machine: int, *, wide: bool = True, signature: int = 0, body: bytes = b"") -> bytes:
    header = b"PE\0\0" + struct.pack("<HH12xHH", machine, 0, 240, 0)
    optional = struct.pack("<H", 0x20B if wide else 0x10B).ljust(112 if wide else 96, b"\0")
    directories = bytes(8 * 4) + struct.pack("<II", 4096, signature)
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 64) + header + optional + directories + body


FILES = {
    "x64": (pe(0x8664), "PE32+ x86-64", "x86_64-efi"),
    "x64, iPXE, signed": (pe(0x8664, signature=9, body=b"iPXE"), "PE32+ x86-64, iPXE, signed", "x86_64-efi"),
    "32 bits": (pe(0x014C, wide=False), "PE32 i386", "i386-efi"),
    "ARM64": (pe(0xAA64), "PE32+ ARM64", "arm64-efi"),
    "a machine that nobody knows": (pe(0x1234), "PE32+ machine 0x1234", ""),
    "MZ and no PE": (b"MZ" + bytes(0x3A) + b"\x40\0\0\0" + bytes(400), "unknown format", ""),
    "cut short": (pe(0x8664)[:90], "unknown format", ""),
    "a kernel": (b"MZ".ljust(0x202, b"\0") + b"HdrS" + bytes(99), "Linux kernel (bzImage)", ""),
    "a script": (b"#!ipxe\necho", "iPXE script", ""),
    "a page": (b"<!doctype html>", "an HTML or XML page", ""),
    "nothing": (b"", "empty", ""),
}


@pytest.mark.parametrize(("head", "text", "arch"), FILES.values(), ids=FILES)
def test_a_file(head: bytes, text: str, arch: str) -> None:
    found = identify(head)
    assert (found.text, found.arch) == (text, arch)


@pytest.mark.skipif(not IPXE.exists(), reason="Debian's package ipxe is not installed")
@pytest.mark.parametrize(("name", "arch"), [("snponly.efi", "x86_64-efi"), ("undionly.kpxe", "x86-bios")])
def test_debians_own_builds(name: str, arch: str) -> None:
    found = identify((IPXE / name).read_bytes())
    assert (found.ipxe, found.arch) == (True, arch)
    assert fits(found, arch)
    assert not fits(found, "arm64-efi")
