"""Many machines that install themselves at once: `python -m benchmarks.crowd --url URL --machines N`.

Prints `done N` on the way, and one JSON line at the end. Exit 0: all boot their disk and nothing was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import site
from benchmarks.machine import Machine, ProblemError, Seen

EVERY = 100  # machines between two lines


async def crowd(
    url: str, machines: int, at_once: int, first: str = "", progress: Callable[[int], None] = lambda _done: None
) -> Seen:
    """Install them all, `at_once` of them at any time; `first` is the address of the first, "": whatever is free."""
    seen, limit, done = Seen(), asyncio.Semaphore(at_once), 0

    async def one(number: int, mac: str) -> None:
        nonlocal done
        async with limit:
            address = str(ipaddress.IPv4Address(first) + number) if first else ""
            try:
                await Machine(number, mac, url, address, seen).install()
            except ProblemError as error:
                seen.problems.append(str(error))
        done += 1
        progress(done)

    await asyncio.gather(*(one(number, mac) for number, mac in enumerate(site.macs(machines), 1)))
    return seen


def figures(seen: Seen, seconds: float) -> dict[str, Any]:
    """What is printed: latencies in milliseconds."""
    answers = {what: sorted(taken) for what, taken in seen.seconds.items()}
    return {
        "seconds": seconds,
        "local": seen.local,
        "boots": seen.boots,
        "answers": sum(map(len, answers.values())),
        "troubles": seen.troubles,
        "doubled": seen.doubled,
        "again": seen.again,
        "problems": len(seen.problems),
        "problem": next(iter(seen.problems), ""),
        "p50_ms": {what: taken[len(taken) // 2] * 1e3 for what, taken in answers.items()},
        "p99_ms": {what: taken[len(taken) * 99 // 100] * 1e3 for what, taken in answers.items()},
    }


def main(argv: Sequence[str]) -> int:
    """Run it; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd")
    parser.add_argument("--url", required=True)
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=256)
    parser.add_argument("--first", default="", metavar="ADDRESS", help="of the first machine")
    options = parser.parse_args(argv)

    def say(done: int) -> None:
        if done % EVERY == 0:
            print(f"done {done}", flush=True)

    began = time.monotonic()
    seen = asyncio.run(crowd(options.url, options.machines, options.at_once, options.first, say))
    print(json.dumps(figures(seen, time.monotonic() - began)), flush=True)
    return 1 if seen.problems or seen.doubled else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
