"""The machines' whole operating system: busybox, modules for virtio and e1000 cards, `guest_init.sh`, as one newc cpio.

Format of newc: Documentation/driver-api/early-userspace/buffer-format.rst of the Linux source.
"""

from __future__ import annotations

import functools
import gzip
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.kernel import Kernel

_BUSYBOX = Path("/bin/busybox")
_INIT = Path(__file__).with_name("guest_init.sh")
_MODULES = ("virtio_pci", "virtio_net", "af_packet", "virtio_rng", "e1000")


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of the archive."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)

    def encode(self, inode: int) -> bytes:
        """Header, name and content, each padded to four bytes."""
        name = self.name.encode() + b"\0"
        fields = [inode, self.mode, 0, 0, 1, 0, len(self.content), 0, 0, *self.device, len(name), 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        return _padded(head) + _padded(self.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def archive(entries: list[Entry]) -> bytes:
    """The cpio of these entries."""
    members = [*entries, Entry("TRAILER!!!", 0)]
    return b"".join(entry.encode(number) for number, entry in enumerate(members, 1))


def dependencies(module: Path) -> list[str]:
    """What a module says it needs: its .modinfo section holds "depends=a,b"."""
    found = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [name for name in found[1].decode().split(",") if name] if found else []


def load_order(kernel: Kernel, names: tuple[str, ...] = _MODULES) -> list[Path]:
    """The module files in the order in which they can be loaded; what is built in is left out."""
    order: list[Path] = []

    def visit(name: str) -> None:
        path = kernel.module(name)
        if path is None or path in order:
            return
        for needed in dependencies(path):
            visit(needed)
        order.append(path)

    for name in names:
        visit(name)
    return order


def _entries(kernel: Kernel) -> Iterator[Entry]:
    for directory in ("bin", "sbin", "usr", "usr/bin", "usr/sbin", "proc", "sys", "dev", "tmp", "lib"):
        yield Entry(directory, stat.S_IFDIR | 0o755)
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield Entry("bin/busybox", stat.S_IFREG | 0o755, _BUSYBOX.read_bytes())
    yield Entry("init", stat.S_IFREG | 0o755, _INIT.read_bytes())
    for number, module in enumerate(load_order(kernel)):
        yield Entry(f"lib/{number:02}-{module.name}", stat.S_IFREG | 0o644, module.read_bytes())


@functools.cache
def build(kernel: Kernel) -> bytes:
    """The initrd, compressed; the same bytes for the same kernel."""
    return gzip.compress(archive(list(_entries(kernel))), compresslevel=1, mtime=0)
