"""Runs the load generator in the load's namespace and reads its one JSON line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks import tools
from benchmarks.link import LOAD_ADDRESS, SERVER_ADDRESS, Link

FIRST_MAC = 0x100001  # 52:54:00:10:00:01


@dataclass(frozen=True, slots=True)
class Answers:
    """What the load generator saw. Rates count only complete, verified answers; MB are 10**6 bytes of payload."""

    mode: str
    seconds: float
    checked: int
    wrong: int
    lost: int
    stray: int
    resent: int
    bytes: int
    per_s: float
    mb_per_s: float
    p50_ms: float
    p99_ms: float
    blksize: int
    windowsize: int
    client_cpu_s: float
    problem: str


def run(command: Sequence[str], timeout: float = 300) -> Answers:
    """Run `bootload ...` as given (already placed on a core) and parse its tally, complete or not."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return parse(done.stdout)


def parse(line: str) -> Answers:
    """The tally of one JSON line."""
    values = json.loads(line)
    return Answers(**{field.name: values[field.name] for field in fields(Answers)})


def dhcp(
    link: Link, seconds: float, *, in_flight: int = 64, cycle: int = 0, first: int = FIRST_MAC, count: int = 0
) -> Answers:
    """DISCOVERs of a relay at the load's address, `in_flight` questions open at any time, each with its own MAC."""
    arguments = [
        "dhcp",
        "--server",
        SERVER_ADDRESS,
        "--giaddr",
        LOAD_ADDRESS,
        "--seconds",
        str(seconds),
        "--clients",
        str(in_flight),
        "--mac-first",
        str(first),
        "--mac-cycle",
        str(cycle),
        "--count",
        str(count),
    ]
    return run(link.on_load([str(tools.bootload()), *arguments]))


def tftp(
    link: Link, name: str, local: Path, *, clients: int, count: int, blksize: int = 1468, windowsize: int = 1
) -> Answers:
    """`count` whole transfers of one file by `clients` readers at once."""
    arguments = [
        "tftp",
        "--server",
        SERVER_ADDRESS,
        "--path",
        name,
        "--local",
        str(local),
        "--clients",
        str(clients),
        "--count",
        str(count),
        "--blksize",
        str(blksize),
        "--windowsize",
        str(windowsize),
    ]
    return run(link.on_load([str(tools.bootload()), *arguments]))


def http(link: Link, port: int, path: str, local: Path, *, clients: int, count: int) -> Answers:
    """`count` whole GETs of one file over `clients` keep-alive connections."""
    arguments = [
        "http",
        "--server",
        SERVER_ADDRESS,
        "--port",
        str(port),
        "--path",
        path,
        "--local",
        str(local),
        "--clients",
        str(clients),
        "--count",
        str(count),
    ]
    return run(link.on_load([str(tools.bootload()), *arguments]))
