"""systemd's file descriptor store: what it keeps open for the next process of this service.

sd_notify(3) FDSTORE=1, FDNAME=, FDPOLL=0, FDSTOREREMOVE=1; sd_notify_barrier(3) BARRIER=1; systemd.service(5)
FileDescriptorStoreMax=. What is kept comes back as LISTEN_FDS to every next process until it is removed by its name or
the unit is stopped. systemd does not say whether it has kept a descriptor: one that finds no room is closed, and before
254 nothing tells how much room there is. So a pipe is sent after it: when systemd closes that too, there was no room.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence

from pxed.server.systemd import Manager

AT_ONCE = 250  # descriptors of one message; SCM_MAX_FD is 253
LONGEST_NAME = 200  # FDNAME= takes 255


class FdStore:
    """The store of this service, behind its notify socket. Its calls wait for systemd, for a bounded time."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    @property
    def is_there(self) -> bool:
        """Whether there is a service manager at all."""
        return bool(self._manager.notify_socket)

    def keep(self, name: str, fds: Sequence[int]) -> bool:
        """Let systemd keep them, if it has room. FDPOLL=0: else it drops what has an error pending or was hung up."""
        messages = [fds[at : at + AT_ONCE] for at in range(0, len(fds), AT_ONCE)]
        return all(self._manager.notify("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", fds=some) for some in messages)

    def keep_all(self, name: str, fds: Sequence[int], seconds: float) -> bool:
        """The same, and whether systemd now has all of them. If not, none is kept under this name."""
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            sent = self.keep(name, fds) and self.keep(name, [theirs])
        finally:
            os.close(theirs)
        try:
            if sent and self.barrier(seconds) and not _is_hung_up(ours, 0.0):
                return True
        finally:
            os.close(ours)
        self.remove(name)
        return False

    def remove(self, name: str) -> None:
        """Let systemd close all that it keeps under this name."""
        self._manager.notify("FDSTOREREMOVE=1", f"FDNAME={name}")

    def barrier(self, seconds: float) -> bool:
        """Wait until systemd has done all that it was told; False when it has not in so many seconds."""
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            sent = self._manager.notify("BARRIER=1", fds=[theirs])
        finally:
            os.close(theirs)
        try:
            return sent and _is_hung_up(ours, seconds)
        finally:
            os.close(ours)


def fd_name(*words: str) -> str:
    """A name for the store: systemd takes printable ASCII without colons."""
    text = "-".join(word for word in words if word)
    plain = "".join(char if char.isascii() and char.isprintable() and char != ":" else "_" for char in text)
    return plain[:LONGEST_NAME]


def _is_hung_up(pipe: int, seconds: float) -> bool:
    """Whether nobody has the other end of a pipe any more, within so many seconds."""
    poll, end = select.poll(), time.monotonic() + seconds
    poll.register(pipe, 0)  # POLLHUP is told always
    while True:
        left = max(0.0, end - time.monotonic())
        if poll.poll(left * 1000):
            return True
        if left == 0.0:
            return False
