"""Make an iPXE ROM look like a PXE ROM that is not iPXE.

Debian has no such ROM. This sits between QEMU and the tap, as a process of its own, and blanks what tells iPXE apart in
the DHCP messages that the machine sends: options 77 (user class) and 175 (iPXE's own) become pad bytes, so that no
length changes.
From the machine's first TFTP request on it changes nothing: what speaks after that is the boot loader that was fetched.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys
from pathlib import Path

_TUNSETIFF = 0x400454CA
_IFF_TAP_NO_PI = 0x0002 | 0x1000
_HIDDEN = (77, 175)
_FRAME = 65536


def _udp_at(frame: bytes | bytearray) -> int:
    """Where the UDP header begins; 0 if there is none."""
    if frame[12:14] != b"\x08\x00" or len(frame) < 42 or frame[23] != 17:
        return 0
    return 14 + (frame[14] & 15) * 4


def is_tftp_request(frame: bytes) -> bool:
    """Whether the machine asks a TFTP server for a file."""
    udp = _udp_at(frame)
    return bool(udp) and frame[udp + 2 : udp + 4] == b"\x00\x45"


def disguise(frame: bytes) -> bytes:
    """The frame, without iPXE's marks if it is a DHCP request."""
    udp = _udp_at(frame)
    if not udp or frame[udp : udp + 2] not in (b"\x00\x44", b"\x0f\xab") or len(frame) < udp + 8 + 240:
        return frame
    changed = bytearray(frame)
    changed[udp + 6 : udp + 8] = b"\0\0"  # no UDP checksum, which IPv4 allows
    at = udp + 8 + 240
    while at + 1 < len(changed) and changed[at] != 255:
        end = at + 1 if changed[at] == 0 else at + 2 + changed[at + 1]
        if changed[at] in _HIDDEN:
            changed[at:end] = bytes(end - at)
        at = end
    return bytes(changed)


def _open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TAP_NO_PI))
    return tap


def netdev(directory: Path) -> str:
    """The QEMU back end that speaks to this process."""
    ends = f"local.type=unix,local.path={directory}/rom.qemu,remote.type=unix,remote.path={directory}/rom.wire"
    return f"dgram,id=net,{ends}"


def bridge(tap_name: str, directory: Path) -> None:
    """Pass frames between QEMU and the tap until killed."""
    tap = _open_tap(tap_name)
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    wire.bind(f"{directory}/rom.wire")
    print("ready", flush=True)
    hiding = True
    while True:
        for ready in select.select([tap, wire.fileno()], [], [])[0]:
            if ready != tap:
                frame = wire.recv(_FRAME)
                hiding = hiding and not is_tftp_request(frame)
                os.write(tap, disguise(frame) if hiding else frame)
            else:
                _give(wire, os.read(tap, _FRAME), f"{directory}/rom.qemu")


def _give(wire: socket.socket, frame: bytes, target: str) -> None:
    """To QEMU; before it has bound its end, and after it has gone, nobody hears."""
    try:
        wire.sendto(frame, target)
    except (FileNotFoundError, ConnectionRefusedError):
        return


if __name__ == "__main__":
    bridge(sys.argv[1], Path(sys.argv[2]))
