"""What the stand-in release starts after Ignition: Debian's own systemd, udev and tools, as a second archive.

flatcar_live.sh puts it below /sysroot/usr and starts systemd there, so units that Ignition wrote run for real. The
programs are those that Flatcar has and an installer's script may use. Left out: D-Bus, logins, a network manager (the
network is up from the initramfs).
"""

from __future__ import annotations

import functools
import gzip
import stat
from collections.abc import Iterator
from pathlib import Path

from tests.lab.cache import cached
from tests.lab.flatcar import libraries, tree
from tests.lab.initrd import Entry, archive, load_order
from tests.lab.kernel import kernel
from tests.lab.process import LabError

_HERE = Path(__file__).parent
_HOME = "usr/lib/laboratory"
_MODULES = ("virtio_blk", "ahci", "sd_mod", "ext4", "crc32c_generic")
_PROGRAMS = (
    *("lib/systemd/systemd", "lib/systemd/systemd-journald", "lib/systemd/systemd-shutdown"),
    *("bin/systemctl", "bin/journalctl", "bin/udevadm", "bin/systemd-notify", "bin/systemd-cat"),
    *("bin/bash", "bin/curl", "bin/wget", "bin/gpg", "bin/gpg-agent", "bin/bzip2"),
    *("bin/lsblk", "sbin/blkid", "sbin/blockdev", "sbin/wipefs", "bin/findmnt"),
    *("bin/dd", "bin/mktemp", "bin/cp", "bin/sort", "bin/stat", "bin/timeout", "bin/mount", "bin/umount"),
    *("lib/udev/ata_id", "lib/udev/scsi_id"),
)
_TARGETS = (
    *("basic", "final", "getty", "graphical", "local-fs-pre", "local-fs", "multi-user", "network-online"),
    *("network-pre", "network", "nss-lookup", "paths", "poweroff", "reboot", "remote-fs-pre", "remote-fs", "shutdown"),
    *("slices", "sockets", "swap", "sysinit", "time-set", "time-sync", "timers", "umount"),
)
_SERVICES = (
    *("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"),
    *("systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
    *("systemd-udev-trigger.service", "systemd-reboot.service", "systemd-poweroff.service"),
)
_WANTED = {
    "sysinit.target": ("systemd-journald.service", "systemd-udevd.service", "systemd-udev-trigger.service"),
    "sockets.target": tuple(name for name in _SERVICES if name.endswith(".socket")),
}
_RULES = ("50-udev-default", "60-block", "60-persistent-storage", "99-systemd")
# Debian's unit brings up every device there is, which takes an emulated processor seconds: only disks matter here.
_COLDPLUG = b"[Service]\nExecStart=\nExecStart=udevadm trigger --subsystem-match=block --settle\n"
_LINKS = {
    "usr/lib/systemd/systemd-udevd": "/usr/bin/udevadm",
    "usr/lib/systemd/system/default.target": "multi-user.target",
    "usr/bin/sh": "bash",
    **{f"usr/sbin/{name}": "/usr/bin/systemctl" for name in ("reboot", "poweroff", "halt", "shutdown")},
}


def _file(name: str, source: Path, mode: int = 0o644) -> Entry:
    if not source.exists():
        raise LabError(f"{source} is not there: run make setup")
    return Entry(name, stat.S_IFREG | mode, source.read_bytes())


def _programs() -> Iterator[Entry]:
    """Each program and each library once, all below usr/: the system has merged directories, as Flatcar."""
    found = {f"usr/{place}": Path("/usr", place) for place in _PROGRAMS}
    for program in list(found.values()):
        found |= {_merged(path): path for path in libraries(program)}
    for place, path in sorted(found.items()):
        yield _file(place, path, 0o755)


def _merged(path: Path) -> str:
    name = str(path).lstrip("/")
    return name if name.startswith("usr/") else f"usr/{name}"


def _units() -> Iterator[Entry]:
    home = "usr/lib/systemd/system"
    for name in [*(f"{target}.target" for target in _TARGETS), *_SERVICES]:
        yield _file(f"{home}/{name}", Path("/", home, name))
    for target, names in _WANTED.items():
        for name in names:
            yield Entry(f"{home}/{target}.wants/{name}", stat.S_IFLNK | 0o777, f"../{name}".encode())
    yield Entry(f"{home}/systemd-udev-trigger.service.d/disks.conf", stat.S_IFREG | 0o644, _COLDPLUG)
    for name in _RULES:
        yield _file(f"usr/lib/udev/rules.d/{name}.rules", Path("/usr/lib/udev/rules.d", f"{name}.rules"))


def _entries() -> Iterator[Entry]:
    yield from _programs()
    yield from _units()
    yield _file(f"{_HOME}/hand-over", _HERE / "flatcar_live.sh", 0o755)
    yield _file("usr/bin/flatcar-install", _HERE / "flatcar_install.sh", 0o755)
    yield _file("usr/bin/busybox", Path("/bin/busybox"), 0o755)
    for number, module in enumerate(load_order(kernel(), _MODULES)):
        yield _file(f"{_HOME}/modules/{number:02}-{module.name}", module)
    for name, target in _LINKS.items():
        yield Entry(name, stat.S_IFLNK | 0o777, target.encode())


@functools.cache
def build() -> bytes:
    """The archive, compressed; kept in the cache by what went into it."""
    raw = archive(tree(_entries()))
    return cached("live", raw, ".cpio.gz", lambda: gzip.compress(raw, compresslevel=6, mtime=0)).read_bytes()
