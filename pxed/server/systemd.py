"""What systemd and a daemon tell each other: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_FD = 3  # SD_LISTEN_FDS_START
MOST_FDS = 64


@dataclass(frozen=True, slots=True)
class Manager:
    """The service manager, from the environment that it gave us."""

    notify_socket: str = ""
    watchdog_seconds: float = 0.0  # 0: no watchdog

    def notify(self, *states: str) -> None:
        """Send "READY=1" and the like; nothing happens where nobody listens."""
        if not self.notify_socket:
            return
        address = "\0" + self.notify_socket[1:] if self.notify_socket.startswith("@") else self.notify_socket
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.sendto("\n".join(states).encode(), address)

    def ready(self, status: str) -> None:
        self.notify("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """systemd 253 wants the time as well (Type=notify-reload)."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self.notify("STOPPING=1", "STATUS=letting transfers end")

    def alive(self) -> None:
        self.notify("WATCHDOG=1")


def manager(environment: Mapping[str, str], pid: int) -> Manager:
    """The manager that `environment` tells of; WATCHDOG_USEC counts only when it is meant for this process."""
    meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    microseconds = environment.get("WATCHDOG_USEC", "0") if meant else "0"
    return Manager(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if microseconds.isdigit() else 0.0)


def listen_fds(environment: Mapping[str, str], pid: int) -> dict[str, list[socket.socket]]:
    """The sockets handed over, by FileDescriptorName=: dhcp, bootserver, tftp, http."""
    if environment.get("LISTEN_PID") != str(pid) or not environment.get("LISTEN_FDS", "").isdigit():
        return {}
    count = min(int(environment["LISTEN_FDS"]), MOST_FDS)
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    for offset in range(count):
        sock = socket.socket(fileno=FIRST_FD + offset)
        sock.set_inheritable(False)
        name = names[offset] if offset < len(names) else "unknown"
        found.setdefault(name, []).append(sock)
    return found
