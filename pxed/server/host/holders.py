"""Who has a port: asked of the kernel by sock_diag(7), which needs no privilege and works in the service's sandbox.

`/proc/*/fd` says which process a socket is of to root only (and ProtectProc=invisible hides it altogether). The control
group of a socket's maker is told to everybody (INET_DIAG_CGROUP_ID, Linux 5.7), and with it the systemd unit.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20  # <linux/netlink.h>, <linux/sock_diag.h>
_NLM_F_REQUEST_DUMP, _NLMSG_ERROR, _NLMSG_DONE = 0x301, 2, 3
_SKV6ONLY, _CGROUP_ID = 11, 21  # <linux/inet_diag.h>
_UNCONNECTED, _LISTENING = 1 << 7, 1 << 10  # states, as of TCP
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_ID = struct.Struct("!HH16s16s")  # ports and addresses; then =I interface, =Q cookie
_MESSAGE_BYTES = 72  # struct inet_diag_msg
_SYSTEMD_GROUP = "init.scope"


@dataclass(frozen=True, slots=True)
class Holder:
    """A socket that has a port. What cannot be told is empty."""

    address: str  # that it is bound to
    device: str = ""  # the interface that it is bound to
    user: str = ""  # of the process that made it
    unit: str = ""  # "dnsmasq.service"
    systemd: bool = False  # systemd itself made it, for a socket unit: then `unit` is that
    program: str = ""
    pid: int = 0
    command: str = ""


def holders(protocol: str, port: int) -> list[Holder]:
    """Every socket of this host ("UDP" or "TCP") that has the port for IPv4; none where the kernel does not say."""
    found: list[Holder] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            for message in _dump(family, protocol, port):
                holder = _holder(family, port, message)
                if holder is not None:
                    found.append(holder)
    return [*dict.fromkeys(found)]


def _dump(family: int, protocol: str, port: int) -> Iterator[bytes]:
    """The kernel's answers to: which sockets of that protocol have that port."""
    number, states = (socket.IPPROTO_UDP, _UNCONNECTED) if protocol == "UDP" else (socket.IPPROTO_TCP, _LISTENING)
    body = _REQUEST.pack(family, number, 0, states) + _ID.pack(port, 0, bytes(16), bytes(16)) + bytes(12)
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as sock:
        sock.settimeout(1.0)
        sock.send(header + body)
        while True:
            data = sock.recv(1 << 16)
            while len(data) >= _HEADER.size:
                length, kind, _, _, _ = _HEADER.unpack_from(data)
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    return
                yield data[_HEADER.size : length]
                data = data[(length + 3) & ~3 :]


def _holder(family: int, port: int, message: bytes) -> Holder | None:
    sport, _, source, _ = _ID.unpack_from(message, 4)
    if sport != port:
        return None
    attributes = _attributes(message[_MESSAGE_BYTES:])
    if family == socket.AF_INET6 and (attributes.get(_SKV6ONLY, b"\0")[0] or any(source)):
        return None  # not for IPv4
    index, uid, inode = struct.unpack_from("=I", message, 40)[0], *struct.unpack_from("=II", message, 64)
    group = _control_group(int.from_bytes(attributes.get(_CGROUP_ID, b""), "little"))
    address = socket.inet_ntoa(source[:4]) if family == socket.AF_INET else "0.0.0.0"
    holder = Holder(address, _device(index), _user(uid), unit_of(group))
    if Path(group).name == _SYSTEMD_GROUP:
        return replace(holder, unit=_socket_unit(port), systemd=True)
    return _with_process(holder, inode)


def _attributes(data: bytes) -> dict[int, bytes]:
    """rtattr(3) by their type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _control_group(number: int) -> str:
    """The path of a control group (version 2) below its mount; "" for one that is not found. Its id is its inode."""
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if number and Path(mount, "cgroup.procs").exists():
            for place, _, _ in os.walk(mount):
                with contextlib.suppress(OSError):
                    if os.stat(place).st_ino == number:  # noqa: PTH116 -- os.walk() gives strings
                        return place.removeprefix(mount)
    return ""


def unit_of(group: str) -> str:
    """The service of a control group: "/system.slice/dnsmasq.service/x" is of dnsmasq.service."""
    return next((part for part in group.split("/") if part.endswith(".service")), "")


def _socket_unit(port: int) -> str:
    """The socket unit that systemd has the port for: "" where it does not say."""
    words = ["systemctl", "list-sockets", "--all", "--full", "--no-legend", "--plain"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603
            words, capture_output=True, text=True, check=False, timeout=5
        )
        for line in done.stdout.splitlines():
            place, unit, *_ = [*line.split(), "", ""]
            if place.rpartition(":")[2] == str(port):
                return unit
    return ""


def _with_process(holder: Holder, inode: int) -> Holder:
    """With its program, where /proc shows it: to root, and of one's own processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _has(entry, inode):
            with contextlib.suppress(OSError):
                name = (entry / "comm").read_text().strip()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return replace(holder, program=name, pid=int(entry.name), command=command)
    return holder


def _has(process: Path, inode: int) -> bool:
    with contextlib.suppress(OSError):
        return any(os.readlink(entry) == f"socket:[{inode}]" for entry in (process / "fd").iterdir())  # noqa: PTH115
    return False


def _device(index: int) -> str:
    with contextlib.suppress(OSError):
        return socket.if_indextoname(index) if index else ""
    return ""


def _user(uid: int) -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)
