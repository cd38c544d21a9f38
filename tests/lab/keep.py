"""A laboratory that stays up after the command that made it (`make run KEEP=1`), until `make down`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.lab import netns
from tests.lab.process import ROOT

PREFIX = "pxed-keep"
HOME = ROOT / ".run" / "keep"
_STATE = HOME / "state.json"


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that we started: its number and the time it was started at, so that a reused number is not ours."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Owned:
        return cls(pid, _start_time(pid))

    def alive(self) -> bool:
        return bool(self.started) and _start_time(self.pid) == self.started


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); "" if there is no such process, or only its remains."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def remember(pids: list[int]) -> None:
    """Write down what `down` shall end."""
    _STATE.write_text(json.dumps([[pid, Owned.of(pid).started] for pid in pids]))


def _end(process: Owned, grace: float = 10.0) -> None:
    if not process.alive():
        return
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            os.kill(process.pid, signal.SIGTERM)
            if not select.select([handle], [], [], grace)[0]:
                os.kill(process.pid, signal.SIGKILL)
        finally:
            os.close(handle)


def down() -> bool:
    """End the processes and remove the network that an earlier run left up; whether there was anything."""
    there = _STATE.exists()
    if there:
        for pid, started in json.loads(_STATE.read_text()):
            _end(Owned(pid, started))
        _STATE.unlink()
    netns.down(PREFIX)
    return there
