"""PXE offers a second, as relayed DISCOVERs with 64 questions in flight.

With 10 machines listed the load counts MACs up from the first, never twice the same, and the servers answer unlisted
ones as well. With 10,000 it cycles over exactly the listed MACs, and the servers know no others.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import bootload
from benchmarks.link import Link
from benchmarks.model import Case, Sample, sample_of
from benchmarks.ours import pxed
from benchmarks.process import Process
from benchmarks.rivals import dnsmasq_proxy

_WARM_MACS = 0x300000  # away from the MACs of the measured run


def cases() -> list[Case]:
    few = Case(
        "dhcp-10",
        "PXE offers, 10 machines listed",
        "offers/s",
        1.5,
        pxed(10, unknown="bench"),
        [dnsmasq_proxy(10, only_listed=False)],
        _offers(cycle=0),
    )
    many = Case(
        "dhcp-10000",
        "PXE offers, 10,000 machines listed",
        "offers/s",
        10.0,
        pxed(10_000),
        [dnsmasq_proxy(10_000, only_listed=True)],
        _offers(cycle=10_000),
    )
    return [few, many]


def _offers(cycle: int) -> Callable[[Link, Process, bool], Sample]:
    def measure(link: Link, process: Process, quick: bool) -> Sample:
        bootload.dhcp(link, 0.2 if quick else 0.5, cycle=cycle, first=bootload.FIRST_MAC if cycle else _WARM_MACS)
        answers = bootload.dhcp(link, 0.5 if quick else 4.0, cycle=cycle)
        return sample_of(answers, answers.per_s)

    return measure
