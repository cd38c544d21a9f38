"""What a start costs with 10,000 machines: exec to READY=1, and the memory then. No rival, an upper bound each."""

from __future__ import annotations

from benchmarks.link import Link
from benchmarks.model import Case, Sample
from benchmarks.ours import pxed
from benchmarks.process import Process

_LISTED = 10_000


def cases() -> list[Case]:
    return [
        Case("startup-ready", "exec to READY, 10,000 machines", "s", 1.0, pxed(_LISTED), [], _ready),
        Case("startup-rss", "RSS at READY, 10,000 machines", "MB", 90.0, pxed(_LISTED), [], _memory),
    ]


def _ready(_link: Link, process: Process, _quick: bool) -> Sample:
    return Sample(process.ready_seconds, details={"cpu_at_ready_s": process.cpu_seconds()})


def _memory(_link: Link, process: Process, _quick: bool) -> Sample:
    return Sample(process.rss_mb(), details={"cpu_at_ready_s": process.cpu_seconds()})
