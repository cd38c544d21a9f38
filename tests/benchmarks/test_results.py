"""Medians, ratios and verdicts of the table, and that a figure with a wrong answer in it never counts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import cases, report, rivals, site
from benchmarks.bootload import Answers
from benchmarks.link import Link
from benchmarks.model import Case, Contender, Result, Sample, sample_of
from benchmarks.process import Process

ANSWERS = Answers("tftp", 1.0, 10, 0, 0, 0, 0, 100, 10.0, 5.0, 0.1, 0.2, 1468, 16, 0.5, "")


@contextlib.contextmanager
def never(_: Link) -> Iterator[Process]:
    raise AssertionError("these tests start no server")
    yield


def result(goal: float, ours: list[float], *rivals: list[float], problem: str = "") -> Result:
    names = [f"rival{number}" for number in range(len(rivals))]
    case = Case(
        "name", "Title", "MB/s", goal, Contender("pxed", never), [Contender(name, never) for name in names], fails
    )
    samples = {"pxed": [Sample(value, problem) for value in ours]}
    samples |= {name: [Sample(value) for value in taken] for name, taken in zip(names, rivals, strict=True)}
    return Result(case, samples)


def fails(_link: Link, _process: Process, _quick: bool) -> Sample:
    raise AssertionError("these tests measure nothing")


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        pytest.param(result(1.0, [10, 30, 20], [9, 9, 100]), True, id="the median counts, not the best round"),
        pytest.param(result(1.0, [10], [9], [11]), False, id="the best rival counts"),
        pytest.param(result(1.0, [10], [9], problem="1 wrong"), False, id="a wrong answer spoils the figure"),
        pytest.param(result(90, [80]), True, id="below an upper bound"),
        pytest.param(result(90, [91]), False, id="above an upper bound"),
        pytest.param(result(1.0, [], [9]), None, id="nothing of ours, nothing to say"),
    ],
)
def test_the_verdict(given: Result, reached: bool | None) -> None:
    assert given.reached() is reached


def test_the_table_names_the_best_rival_with_its_spread() -> None:
    line = report.table([result(1.5, [4000, 6000, 5000], [1000, 1000, 1000], [2000, 2500, 2100])]).splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["Title", "MB/s", "5,000 (4,000-6,000)", "rival1 2,100 (2,000-2,500)", "2.38", ">= 1.5", "met"]


def test_problems_are_printed_under_the_table() -> None:
    assert report.table([result(1.0, [1], [1], problem="3 lost")]).splitlines()[-1] == "! name: pxed: 3 lost"


def test_the_json_keeps_every_sample(tmp_path: Path) -> None:
    report.write_json(tmp_path / "out" / "bench.json", [result(1.0, [1, 2, 4], [2, 2, 2])], 3, quick=False)
    entry = json.loads((tmp_path / "out" / "bench.json").read_text())["results"][0]
    assert (entry["ratio"], entry["medians"], entry["reached"]) == (1.0, {"pxed": 2, "rival0": 2}, True)
    assert [sample["value"] for sample in entry["samples"]["pxed"]] == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({}, "", id="all right"),
        pytest.param({"wrong": 2, "problem": "why"}, "2 wrong (why)", id="wrong answers"),
        pytest.param({"lost": 3}, "3 lost", id="lost answers"),
        pytest.param({"checked": 0}, "no answer", id="none at all"),
        pytest.param({"windowsize": 1}, "windowsize 1, not 16", id="a server that grants less than was asked"),
    ],
)
def test_a_sample_tells_its_problem(change: dict[str, object], problem: str) -> None:
    assert sample_of(replace(ANSWERS, **change), 5.0, {"windowsize": 16}).problem == problem  # type: ignore[arg-type]


def test_the_machines_are_those_that_the_load_asks_for() -> None:
    macs = site.macs(10_000)
    assert (macs[0], macs[255], len(set(macs))) == ("52:54:00:10:00:01", "52:54:00:10:01:00", 10_000)


def test_dnsmasq_knows_the_same_machines() -> None:
    lines = rivals.dnsmasq_proxy_config(site.macs(3), only_listed=True).splitlines()
    assert [line for line in lines if line.startswith("dhcp-host=")] == [
        f"dhcp-host={mac},set:known" for mac in site.macs(3)
    ]
    assert f"pxe-service=tag:known,x86-64_EFI,boot,{site.LOADER.name}" in lines


def test_case_names_are_unique_so_that_only_finds_one() -> None:
    names = [case.name for case in cases.every()]
    assert len(set(names)) == len(names)
