"""Whether the machine had other work: a figure taken beside somebody else's load is no figure. proc(5), /proc/stat."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Process

_TICKS = os.sysconf("SC_CLK_TCK")
_BUSY = (0, 1, 2, 7)  # user, nice, system, steal; interrupts are left out, for they are of our own packets as well


@dataclass(frozen=True, slots=True)
class Clock:
    """CPU seconds: of the whole machine, and of this measurement (the bench, its ended children, the server)."""

    wall: float
    machine: float
    ours: float


def read(server: Process) -> Clock:
    """The clocks now."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system + server.cpu_seconds()
    return Clock(time.monotonic(), sum(int(fields[at]) for at in _BUSY) / _TICKS, ours)


def others_share(before: Clock, after: Clock) -> float:
    """The share of one core that others used between two readings, 0.0 and up."""
    others = (after.machine - before.machine) - (after.ours - before.ours)
    return max(0.0, others / (after.wall - before.wall))


def wait(limit: float, patience: float) -> float:
    """Wait up to `patience` seconds until less than `limit` of one core is busy; the share that was at last."""
    end = time.monotonic() + patience
    while (busy := _busy(0.25)) > limit and time.monotonic() < end:
        pass
    return busy


def _busy(seconds: float) -> float:
    before = _machine_seconds()
    time.sleep(seconds)
    return (_machine_seconds() - before) / seconds


def _machine_seconds() -> float:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[at]) for at in _BUSY) / _TICKS
