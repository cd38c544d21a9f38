"""`pxed images sync`: bring the mirror up to date, visibly. The daemon runs it as its child, with --json --child."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.events import Event, Failed, Published, Resolved, UpToDate
from pxed.assets.mirror.lock import LockedError
from pxed.assets.mirror.sync import sync
from pxed.assets.mirror.upstream import Seen, load_seen, save_seen
from pxed.cli.mirrored import Site, with_site
from pxed.cli.sync_reports import JsonLines, PlainLines, Report

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BUSY = 75  # EX_TEMPFAIL: tells the daemon that another process writes the mirror


def run(config: Path, names: list[str], *, as_json: bool, wait: bool, child: bool) -> int:
    """Sync all images, or those of `names`; the exit code."""
    return with_site(config, lambda site: _run(site, names, as_json=as_json, wait=wait, child=child))


def _run(site: Site, names: list[str], *, as_json: bool, wait: bool, child: bool) -> int:
    site.check(names)
    if not site.flatcar:
        print(f"{site.inventory.path} has no image with flatcar: there is nothing to mirror", file=sys.stderr)
        return 0
    report = _report(as_json)
    outcome = Outcome(report)
    try:
        return asyncio.run(_sync(site, names, outcome, wait=wait, child=child))
    except MirrorError as error:
        if child and isinstance(error, LockedError):
            return BUSY
        if not as_json:
            raise
        report(Failed("", "", str(error), ""))
        return 1
    finally:
        report.close()
        if outcome.interrupted:
            print("interrupted: what has arrived is kept, the next sync goes on from there", file=sys.stderr)


class Outcome:
    """Passes events on, and knows in the end what became of each image."""

    def __init__(self, report: Report) -> None:
        self.seen: dict[str, Seen] = {}
        self.failed = False
        self.interrupted = False
        self._report = report

    def __call__(self, event: Event) -> None:
        now = time.time()
        if isinstance(event, Resolved):
            self.seen[event.image] = Seen(event.version, now)
        elif isinstance(event, Published | UpToDate):
            self.seen |= {image: Seen(event.version, now) for image in event.images}
        elif isinstance(event, Failed):
            self.failed = True
            self.seen[event.image] = Seen(event.version, now, event.reason)
        self._report(event)


def _report(as_json: bool) -> Report:
    if as_json:
        return JsonLines()
    if not sys.stdout.isatty():
        return PlainLines()
    from pxed.cli.sync_bars import Bars

    return Bars()


async def _sync(site: Site, names: list[str], outcome: Outcome, *, wait: bool, child: bool) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    if child:
        loop.add_reader(sys.stdin.fileno(), _end_with_daemon, task)
    try:
        await sync(site.inventory, outcome, only=names, wait=wait)
    except asyncio.CancelledError:
        outcome.interrupted = True
        return INTERRUPTED
    finally:
        if child:
            loop.remove_reader(sys.stdin.fileno())
    _remember(site, outcome)
    return 1 if outcome.failed else 0


def _end_with_daemon(task: asyncio.Task[object]) -> None:
    """Standard input is a pipe of the daemon that is never written to: it ends when the daemon does."""
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        task.cancel()


def _remember(site: Site, outcome: Outcome) -> None:
    known = {name: seen for name, seen in load_seen(site.mirror_dir).items() if name in site.flatcar}
    save_seen(site.mirror_dir, known | {name: seen for name, seen in outcome.seen.items() if name in site.flatcar})
