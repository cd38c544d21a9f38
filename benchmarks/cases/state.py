"""Transitions of machines that are on the disk when they are acknowledged, beside the plain loop of one row at a time.

Each committer waits for its own before it makes the next. Everything is read back and compared afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import tools
from benchmarks.link import Link
from benchmarks.model import Case, Contender, Sample
from benchmarks.process import Process, running
from tests.lab.postgres import Postgres

SECONDS, _QUICK = 5.0, 0.5
_GOALS = {1: 0.3, 64: 3.0, 1000: 5.0}  # by the plain loop: one alone pays for the event loop, many share a flush
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_PLAIN = {"sqlite": "sqlite3", "postgresql": "psycopg"}


def cases() -> list[Case]:
    return [
        Case(
            f"state-{database}-{committers}",
            f"durable transitions in {name}, {committers:,} at once",
            "commits/s",
            goal,
            _contender("pxed", "pxed", database, committers),
            [_contender(_PLAIN[database], "plain", database, committers)],
            _measure,
        )
        for database, name in _DATABASES.items()
        for committers, goal in _GOALS.items()
    ]


def _contender(name: str, program: str, database: str, committers: int) -> Contender:
    return Contender(name, partial(_serve, program, database, committers))


@contextlib.contextmanager
def _serve(program: str, database: str, committers: int, link: Link) -> Iterator[Process]:
    data_dir = tools.CACHE / "state"
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    with _database(database) as state:
        command = [sys.executable, "-m", "benchmarks.statework", program, state, str(data_dir), str(committers)]
        seconds = data_dir / "seconds"  # `quick` is known to the measurement only: the worker waits for it
        shell = ["sh", "-c", 'read seconds < "$0" && exec "$@" "$seconds"', str(seconds)]
        os.mkfifo(seconds)
        with running(link, [*shell, *command], data_dir / "result.json") as process:
            yield process


def _measure(_link: Link, process: Process, quick: bool) -> Sample:
    (process.log.parent / "seconds").write_text(f"{_QUICK if quick else SECONDS}\n")
    while process.popen.poll() is None and not (text := process.log.read_text()).endswith("}\n"):
        time.sleep(0.05)
    if process.popen.poll() is not None:
        return Sample(0.0, f"the worker failed: {process.log.read_text()[-500:]}")
    result = json.loads(text)
    problem = f"{result['lost']} machines are not as acknowledged" if result["lost"] else ""
    return Sample(result["commits"] / result["seconds"], problem, {"commits": result["commits"]})


@contextlib.contextmanager
def _database(database: str) -> Iterator[str]:
    if database == "sqlite":
        yield "sqlite"
        return
    directory = Path(tempfile.mkdtemp(prefix="pxed-postgres-", dir="/tmp"))
    server = Postgres(directory)
    try:
        server.start()
        yield server.place()
    finally:
        server.stop()
        shutil.rmtree(directory)
