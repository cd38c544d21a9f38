"""What a measurement is: contenders that serve, a case that measures each of them alike, the samples of its rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from benchmarks.bootload import Answers
from benchmarks.link import Link
from benchmarks.process import Process


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under measurement. `serve` starts it on the link's server side and yields once it is ready."""

    name: str
    serve: Callable[[Link], AbstractContextManager[Process]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of one round, and what was seen beside it. A `problem` means that the figure does not count."""

    value: float
    problem: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table. With rivals: ours by the best of them must be at least `goal`. Without: at most `goal`, or
    at least that much with `at_least`."""

    name: str
    title: str
    unit: str
    goal: float
    ours: Contender
    rivals: Sequence[Contender]
    measure: Callable[[Link, Process, bool], Sample]  # the flag: quick
    at_least: bool = False

    @property
    def contenders(self) -> tuple[Contender, ...]:
        return (self.ours, *self.rivals)


@dataclass(frozen=True, slots=True)
class Result:
    """All rounds of one case; samples by the contender's name, in the order of the rounds."""

    case: Case
    samples: Mapping[str, Sequence[Sample]]

    def median(self, name: str) -> float:
        return statistics.median(sample.value for sample in self.samples[name])

    def span(self, name: str) -> tuple[float, float]:
        values = [sample.value for sample in self.samples[name]]
        return min(values), max(values)

    def problems(self) -> list[str]:
        return [
            f"{name}: {sample.problem}" for name, taken in self.samples.items() for sample in taken if sample.problem
        ]

    def best_rival(self) -> str | None:
        """The rival with the highest median, of those that answered."""
        measured = [rival.name for rival in self.case.rivals if self.samples.get(rival.name)]
        return max(measured, key=self.median, default=None)

    def ratio(self) -> float | None:
        """Ours by the best rival, of the medians; None without either."""
        best = self.best_rival()
        if best is None or not self.samples.get(self.case.ours.name):
            return None
        return self.median(self.case.ours.name) / self.median(best)

    def reached(self) -> bool | None:
        """Whether the goal is met; None when there is nothing to tell it by."""
        if self.problems():
            return False
        if not self.case.rivals and self.samples.get(self.case.ours.name):
            median = self.median(self.case.ours.name)
            return median >= self.case.goal if self.case.at_least else median <= self.case.goal
        ratio = self.ratio()
        return None if ratio is None else ratio >= self.case.goal


def sample_of(answers: Answers, value: float, expect: Mapping[str, int] | None = None) -> Sample:
    """A sample whose problem names what was wrong, lost or negotiated otherwise than `expect` (field: value) says."""
    problems = [f"{answers.wrong} wrong ({answers.problem})"] if answers.wrong else []
    problems += [f"{answers.lost} lost"] if answers.lost else []
    problems += ["no answer"] if not answers.checked else []
    problems += [
        f"{name} {getattr(answers, name)}, not {wanted}"
        for name, wanted in (expect or {}).items()
        if answers.checked and getattr(answers, name) != wanted
    ]
    details = {
        "checked": answers.checked,
        "seconds": answers.seconds,
        "p50_ms": answers.p50_ms,
        "p99_ms": answers.p99_ms,
        "stray": answers.stray,
        "resent": answers.resent,
        "client_cpu_s": answers.client_cpu_s,
    }
    return Sample(value, ", ".join(problems), details)
