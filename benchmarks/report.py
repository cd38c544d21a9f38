"""The table on the terminal and the JSON beside it."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import tools
from benchmarks.model import Result

HEAD = ("measurement", "unit", "pxed", "best rival", "ratio", "goal", "")
_PACKAGES = {"dnsmasq": "dnsmasq-base", "tftpd-hpa": "tftpd-hpa", "atftpd": "atftpd", "nginx": "nginx"}


def table(results: Sequence[Result]) -> str:
    """A line a case: medians with least and greatest, the ratio of the medians, the goal and whether it is met."""
    rows = [HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(
        lines + [f"! {result.case.name}: {problem}" for result in results for problem in result.problems()]
    )


def _row(result: Result) -> tuple[str, ...]:
    case, best, ratio = result.case, result.best_rival(), result.ratio()
    bound = ">=" if case.rivals or case.at_least else "<="
    goal = f"{bound} {case.goal:g}" + ("" if case.rivals else f" {case.unit}")
    verdict = {True: "met", False: "MISSED", None: "-"}[result.reached()]
    rival = f"{best} {_figure(result, best)}" if best else "-"
    return (
        case.title,
        case.unit,
        _figure(result, case.ours.name),
        rival,
        f"{ratio:.2f}" if ratio else "-",
        goal,
        verdict,
    )


def _figure(result: Result, name: str) -> str:
    if not result.samples.get(name):
        return "-"
    low, high = result.span(name)
    return f"{_number(result.median(name))} ({_number(low)}-{_number(high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def write_json(path: Path, results: Sequence[Result], rounds: int, quick: bool) -> None:
    """Everything that was seen, every round of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "quick": quick,
        "machine": machine(),
        "results": [_entry(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _entry(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "title": result.case.title,
        "unit": result.case.unit,
        "goal": result.case.goal,
        "ratio": result.ratio(),
        "reached": result.reached(),
        "best_rival": result.best_rival(),
        "medians": {name: result.median(name) for name, taken in result.samples.items() if taken},
        "samples": {name: [asdict(sample) for sample in taken] for name, taken in result.samples.items()},
    }


def machine() -> dict[str, Any]:
    """What it was measured on and with which versions."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "python": sys.version.split()[0],
        "pxed": _commit(),
        "rivals": {name: tools.package_version(package) for name, package in _PACKAGES.items()},
    }


def _memory_gb() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=tools.ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
