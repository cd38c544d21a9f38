"""Starts daemons, each of which may kill itself at one of its writes to the state store: python -m tests.server.killing

A line on standard input, in JSON, is a daemon: its config, at which write it dies (0: at none), and whether `before` or
`after` it. Its log and two lines of ours, `started PID` and `ended`, go to standard output. They are forked, as loading
pxed takes longer than all that such a daemon does.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from pxed.cli.serve import run
from pxed.server import app  # noqa: F401 -- loaded once, before the daemons
from pxed.status import install
from pxed.status.records import Write
from pxed.status.store import postgresql  # noqa: F401
from pxed.status.store.opened import Store

_write = Store.write


def say(line: str) -> None:
    """A line of ours, in one piece between those of the log."""
    os.write(1, f"{line}\n".encode())


def die_at(number: int, when: str) -> None:
    """Let this process be killed at its write of that number, before or after it is durable."""
    numbers = count(1)

    def write(store: Store, writes: Sequence[Write]) -> None:
        now = next(numbers) == number
        if now and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        _write(store, writes)
        say("written")
        if now:
            os.kill(os.getpid(), signal.SIGKILL)

    Store.write = write  # type: ignore[method-assign]


def main() -> None:
    """One daemon after the other."""
    gc.freeze()  # each collects its own garbage at its start, not all of pxed's modules
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(1, 2)
            install.MAX_BACKOFF = 0.0  # the next attempt may begin at once
            die_at(order["at"], order["when"])
            os._exit(run(Path(order["config"]), "json", "info"))
        say(f"started {child}")
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
