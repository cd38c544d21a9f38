"""A stand-in for a Flatcar release: Debian's kernel, and an initramfs in which Debian's real Ignition runs.

It goes by Flatcar's file names and does with Ignition what Flatcar's initramfs does (flatcar_init.sh). Unlike Flatcar's
kernel, this one embeds no initramfs: the cpio brings init along. There is no usr.squashfs.
"""

from __future__ import annotations

import functools
import gzip
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cache import cached
from tests.lab.initrd import Entry, archive, load_order
from tests.lab.kernel import Kernel, kernel
from tests.lab.process import LabError, run

KERNEL = "flatcar_production_pxe.vmlinuz"
CPIO = "flatcar_production_pxe_image.cpio.gz"

_BUSYBOX = Path("/bin/busybox")
IGNITION = Path("/usr/lib/dracut/modules.d/30ignition/ignition")  # where Debian puts it
_INIT = Path(__file__).with_name("flatcar_init.sh")
_ACCOUNTS = ("groupadd", "useradd", "usermod")  # Ignition calls these for the section passwd
_PROGRAMS = {"usr/bin/ignition": IGNITION} | {f"usr/sbin/{name}": Path("/usr/sbin", name) for name in _ACCOUNTS}
_DIRECTORIES = ("bin", "sbin", "lib/modules", "proc", "sys", "dev", "run", "tmp", "sysroot", "etc", "usr/bin")
# Ignition 2.14 as Debian builds it labels every file that it has written, and fails where it cannot. The guest's kernel
# has no SELinux policy: there is nothing to label, so this only takes the list.
_SETFILES = b"#!/bin/sh\nexec cat >/dev/null\n"
# What Ignition finds in /sysroot: the user core and the file that names the SELinux policy, as in Flatcar.
_SKELETON = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:Flatcar Admin:/home/core:/bin/bash\n",
    "etc/shadow": b"root:*:19000::::::\ncore:*:19000::::::\n",
    "etc/group": b"root:x:0:\ndocker:x:233:core\ncore:x:500:\n",
    "etc/gshadow": b"root:*::\ndocker:*::core\ncore:!::\n",
    "etc/selinux/config": b"SELINUX=permissive\nSELINUXTYPE=mcs\n",
    "etc/selinux/mcs/contexts/files/file_contexts": b"",
}


@dataclass(frozen=True, slots=True)
class Release:
    """The two files that a PXE boot loads."""

    version: str
    kernel: Path
    cpio: bytes

    def files(self) -> dict[str, bytes]:
        """Both, by the names that the release server gives them."""
        return {KERNEL: self.kernel.read_bytes(), CPIO: self.cpio}


def libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, with the loader itself, as ldd(1) finds them."""
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", run("ldd", str(program)))]


def _programs() -> Iterator[Entry]:
    """Each program at its place, and every library that one of them needs."""
    found: dict[str, Path] = {}
    for place, program in _PROGRAMS.items():
        if not program.exists():
            raise LabError(f"{program} is not there: run make setup")
        found[place] = program
        found |= {str(path).lstrip("/"): path for path in libraries(program)}
    for place, path in sorted(found.items()):
        yield Entry(place, stat.S_IFREG | 0o755, path.read_bytes())


def _entries(found: Kernel) -> Iterator[Entry]:
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield Entry("bin/busybox", stat.S_IFREG | 0o755, _BUSYBOX.read_bytes())
    yield Entry("init", stat.S_IFREG | 0o755, _INIT.read_bytes())
    yield Entry("usr/sbin/setfiles", stat.S_IFREG | 0o755, _SETFILES)
    yield from _programs()
    for number, module in enumerate(load_order(found)):
        yield Entry(f"lib/modules/{number:02}-{module.name}", stat.S_IFREG | 0o644, module.read_bytes())
    for path, content in _SKELETON.items():
        yield Entry(f"usr/share/skeleton/{path}", stat.S_IFREG | 0o644, content)


def _parents(names: Iterable[str]) -> list[Entry]:
    """The directories above these names: the kernel makes none by itself."""
    above = {str(parent) for name in names for parent in Path(name).parents} - {"."}
    return [Entry(name, stat.S_IFDIR | 0o755) for name in sorted(above)]


def tree(entries: Iterable[Entry], directories: Iterable[str] = ()) -> list[Entry]:
    """The entries, after the directories that they are in and the empty ones that are wanted."""
    members = list(entries)
    return [*_parents([*(entry.name for entry in members), *(f"{name}/x" for name in directories)]), *members]


@functools.cache
def _system() -> bytes:
    """The initramfs but for the release's own file, compressed; kept in the cache by what went into it."""
    raw = archive(tree(_entries(kernel()), _DIRECTORIES))
    return cached("flatcar", raw, ".cpio.gz", lambda: gzip.compress(raw, compresslevel=6, mtime=0)).read_bytes()


def os_release(version: str) -> bytes:
    """An archive with nothing but the release's own name, compressed."""
    text = f"ID=flatcar\nVERSION={version}\nVERSION_ID={version}\n"
    return gzip.compress(archive(tree([Entry("usr/lib/os-release", stat.S_IFREG | 0o644, text.encode())])), mtime=0)


def release(version: str, *more: bytes) -> Release:
    """The stand-in of this version. It prints its version when it boots. `more`: archives with further files."""
    # One archive after another: the kernel reads them all (initramfs buffer format).
    return Release(version, kernel().image, b"".join([_system(), *more, os_release(version)]))
