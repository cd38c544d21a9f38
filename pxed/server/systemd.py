"""What systemd and a daemon tell each other: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)."""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FIRST_FD = 3  # SD_LISTEN_FDS_START
MOST_FDS = 16_384  # far more than systemd/pxed.service lets systemd keep
PATIENCE = 5.0  # seconds for systemd to take a message: its queue may be full
UNNAMED = "unknown"  # what systemd itself calls a socket without FileDescriptorName=


@dataclass(frozen=True, slots=True)
class Manager:
    """The service manager, from the environment that it gave us."""

    notify_socket: str = ""
    watchdog_seconds: float = 0.0  # 0: no watchdog

    def notify(self, *states: str, fds: Sequence[int] = ()) -> bool:
        """Send "READY=1" and the like, with at most 253 descriptors (SCM_MAX_FD); nothing happens where nobody listens.
        Whether it was sent."""
        if not self.notify_socket:
            return False
        address = "\0" + self.notify_socket[1:] if self.notify_socket.startswith("@") else self.notify_socket
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(PATIENCE)
                sock.sendmsg(["\n".join(states).encode()], rights, 0, address)
        except OSError:
            return False
        return True

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


def listen_fds(environment: Mapping[str, str], pid: int) -> list[tuple[str, int]]:
    """The descriptors handed over, each with its name: FileDescriptorName= of a socket unit, FDNAME= of the store."""
    if environment.get("LISTEN_PID") != str(pid) or not environment.get("LISTEN_FDS", "").isdigit():
        return []
    count = min(int(environment["LISTEN_FDS"]), MOST_FDS)
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [UNNAMED] * (count - len(names))
    for fd in range(FIRST_FD, FIRST_FD + count):
        os.set_inheritable(fd, False)
    return [(names[at], FIRST_FD + at) for at in range(count)]
