"""Runs a case: every contender once a round, alternating, freshly started, on a machine that was quiet just before."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.link import Link
from benchmarks.model import Case, Contender, Result, Sample

QUIET = 0.10  # share of all cores that may be busy with other work when a measurement begins
PATIENCE = 30.0  # seconds to wait for that


def run(case: Case, link: Link, rounds: int, *, quick: bool, skip: frozenset[str] = frozenset()) -> Result:
    """All rounds of a case. The order turns round by round, so that no contender always follows the same other."""
    contenders = [contender for contender in case.contenders if contender.name not in skip]
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        turn = number % max(1, len(contenders))
        for contender in contenders[turn:] + contenders[:turn]:
            sample = _measure(case, contender, link, quick)
            samples[contender.name].append(sample)
            print(
                f"  {case.name} round {number + 1} {contender.name}: {sample.value:,.2f} {case.unit} {sample.problem}",
                file=sys.stderr,
            )
    return Result(case, samples)


def _measure(case: Case, contender: Contender, link: Link, quick: bool) -> Sample:
    busy = wait_until_quiet(0 if quick else PATIENCE)
    with contender.serve(link) as process:
        cpu, lines = process.cpu_seconds(), process.log_lines()
        sample = case.measure(link, process, quick)
        used = process.cpu_seconds() - cpu
        time.sleep(0.2)  # a log that is written behind the answers: let it be counted
        beside = {
            "busy_before": busy,
            "server_cpu_s": used,
            "log_lines": process.log_lines() - lines,
            "rss_after_mb": process.rss_mb(),
        }
    return replace(sample, details={**sample.details, **beside})


def wait_until_quiet(patience: float) -> float:
    """Wait up to `patience` seconds until the machine has little else to do; the share of its cores busy at last."""
    end = time.monotonic() + patience
    while (busy := _busy_share(0.25)) > QUIET and time.monotonic() < end:
        pass
    return busy


def _busy_share(seconds: float) -> float:
    before = _times()
    time.sleep(seconds)
    after = _times()
    total = sum(after) - sum(before)
    idle = (after[3] + after[4]) - (before[3] + before[4])  # idle and iowait, proc(5)
    return 1.0 - idle / total if total else 0.0


def _times() -> list[int]:
    return [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
