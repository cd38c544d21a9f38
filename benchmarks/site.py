"""What all contenders hand out and whom they know: the same files (seeded bytes) and the same machines."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks import tools
from benchmarks.bootload import FIRST_MAC

DATA = tools.CACHE / "data"
LOADERS = DATA / "loaders"
IMAGES = DATA / "images"
LOADER = LOADERS / "bench.efi"  # the size of a boot loader: iPXE for UEFI is 0.3 to 1.0 MB
LARGE = LOADERS / "large.bin"  # an initrd by TFTP
IMAGE = IMAGES / "image.bin"  # an initrd by HTTP
SIZES = {LOADER: 1_000_003, LARGE: 16_000_003, IMAGE: 64_000_003}


def lay() -> None:
    """Write the files that are not there yet; their bytes do not repeat, so that a block out of place is seen."""
    for path, size in SIZES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(random.Random(size).randbytes(size))


def macs(count: int) -> list[str]:
    """The MACs that the load asks from, in its order: 52:54:00:10:00:01 and on."""
    return [_mac(FIRST_MAC + step) for step in range(count)]


def _mac(tail: int) -> str:
    return "52:54:" + tail.to_bytes(4, "big").hex(":")


def write(name: str, text: str) -> Path:
    """A contender's configuration file."""
    path = tools.CACHE / "config" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
