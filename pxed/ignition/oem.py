"""A cpio archive that brings a machine its config as a further initrd, with no fetch over the network.

The kernel unpacks every initrd into one root; Flatcar's initramfs then takes usr/share/oem/config.ign for the user's
config and usr/share/oem/base/base.ign for one under it (https://www.flatcar.org/docs/latest/installing/bare-metal/
booting-with-pxe/, "Adding a custom OEM"). The format is newc, gzipped (the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst). The same files give the same bytes. Links, devices and
owners other than root are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pxed.errors import PxedError

CONFIG = "usr/share/oem/config.ign"
BASE = "usr/share/oem/base/base.ign"
_DIRECTORY, _FILE = 0o040000, 0o100000
_LARGEST = 0xFFFF_FFFF  # a size has eight hexadecimal digits
_LONGEST = 4095  # bytes of a path; the kernel leaves out what is longer (init/initramfs.c, PATH_MAX)
_TRAILER = "TRAILER!!!"  # ends an archive, so no file can have this name
_PROGRAMS = (b"#!", b"\x7fELF")
_LEVEL = 1  # of gzip; level 9 takes three times as long for 7 % less


class OemError(PxedError):
    """A file that an initrd cannot hold; says which and why."""


@dataclass(frozen=True, slots=True)
class OemFile:
    """A file of the initrd, by its path in it without a slash at the front; it belongs to root."""

    path: str
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    mode: int
    links: int
    data: bytes = b""


def oem_config(config: bytes | None, base: bytes | None = None, extra: Mapping[str, bytes] | None = None) -> bytes:
    """An initrd with a config for Ignition, a base config under it, and further files by their paths in the initrd.

    Scripts and programs among the further files are executable. Raises OemError.
    """
    files = [OemFile(path, body) for path, body in ((CONFIG, config), (BASE, base)) if body is not None]
    for path, data in (extra or {}).items():
        files.append(OemFile(path, data, 0o755 if data.startswith(_PROGRAMS) else 0o644))
    return oem_cpio(files)


def oem_cpio(files: Sequence[OemFile]) -> bytes:
    """A gzipped newc archive of the files, each directory before what is in it. Raises OemError."""
    for file in files:
        _check(file)
    entries = [*_directories(files), *(_Entry(file.path, _FILE | file.mode, 1, file.data) for file in files)]
    entries.sort(key=lambda entry: entry.path.split("/"))
    for before, after in pairwise(entries):
        if before.path == after.path:
            raise OemError(f"the initrd's file {after.path} is given twice, or is a directory of another file as well")
    parts = [_newc(number, entry) for number, entry in enumerate(entries, start=1)]
    return zlib.compress(b"".join((*parts, _newc(0, _Entry(_TRAILER, 0, 1)))), _LEVEL, wbits=31)


def _check(file: OemFile) -> None:
    parts = file.path.split("/")
    if parts[0] == _TRAILER or any(part in {"", ".", ".."} for part in parts) or not file.path.isprintable():
        expected = "expected a path such as usr/share/oem/config.ign: relative, without empty parts, . or .."
        raise OemError(f"the initrd cannot hold a file named {file.path!r}; {expected}")
    if len(file.path.encode()) > _LONGEST:
        raise OemError(f"the initrd cannot hold a file whose path has more than {_LONGEST} bytes: {file.path[:60]}...")
    if not 0 <= file.mode <= 0o7777:
        raise OemError(f"the initrd's file {file.path} has the mode {file.mode:o}; expected 0 to 7777")
    if len(file.data) > _LARGEST:
        raise OemError(f"the initrd's file {file.path} is too large; expected less than 4 GiB")


def _directories(files: Iterable[OemFile]) -> Iterator[_Entry]:
    found = {parent for file in files for parent in _parents(file.path)}
    for path in found:
        children = sum(1 for other in found if other.rpartition("/")[0] == path)
        yield _Entry(path, _DIRECTORY | 0o755, 2 + children)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _newc(number: int, entry: _Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    # Inode, mode, owner, group, links, time, size; device and special device by major and minor; name, checksum.
    fields = (number, entry.mode, 0, 0, entry.links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
