"""A laboratory that stays up after the command that made it (`make run KEEP=1`), until `make down`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.lab import netns
from tests.lab.process import ROOT


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that we started: its number and the time it was started at, so that a reused number is not ours."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Owned:
        """A running process of ours."""
        return cls(pid, _start_time(pid))

    def alive(self) -> bool:
        """Whether it still runs."""
        return bool(self.started) and _start_time(self.pid) == self.started

    def end(self, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds."""
        if not self.alive():
            return
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                os.kill(self.pid, signal.SIGTERM)
                if not select.select([handle], [], [], grace)[0]:
                    os.kill(self.pid, signal.SIGKILL)
            finally:
                os.close(handle)


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); "" if there is no such process, or only its remains."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """The laboratory of this name: its network's prefix, its directory, and what `down` shall end."""

    name: str = "keep"

    @property
    def prefix(self) -> str:
        return f"pxed-{self.name}"

    @property
    def home(self) -> Path:
        return ROOT / ".run" / self.name

    @property
    def _state(self) -> Path:
        return self.home / "state.json"

    def remember(self, pids: Iterable[int]) -> None:
        """Write down the processes that `down` shall end."""
        self._state.write_text(json.dumps([[pid, Owned.of(pid).started] for pid in pids]))

    def down(self) -> bool:
        """End the processes and remove the network, if they are there; whether they were."""
        there = self._state.exists()
        if there:
            for pid, started in json.loads(self._state.read_text()):
                Owned(pid, started).end()
            self._state.unlink()
        netns.down(self.prefix)
        return there
