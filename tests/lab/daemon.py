"""`pxed serve` in a namespace, seen through its own JSON log: one line, one event."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.netns import PXE_ADDRESS, Network
from tests.lab.process import LabError, Program, spawn

Happening = dict[str, Any]
HTTP_PORT = 8080
PXED = Path(sys.executable).with_name("pxed")  # of the same virtual environment
URL = f"http://{PXE_ADDRESS}:{HTTP_PORT}"


def parse(line: str) -> Happening | None:
    """The event of a log line; None for anything that is not one."""
    with contextlib.suppress(json.JSONDecodeError):
        event = json.loads(line)
        if isinstance(event, dict) and "kind" in event:
            return event
    return None


class Daemon:
    """A running pxed."""

    def __init__(self, program: Program, config: Path) -> None:
        self.program = program
        self.config = config

    def events(self, kind: str = "", machine: str = "") -> list[Happening]:
        """The events so far, of one kind and machine if they are given."""
        self.program.output.poll()
        every = (parse(line) for line in self.program.output.lines)
        return [event for event in every if event and _fits(event, kind, machine)]

    def wait(self, kind: str, machine: str = "", timeout: float = 60, start: int = 0) -> Happening:
        """The first such event from log line `start` on. LabError if none comes in time."""

        def find(line: str) -> Happening | None:
            event = parse(line)
            return event if event and _fits(event, kind, machine) else None

        if (event := self.program.output.wait(find, timeout, start)) is None:
            where = f" of {machine}" if machine else ""
            raise LabError(
                f"no {kind} event{where} in {timeout} s; the daemon's log ends:\n{self.program.output.end()}"
            )
        return event

    def reload(self) -> int:
        """SIGHUP; gives the log line from which on its outcome is found."""
        self.program.output.poll()
        mark = len(self.program.output.lines)
        self.program.signal(signal.SIGHUP)
        return mark


def _fits(event: Happening, kind: str, machine: str) -> bool:
    return (not kind or event["kind"] == kind) and (not machine or event.get("machine") == machine)


def start(network: Network, config: Path, directory: Path, *, outlive: bool = False, log: str = "pxed.log") -> Daemon:
    """Start it and wait until it is ready; its log goes to `directory`/`log`."""
    return start_in(network.pxe, config, directory, outlive=outlive, log=log)


def start_in(namespace: str, config: Path, directory: Path, *, outlive: bool = False, log: str = "pxed.log") -> Daemon:
    """The same, on any host of a laboratory."""
    argv = [
        str(PXED),
        "serve",
        "-c",
        str(config),
        "--log-format",
        "json",
        "--log-level",
        "debug",
    ]
    daemon = Daemon(spawn(argv, log=directory / log, namespace=namespace, name="pxed", outlive=outlive), config)
    try:
        daemon.wait("ready", timeout=30)
    except LabError as error:
        daemon.program.stop()
        raise LabError(f"pxed serve did not get ready: {error}") from None
    return daemon


@contextlib.contextmanager
def serving(network: Network, config: Path, directory: Path) -> Iterator[Daemon]:
    """pxed for the length of the block."""
    with serving_in(network.pxe, config, directory) as daemon:
        yield daemon


@contextlib.contextmanager
def serving_in(namespace: str, config: Path, directory: Path) -> Iterator[Daemon]:
    """The same, on any host of a laboratory."""
    daemon = start_in(namespace, config, directory)
    try:
        yield daemon
    finally:
        daemon.program.stop(grace=15)
