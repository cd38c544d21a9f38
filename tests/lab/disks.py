"""Disks of the laboratory's machines: sparse files that stay while the machine is off, and starting it again.

A disk comes after the network in the order in which the firmware tries them, as in a rack that is always asked first.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_GIB = 1 << 30


def file(directory: Path, name: str, number: int) -> Path:
    """Where the content of a machine's disk is."""
    return directory / f"{name}.disk{number}"


def identity(serial: str, number: int) -> str:
    """The disk's serial number: udev makes /dev/disk/by-id/virtio-SERIAL of it (20 characters at most)."""
    return f"{serial}-{number}"


def arguments(directory: Path, name: str, serial: str, sizes: tuple[int, ...]) -> list[str]:
    """QEMU's arguments for disks of so many GiB. The files are made if there are none: empty, and taking no room."""
    argv: list[str] = []
    for number, size in enumerate(sizes):
        path = file(directory, name, number)
        if not path.exists():
            with path.open("wb") as made:
                made.truncate(size * _GIB)
        argv += ["-drive", f"if=none,id=disk{number},format=raw,cache=unsafe,discard=unmap,file={path}"]
        device = f"virtio-blk-pci,drive=disk{number},serial={identity(serial, number)}"
        argv += ["-device", f"{device},bootindex={number + 1}"]
    return argv


# QEMU ends where the guest reboots (-no-reboot), and starts again: its second boot in one process is several times
# slower, for what the first one ran is still known as code (QEMU 7.2, page_collection_lock). Any failure ends it.
_ON_AND_ON = 'while setpriv --pdeathsig KILL -- "$@" || [ $? = 137 ]; do :; done'


def on_and_on(argv: list[str]) -> list[str]:
    """QEMU's command line in a loop: a machine that reboots, switches itself off or is `reset` starts again."""
    return ["bash", "-c", _ON_AND_ON, "machine", *argv]


def reset(pid: int) -> None:
    """Press the reset button of the machine whose loop is this process."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
