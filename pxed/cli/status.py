"""`pxed status`: every machine's boot, from the running daemon; live on a terminal.

Exit codes: 0 no machine is stuck (or the live table was left), 1 at least one is, 2 bad use, or the daemon cannot be
asked.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxed.cli.client import Client, RefusedError, UnreachableError, client
from pxed.cli.fleet import HEADS, Fleet, Row, cells, is_stuck, name_of, stage_of, verdict
from pxed.cli.fleet_feed import Feed
from pxed.cli.machines_order import usage
from pxed.cli.mirrored import print_json
from pxed.cli.tables import print_table


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    once: bool = False
    watch: bool = False
    stuck: bool = False
    as_json: bool = False

    @property
    def live(self) -> bool:
        """The table that keeps itself up to date."""
        return not (self.once or self.watch or self.as_json) and sys.stdout.isatty()


def run(config: Path, server: str, wanted: Wanted) -> int:
    """Show it; the exit code."""
    if wanted.once and wanted.watch:
        return usage("either --once or --watch")
    try:
        with client(config, server, None) as daemon:
            return _run(daemon, wanted)
    except (UnreachableError, RefusedError) as error:
        return usage(str(error))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # who read the lines has had enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(daemon: Client, wanted: Wanted) -> int:
    answer = daemon.get("fleet")
    fleet = Fleet(answer)
    if wanted.watch:
        return _following(daemon, fleet, lambda feed: _watch(feed, fleet, wanted))
    if wanted.live:
        from pxed.cli.status_live import show

        return _following(daemon, fleet, lambda feed: show(feed, fleet, daemon.url, wanted.stuck))
    return _once(fleet, answer, wanted)


def _following(daemon: Client, fleet: Fleet, act: Callable[[Feed], int]) -> int:
    feed = Feed(daemon)
    feed.start(fleet.version)
    try:
        return act(feed)
    finally:
        feed.close()


def _once(fleet: Fleet, answer: dict[str, Any], wanted: Wanted) -> int:
    if wanted.as_json:
        rows = [row for row in fleet.rows.values() if not wanted.stuck or is_stuck(row)]
        print_json({"time": answer["time"], "version": answer["version"], "machines": rows})
    elif rows := fleet.first(stuck=wanted.stuck):
        print_table(HEADS, cells(rows, fleet.now()))
    else:
        print("no machine is stuck" if wanted.stuck else "no machine is listed, and none was heard of")
    return 1 if fleet.count(stuck=True) else 0


def _watch(feed: Feed, fleet: Fleet, wanted: Wanted) -> int:
    """A line for each change, until it is ended."""
    lines, trouble = _Lines(wanted), ""
    lines.tell(fleet.first())
    while True:
        for news in feed.take(None):
            if news.trouble and news.trouble != trouble:
                print(f"pxed: {news.trouble}", file=sys.stderr, flush=True)
            trouble = news.trouble or ("" if news.streaming else trouble)
            lines.tell(fleet.take(news.whole, news.changes))


class _Lines:
    """Says of each machine what is new: for programs all, for people where its boot is and what is wrong."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._told: dict[str, tuple[str, str]] = {}

    def tell(self, rows: Iterable[Row]) -> None:
        for row in rows:
            was, now = self._told.get(row["name"]), (stage_of(row), verdict(row))
            if self._wanted.stuck and not is_stuck(row):
                self._told.pop(row["name"], None)
                if was is None:
                    continue
            else:
                self._told[row["name"]] = now
            if self._wanted.as_json:
                print(json.dumps(row, ensure_ascii=False), flush=True)
            elif now != was:
                words = f"{name_of(row)}: {stage_of(row) or 'not seen yet'}"
                print(time.strftime("%H:%M:%S"), f"{words}: {verdict(row)}" if verdict(row) else words, flush=True)
