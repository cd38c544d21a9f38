"""A service manager as systemd is one to a daemon of Type=notify: notify socket, file descriptor store, restarts.

After systemd 252's src/core/service.c: a descriptor that the store has already is closed (same_fd(), which is kcmp(2));
one that finds no room is closed, and so is the rest of its message; the newest comes first in LISTEN_FDS; the store
outlives a restart and a crash, and is let go of at a stop. The real one is in tests/e2e.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PXED = Path(sys.executable).with_name("pxed")
ROOM = 512
_KCMP, _KCMP_FILE = 312, 0
_LIBC = ctypes.CDLL(None, use_errno=True)
# Puts the descriptors FDS at 3 and up, as systemd does between fork and exec, and says whose they are.
_LAUNCHER = """
import os, sys
fds = [int(fd) for fd in os.environ.pop("FDS").split()]
copies = [os.dup2(fd, 5000 + at, inheritable=False) for at, fd in enumerate(fds)]
for fd in fds:
    os.close(fd)
for at, fd in enumerate(copies):
    os.dup2(fd, 3 + at, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


class ServiceManager:
    """One unit."""

    def __init__(self, home: Path, config: Path, room: int = ROOM, *, prefix: tuple[str, ...] = ()) -> None:
        self.config = config
        self.room = room
        self.store: list[tuple[str, int]] = []
        self.units: list[tuple[str, int]] = []  # descriptors of socket units
        self.log = home / "pxed.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.said: queue.Queue[str] = queue.Queue()
        self._prefix = prefix
        self._address = str(home / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    # The unit

    def start(self) -> None:
        """A process that has said READY."""
        fds = [*self.units, *self.store]
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": self._address,
            "FDS": " ".join(str(fd) for _, fd in fds),
            "LISTEN_FDS": str(len(fds)),
            "LISTEN_FDNAMES": ":".join(name for name, _ in fds),
        }
        command = [*self._prefix, sys.executable, "-c", _LAUNCHER, str(PXED), "serve", "-c", str(self.config)]
        command += ["--log-format", "json", "--log-level", "debug"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, pass_fds=[fd for _, fd in fds], stderr=log, start_new_session=True
            )
        self.wait_for("READY=1")

    def restart(self) -> None:
        """systemctl restart."""
        self.end(signal.SIGTERM)
        self.start()

    def crash(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Its exit code."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        return self.process.wait(60)

    def stop(self) -> None:
        """systemctl stop."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGTERM)
        self.forget()

    def forget(self) -> None:
        """Let go of the store."""
        for _, fd in self.store:
            os.close(fd)
        self.store.clear()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.forget()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def wait_for(self, word: str) -> str:
        """A message with this word in it, or the end of the log in an error."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                if word in (said := self.said.get(timeout=0.1)):
                    return said
            if self.process is not None and self.process.poll() is not None:
                break
        raise AssertionError(f"no {word}; its log ends: {self.log.read_text()[-2000:]}")

    def names(self) -> list[str]:
        return [name for name, _ in self.store]

    # Messages

    def _listen(self) -> None:
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
            if not data:
                return
            fds = [fd for level, kind, raw in ancillary for fd in _fds(level, kind, raw)]
            fields = dict(line.partition("=")[::2] for line in data.decode().splitlines())
            self._take(fields, fds)
            self.said.put(data.decode())

    def _take(self, fields: Mapping[str, str], fds: list[int]) -> None:
        name = fields.get("FDNAME", "stored")
        if fields.get("FDSTOREREMOVE") == "1":
            for entry in [entry for entry in self.store if entry[0] == name]:
                self.store.remove(entry)
                os.close(entry[1])
        keep = fields.get("FDSTORE") == "1"
        for fd in fds:
            if not keep or len(self.store) >= self.room or any(_same(fd, known) for _, known in self.store):
                keep = keep and len(self.store) < self.room
                os.close(fd)
            else:
                os.set_inheritable(fd, False)
                self.store.insert(0, (name, fd))


def _fds(level: int, kind: int, raw: bytes) -> list[int]:
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    return [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]


def _same(one: int, other: int) -> bool:
    """Whether two descriptors are of one open file description."""
    pid = os.getpid()
    return bool(_LIBC.syscall(_KCMP, pid, pid, _KCMP_FILE, one, other) == 0)


@contextlib.contextmanager
def managing(home: Path, config: Path, room: int = ROOM, **more: tuple[str, ...]) -> Iterator[ServiceManager]:
    """A unit for the length of the block, not started yet."""
    manager = ServiceManager(home, config, room, **more)
    try:
        yield manager
    finally:
        manager.close()
