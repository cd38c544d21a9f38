"""What a boot file is, by its first bytes: for which machine, and whether it is iPXE.

PE/COFF: Microsoft's "PE Format" (COFF file header, optional header, data directories). bzImage: Linux
Documentation/arch/x86/boot.rst. A PXE program of iPXE: its src/arch/x86/prefix/pxeprefix.S.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MACHINES: dict[int, tuple[str, str]] = {
    0x014C: ("i386", "i386-efi"),
    0x8664: ("x86-64", "x86_64-efi"),
    0x01C0: ("ARM", "arm-efi"),
    0x01C2: ("ARM", "arm-efi"),
    0xAA64: ("ARM64", "arm64-efi"),
    0x5032: ("RISC-V 32", "riscv32-efi"),
    0x5064: ("RISC-V 64", "riscv64-efi"),
    0x6264: ("LoongArch 64", "loongarch64-efi"),
    0x0EBC: ("EFI byte code", ""),
}
_SECURITY_DIRECTORY = 4
_PXE_JUMP = b"\xea\x05\x00\xc0"  # ljmp $0x07c0, $5 or alike: pxeprefix.S sets up %cs first
_PXE_WORDS = b"UNDI code segment"


@dataclass(frozen=True, slots=True)
class Program:
    """A boot file. `arch` is pxed's name of the architecture it runs on, "" where the file does not tell."""

    text: str
    arch: str = ""
    ipxe: bool = False
    script: bool = False


def identify(head: bytes) -> Program:
    """What begins so; some hundred kilobytes tell all."""
    if head.startswith((b"#!ipxe", b"#!gpxe")):
        return Program("iPXE script", ipxe=True, script=True)
    if head[0x202:0x206] == b"HdrS":
        return Program("Linux kernel (bzImage)", "")
    if head.startswith(b"MZ") and (found := _pe(head)) is not None:
        return found
    if head.startswith(_PXE_JUMP) and _PXE_WORDS in head:
        return Program("PXE program for BIOS, iPXE", "x86-bios", ipxe=True)
    if head.startswith(b"\x7fELF"):
        return Program("ELF program")
    if head.startswith(b"\x1f\x8b"):
        return Program("gzip")
    if head.startswith((b"<", b"<!")):
        return Program("an HTML or XML page")
    return Program("unknown format" if head else "empty")


def _pe(head: bytes) -> Program | None:
    try:
        (start,) = struct.unpack_from("<I", head, 0x3C)
        machine, optional = struct.unpack_from("<4xH18xH", head, start)
        wide = optional == 0x20B
        directory = start + 24 + (112 if wide else 96) + 8 * _SECURITY_DIRECTORY
        _, signature = struct.unpack_from("<II", head, directory)
    except struct.error:
        return None
    if head[start : start + 4] != b"PE\0\0":
        return None
    name, arch = _MACHINES.get(machine, (f"machine {machine:#06x}", ""))
    ipxe = b"iPXE" in head
    words = [f"PE32+ {name}" if wide else f"PE32 {name}"]
    words += ["iPXE"] * ipxe + ["signed"] * bool(signature)
    return Program(", ".join(words), arch, ipxe)


def fits(program: Program, arch: str) -> bool:
    """Whether firmware of this architecture can run it, as far as the file tells."""
    return not program.arch or program.arch == arch
