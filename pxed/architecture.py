"""Client system architectures: what option 93 says a firmware can run.

Registry: https://www.iana.org/assignments/dhcpv6-parameters/ "Processor Architecture Types" (RFC 4578, RFC 5970).
"""

from __future__ import annotations

from enum import IntEnum


class Architecture(IntEnum):
    """IANA's numbers. Firmware in the field uses 7 and 9 alike for x64 UEFI (RFC 4578 errata 4625 swaps 6, 7 and 9)."""

    X86_BIOS = 0x00
    NEC_PC98 = 0x01
    ITANIUM = 0x02
    ALPHA = 0x03
    ARC_X86 = 0x04
    INTEL_LEAN_CLIENT = 0x05
    X86_UEFI = 0x06
    X64_UEFI = 0x07
    XSCALE_UEFI = 0x08
    EBC = 0x09
    ARM32_UEFI = 0x0A
    ARM64_UEFI = 0x0B
    POWERPC_OPEN_FIRMWARE = 0x0C
    POWERPC_EPAPR = 0x0D
    POWER_OPAL = 0x0E
    X86_UEFI_HTTP = 0x0F
    X64_UEFI_HTTP = 0x10
    EBC_HTTP = 0x11
    ARM32_UEFI_HTTP = 0x12
    ARM64_UEFI_HTTP = 0x13
    X86_BIOS_HTTP = 0x14
    ARM32_UBOOT = 0x15
    ARM64_UBOOT = 0x16
    ARM32_UBOOT_HTTP = 0x17
    ARM64_UBOOT_HTTP = 0x18
    RISCV32_UEFI = 0x19
    RISCV32_UEFI_HTTP = 0x1A
    RISCV64_UEFI = 0x1B
    RISCV64_UEFI_HTTP = 0x1C
    RISCV128_UEFI = 0x1D
    RISCV128_UEFI_HTTP = 0x1E
    S390_BASIC = 0x1F
    S390_EXTENDED = 0x20
    MIPS32_UEFI = 0x21
    MIPS64_UEFI = 0x22
    SUNWAY32_UEFI = 0x23
    SUNWAY64_UEFI = 0x24
    LOONGARCH32_UEFI = 0x25
    LOONGARCH32_UEFI_HTTP = 0x26
    LOONGARCH64_UEFI = 0x27
    LOONGARCH64_UEFI_HTTP = 0x28
    ARM_RPI = 0x29


# The names that selectors, templates and logs use: CPU, then what starts it.
_NAMES: dict[str, tuple[Architecture, ...]] = {
    "x86-bios": (Architecture.X86_BIOS, Architecture.X86_BIOS_HTTP),
    "i386-efi": (Architecture.X86_UEFI, Architecture.X86_UEFI_HTTP),
    "x86_64-efi": (Architecture.X64_UEFI, Architecture.EBC, Architecture.X64_UEFI_HTTP, Architecture.EBC_HTTP),
    "arm-efi": (Architecture.ARM32_UEFI, Architecture.ARM32_UEFI_HTTP),
    "arm64-efi": (Architecture.ARM64_UEFI, Architecture.ARM64_UEFI_HTTP),
    "arm-uboot": (Architecture.ARM32_UBOOT, Architecture.ARM32_UBOOT_HTTP),
    "arm64-uboot": (Architecture.ARM64_UBOOT, Architecture.ARM64_UBOOT_HTTP),
    "riscv32-efi": (Architecture.RISCV32_UEFI, Architecture.RISCV32_UEFI_HTTP),
    "riscv64-efi": (Architecture.RISCV64_UEFI, Architecture.RISCV64_UEFI_HTTP),
    "riscv128-efi": (Architecture.RISCV128_UEFI, Architecture.RISCV128_UEFI_HTTP),
    "loongarch32-efi": (Architecture.LOONGARCH32_UEFI, Architecture.LOONGARCH32_UEFI_HTTP),
    "loongarch64-efi": (Architecture.LOONGARCH64_UEFI, Architecture.LOONGARCH64_UEFI_HTTP),
    "ia64-efi": (Architecture.ITANIUM,),
    "arm-rpi": (Architecture.ARM_RPI,),
}
_NAME_OF = {number: name for name, numbers in _NAMES.items() for number in numbers}

HTTP_BOOT = frozenset(a for a in Architecture if a.name.endswith("_HTTP"))
KNOWN_NAMES = frozenset(_NAMES) | frozenset(a.name.lower().replace("_", "-") for a in Architecture if a not in _NAME_OF)


def name_of(number: int) -> str:
    """The selector name of an option 93 number: "x86_64-efi"; "arch-99" for a number that is not registered."""
    if number in _NAME_OF:
        return _NAME_OF[Architecture(number)]
    try:
        return Architecture(number).name.lower().replace("_", "-")
    except ValueError:
        return f"arch-{number}"


def number_of(name: str) -> int:
    """An option 93 number for a name; that of x64 UEFI for a name that has none, as most firmware is."""
    return next(iter(_NAMES.get(name, ())), Architecture.X64_UEFI)


def without_http(number: int) -> int:
    """What the iPXE that UEFI HTTP Boot loaded says: the same architecture, started by PXE."""
    return Architecture[Architecture(number).name.removesuffix("_HTTP")] if number in HTTP_BOOT else number


# iPXE's ${buildarch} and ${platform} -> our name.
_IPXE_CPU = {
    "i386": "i386", "x86_64": "x86_64", "arm32": "arm", "arm64": "arm64",
    "riscv32": "riscv32", "riscv64": "riscv64", "loong64": "loongarch64",
}  # fmt: skip


def name_of_ipxe(buildarch: str, platform: str) -> str | None:
    """The name for what iPXE says of itself. A BIOS build says "i386" on a 64-bit CPU too."""
    if platform == "pcbios":
        return "x86-bios"
    cpu = _IPXE_CPU.get(buildarch)
    return f"{cpu}-efi" if cpu and platform == "efi" else None


# What a boot loader's file name says of the machine it is made for, in the order in which they are looked for.
_LOADER_WORDS = (
    ("loongarch64", "loongarch64-efi"), ("loong64", "loongarch64-efi"), ("riscv64", "riscv64-efi"),
    ("riscv32", "riscv32-efi"), ("arm64", "arm64-efi"), ("aa64", "arm64-efi"), ("aarch64", "arm64-efi"),
    ("arm32", "arm-efi"), ("i386", "i386-efi"), ("ia32", "i386-efi"),
)  # fmt: skip
_BIOS_SUFFIXES = (".kpxe", ".kkpxe", ".kkkpxe", ".pxe", ".lkrn", ".0")


def loader_is_for(file: str) -> str:
    """The name of the architecture that a loader's usual file name tells; "" when it tells nothing."""
    name = file.partition("?")[0].rpartition("/")[2].lower()
    if name.endswith(_BIOS_SUFFIXES):
        return "x86-bios"
    if not name.endswith(".efi"):
        return ""
    return next((arch for word, arch in _LOADER_WORDS if word in name), "x86_64-efi")
