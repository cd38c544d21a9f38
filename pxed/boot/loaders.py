"""Architecture -> boot loader. The defaults are the file names of iPXE's own builds (Debian package `ipxe`).

snponly.efi is the default for UEFI: it uses the firmware's network driver, where ipxe.efi's own drivers hang on some
cards (bnxt, mlx5, ice: ipxe issues 972, 1023, 1123). undionly.kpxe is the same choice for BIOS.
"""

from __future__ import annotations

from collections.abc import Mapping

from pxed.architecture import Architecture
from pxed.inventory.model import LoaderKey

# The key of `server.loaders` for each architecture that iPXE is built for.
LOADER_KEY: Mapping[int, LoaderKey] = {
    Architecture.X86_BIOS: "bios",
    Architecture.X86_BIOS_HTTP: "bios",
    Architecture.X86_UEFI: "efi32",
    Architecture.X86_UEFI_HTTP: "efi32",
    Architecture.X64_UEFI: "efi64",
    Architecture.X64_UEFI_HTTP: "efi64",
    Architecture.EBC: "efi64",  # "EBC" in the registry, x64 in RFC 4578 and in real firmware
    Architecture.EBC_HTTP: "efi64",
    Architecture.ARM32_UEFI: "arm32",
    Architecture.ARM32_UEFI_HTTP: "arm32",
    Architecture.ARM64_UEFI: "arm64",
    Architecture.ARM64_UEFI_HTTP: "arm64",
    Architecture.RISCV32_UEFI: "riscv32",
    Architecture.RISCV32_UEFI_HTTP: "riscv32",
    Architecture.RISCV64_UEFI: "riscv64",
    Architecture.RISCV64_UEFI_HTTP: "riscv64",
    Architecture.LOONGARCH64_UEFI: "loong64",
    Architecture.LOONGARCH64_UEFI_HTTP: "loong64",
}

DEFAULT_LOADERS: Mapping[LoaderKey, str] = {
    "bios": "undionly.kpxe",
    "efi32": "snponly-i386.efi",
    "efi64": "snponly.efi",
    "arm32": "snponly-arm32.efi",
    "arm64": "snponly-arm64.efi",
    "riscv32": "snponly-riscv32.efi",
    "riscv64": "snponly-riscv64.efi",
    "loong64": "snponly-loong64.efi",
}


def supported(architectures: tuple[int, ...]) -> int | None:
    """The first architecture of option 93 that there is a boot loader for. No option 93 means BIOS (RFC 4578 4)."""
    if not architectures:
        return Architecture.X86_BIOS
    for number in architectures:
        if number in LOADER_KEY:
            return number
    return None
