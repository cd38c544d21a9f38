"""Disks of the laboratory's machines: sparse files that stay while the machine is off, and a switch to reset it.

A disk comes after the network in the order in which the firmware tries them, as in a rack that is always asked first.
"""

from __future__ import annotations

import socket
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


def monitor(path: Path) -> list[str]:
    """QEMU's arguments for a monitor at this socket."""
    return ["-monitor", f"unix:{path},server=on,wait=off"]


def reset(path: Path) -> None:
    """Press the reset button of the machine with this monitor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(10)
        line.connect(str(path))
        line.sendall(b"system_reset\n")
        said = b""
        while said.count(b"(qemu)") < 2:  # the prompt before the command, and the one after it
            said += line.recv(4096) or b"(qemu)" * 2
