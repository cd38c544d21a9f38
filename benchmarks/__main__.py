"""Measure pxed beside its rivals: `python -m benchmarks [--only NAME ...] [--rounds N] [--quick]`.

Needs root, and two cores for figures that count.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import cases, report, runner, site, tools
from benchmarks.link import link
from benchmarks.model import Case, Result

RESULTS = tools.ROOT / ".cache" / "bench.json"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="pxed beside its rivals, in network namespaces of its own"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases whose name starts so (see --list)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="short runs: shows that everything works, not how fast")
    parser.add_argument(
        "--skip",
        nargs="+",
        default=[],
        metavar="SERVER",
        help="contenders to leave out (pxed, dnsmasq, tftpd-hpa, atftpd, nginx)",
    )
    parser.add_argument(
        "--json", type=Path, default=RESULTS, metavar="FILE", help=f"where every sample goes (default {RESULTS})"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed, too")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Exit 0: all measured and every answer right; 1: some answers were not (or, with --strict, a goal was missed)."""
    options = arguments(argv)
    chosen = [case for case in cases.every() if not options.only or case.name.startswith(tuple(options.only))]
    if options.list or not chosen:
        print("\n".join(case.name for case in (chosen or cases.every())))
        return 0 if chosen else 2
    results = measure(chosen, options)
    print(report.table(results))
    if any(result.problems() for result in results):
        return 1
    return 1 if options.strict and any(result.reached() is False for result in results) else 0


def measure(chosen: Sequence[Case], options: argparse.Namespace) -> list[Result]:
    """Run the cases; the JSON is written after each, so that a broken run keeps what it had."""
    rounds = options.rounds or (1 if options.quick else 5)
    prepare()
    results: list[Result] = []
    with link() as wire:
        for case in chosen:
            print(f"{case.name}: {case.title}", file=sys.stderr)
            results.append(runner.run(case, wire, rounds, quick=options.quick, skip=frozenset(options.skip)))
            report.write_json(options.json, results, rounds, options.quick)
    return results


def prepare() -> None:
    """The files, the load generator, descriptors for 400 clients, SIGTERM as an exception so that all is cleaned up."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, hard), hard))
    site.lay()
    tools.bootload()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
