"""Runs a case: every contender once a round, alternating, freshly started, on a machine that has nothing else to do.

A measurement that other work disturbed is taken anew, a few times; `others` in its details says what was left of it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from benchmarks import quiet
from benchmarks.link import Link
from benchmarks.model import Case, Contender, Result, Sample

OTHERS = 0.10  # share of one core that others may use before and during a measurement
PATIENCE = 20.0  # seconds to wait for that
TRIES = 3  # measurements of which the least disturbed one counts


def run(case: Case, link: Link, rounds: int, *, quick: bool, skip: frozenset[str] = frozenset()) -> Result:
    """All rounds of a case. The order turns round by round, so that no contender always follows the same other."""
    contenders = [contender for contender in case.contenders if contender.name not in skip]
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        turn = number % max(1, len(contenders))
        for contender in contenders[turn:] + contenders[:turn]:
            sample = _undisturbed(case, contender, link, quick)
            samples[contender.name].append(sample)
            _say(f"  {case.name} round {number + 1} {contender.name}: {sample.value:,.2f} {case.unit} {sample.problem}")
    return Result(case, samples)


def _undisturbed(case: Case, contender: Contender, link: Link, quick: bool) -> Sample:
    taken: list[Sample] = []
    for _ in range(1 if quick else TRIES):
        quiet.wait(OTHERS, 0 if quick else PATIENCE)
        taken.append(_measure(case, contender, link, quick))
        if taken[-1].details["others"] <= OTHERS:
            break
    return min(taken, key=lambda sample: sample.details["others"])


def _measure(case: Case, contender: Contender, link: Link, quick: bool) -> Sample:
    with contender.serve(link) as process:
        before, lines, cpu = quiet.read(process), process.log_lines(), process.cpu_seconds()
        sample = case.measure(link, process, quick)
        after, used = quiet.read(process), process.cpu_seconds() - cpu
        time.sleep(0.2)  # a log that is written behind the answers: let it be counted
        beside = {
            "others": quiet.others_share(before, after),
            "server_cpu_s": used,
            "log_lines": process.log_lines() - lines,
            "rss_after_mb": process.rss_mb(),
        }
    return replace(sample, details={**sample.details, **beside})


def _say(text: str) -> None:
    print(text, file=sys.stderr)
