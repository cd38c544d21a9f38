"""Machines that install themselves all at once, each step over HTTP and kept in the state store before it is answered.

No rival: none keeps where a machine stands. The daemon is killed twice on the way, and the store is read afterwards:
nothing may be lost or doubled. Images are not fetched, for they are another row.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import bootload, installsite, tools
from benchmarks.link import LOAD_ADDRESS, SERVER_ADDRESS, SERVER_INTERFACE, Link
from benchmarks.model import Case, Contender, Sample
from benchmarks.ours import HTTP_PORT, daemon
from benchmarks.process import Process, rss_mb
from tests.lab.postgres import Postgres

_LISTED = 10_000
_QUICK = 300
_AT_ONCE = 128
_HOME = tools.CACHE / "installs"
_NETWORK, _FIRST = "10.98.0.0/16", "10.98.0.0"  # of the machines, behind the load's end of the link
_SERVER = f"interfaces: [{SERVER_INTERFACE}], http: {{port: {HTTP_PORT}}}"


def cases() -> list[Case]:
    title, sqlite = "machines install at once, pxed killed twice", Contender("pxed", _serve)
    postgresql = Contender("pxed", _serve_postgresql)
    offers = "p99 of an offer while machines install"
    return [
        Case("installs", title, "machines/s", 50.0, sqlite, [], _rate, at_least=True),
        Case("installs-postgresql", f"{title}, PostgreSQL", "machines/s", 50.0, postgresql, [], _rate, at_least=True),
        Case("installs-dhcp", offers, "ms", 50.0, sqlite, [], _offers),
    ]


@contextlib.contextmanager
def _serve(link: Link, state: str = "sqlite") -> Iterator[Process]:
    shutil.rmtree(_HOME, ignore_errors=True)
    _HOME.mkdir(parents=True)
    config = installsite.lay(_HOME, _LISTED, f"{_SERVER}, state: '{state}'")
    _route(link)
    with daemon(link, config, restarts=True) as process:
        yield process


@contextlib.contextmanager
def _serve_postgresql(link: Link) -> Iterator[Process]:
    """Debian's defaults, by a Unix socket, on whichever core is free."""
    directory = Path(tempfile.mkdtemp(prefix="pxed-bench-"))
    server = Postgres(directory)
    try:
        server.start()
        with _serve(link, server.url()) as process:
            yield process
    finally:
        server.stop()
        shutil.rmtree(directory)


def _route(link: Link) -> None:
    """An address for each machine, behind a router: as neighbours, all would have the one MAC of the load."""
    quiet = ("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_announce=2")
    subprocess.run(["ip", "netns", "exec", link.load_namespace, *quiet], check=True)
    ways = [
        ("-n", link.load_namespace, "route", "replace", "local", _NETWORK, "dev", "lo"),
        ("-n", link.server_namespace, "route", "replace", _NETWORK, "via", LOAD_ADDRESS),
    ]
    for way in ways:
        subprocess.run(["ip", *way], check=True)


class _Crowd:
    """The load: its progress as it comes, and what it has seen when that is over."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self.seen: dict[str, Any] = {}

    def progress(self) -> Iterator[int]:
        """How many machines are done, from time to time."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            if line.startswith("done "):
                yield int(line.removeprefix("done "))
            else:
                self.seen = json.loads(line)


def _rate(link: Link, process: Process, quick: bool) -> Sample:
    machines = _QUICK if quick else _LISTED
    marks = {machines // 300 * 100, machines // 150 * 100}
    with _crowd(link, machines) as crowd:
        for done in crowd.progress():
            if done in marks:
                os.kill(_pxed(process), signal.SIGKILL)
    return _sample(crowd.seen["local"] / crowd.seen["seconds"], crowd.seen, process, machines)


def _offers(link: Link, process: Process, quick: bool) -> Sample:
    """One question at a time, before and while machines install: what is in the way is the daemon, not the load."""
    machines, seconds = (_QUICK, 1.0) if quick else (2_000, 10.0)
    asked = {"before": bootload.dhcp(link, seconds, in_flight=1, cycle=_LISTED)}
    with _crowd(link, machines) as crowd:
        progress = crowd.progress()
        next(progress)
        asked["during"] = bootload.dhcp(link, seconds, in_flight=1, cycle=_LISTED)
        list(progress)
    sample = _sample(asked["during"].p99_ms, crowd.seen, process, machines)
    lost = sum(answers.lost + answers.wrong for answers in asked.values())
    names = ("per_s", "p50_ms", "p99_ms")
    details = {f"{when}_{name}": getattr(answers, name) for when, answers in asked.items() for name in names}
    problem = sample.problem or (f"{lost} offers lost or wrong" if lost else "")
    return Sample(sample.value, problem, {**sample.details, **details})


def _sample(value: float, seen: Mapping[str, Any], process: Process, machines: int) -> Sample:
    problem = seen["problem"] or ("a config was given twice" if seen["doubled"] else "")
    details = {name: float(figure) for name, figure in seen.items() if isinstance(figure, int | float)}
    details |= {f"{what}_{at}": taken[what] for at in ("p50_ms", "p99_ms") for taken in [seen[at]] for what in taken}
    details["answers_per_s"] = seen["answers"] / seen["seconds"]
    details["pxed_rss_mb"] = rss_mb(_pxed(process))
    return Sample(value, problem or installsite.wrong(_HOME, machines), details)


@contextlib.contextmanager
def _crowd(link: Link, machines: int) -> Iterator[_Crowd]:
    options = ["--machines", str(machines), "--at-once", str(_AT_ONCE), "--first", _FIRST]
    url = f"http://{SERVER_ADDRESS}:{HTTP_PORT}"
    command = link.on_load([sys.executable, "-m", "benchmarks.crowd", "--url", url, *options])
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tools.ROOT)
    try:
        yield _Crowd(popen)
    finally:
        popen.kill()
        popen.communicate()


def _pxed(process: Process) -> int:
    """The daemon that the shell has started."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
