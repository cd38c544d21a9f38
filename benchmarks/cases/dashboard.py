"""The dashboard in Chromium with 10,000 machines that boot: until the first rows are painted, and the longest frame.

The browser is on the load's side of the link, without a core of its own. The fleet is read for the first time, and
nothing is in the browser's cache. While frames are measured, 300 machines ask every 100 ms, so that rows change at
10 Hz; the page is scrolled all the time.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import bootload
from benchmarks.link import SERVER_ADDRESS, Link
from benchmarks.model import Case, Sample
from benchmarks.ours import HTTP_PORT, pxed
from benchmarks.process import Process
from tests.web.chromium import Browser, browsing

_LISTED = 10_000
_BUSY = 300  # machines that ask in one period
_PERIOD = 0.1
_HEAR = """
    window.heard = 0
    const source = new EventSource('/api/v1/fleet/events')
    source.addEventListener('rows', () => { window.heard += 1 })
    await new Promise((done) => { source.onopen = done })
"""
_FRAMES = """
    const rows = document.querySelector('.rows')
    const [began, before, times] = [performance.now(), window.heard, []]
    for (let now = began; now - began < arguments[0] * 1000;) {
        now = await new Promise(requestAnimationFrame)
        times.push(now)
        rows.scrollTop += 60
    }
    const gaps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b)
    return {longest: gaps.at(-1), p99: gaps[Math.floor(gaps.length * 0.99)], frames: gaps.length,
            updates: window.heard - before, seconds: (times.at(-1) - times[0]) / 1000}
"""


def cases() -> list[Case]:
    fleet = pxed(_LISTED)
    return [
        Case("dashboard-paint", "dashboard, 10,000 machines: first rows painted", "s", 1.0, fleet, [], _paint),
        Case("dashboard-frames", "dashboard, rows change at 10 Hz: longest frame", "ms", 200.0, fleet, [], _frames),
    ]


def _paint(link: Link, _process: Process, _quick: bool) -> Sample:
    with _page(link) as browser:
        times: dict[str, Any] = browser.run(
            "return {rows: performance.getEntriesByName('pxed-rows')[0].startTime,"
            " first: performance.getEntriesByName('first-contentful-paint')[0].startTime,"
            " fleet: performance.getEntriesByType('resource').find((one) => one.name.endsWith('/fleet')).responseEnd}"
        )
        problem = _problem(browser)
    details = {"first_contentful_paint_s": times["first"] / 1000, "fleet_there_s": times["fleet"] / 1000}
    return Sample(times["rows"] / 1000, problem, details)


def _frames(link: Link, _process: Process, quick: bool) -> Sample:
    with _page(link) as browser:
        browser.run_async(_HEAR)
        with _asking(link):
            seen: dict[str, Any] = browser.run_async(_FRAMES, 2 if quick else 10)
        problem = _problem(browser)
    rate = seen["updates"] / seen["seconds"]
    slow = f"{rate:.1f} updates a second, not 10" if rate < 8 else ""
    details = {"p99_ms": seen["p99"], "frames_per_s": seen["frames"] / seen["seconds"], "updates_per_s": rate}
    return Sample(seen["longest"], problem or slow, details)


def _problem(browser: Browser) -> str:
    count = browser.text(".count")
    return "" if count == f"{_LISTED} of {_LISTED}" else f"the page shows {count!r}"


@contextlib.contextmanager
def _page(link: Link) -> Iterator[Browser]:
    """The dashboard open, after each machine has asked once."""
    bootload.dhcp(link, 30, cycle=_LISTED, count=_LISTED)
    with (
        tempfile.TemporaryDirectory(prefix="pxed-bench-") as directory,
        browsing(Path(directory), link.load_namespace) as browser,
    ):
        browser.go("about:blank")
        browser.go(f"http://{SERVER_ADDRESS}:{HTTP_PORT}/")
        browser.wait("return performance.getEntriesByName('pxed-rows').length")
        yield browser


@contextlib.contextmanager
def _asking(link: Link) -> Iterator[None]:
    """Machines go on asking, others in each period."""
    over = threading.Event()

    def ask() -> None:
        turn, due = 0, time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            due = max(due + _PERIOD, time.monotonic())
            first = bootload.FIRST_MAC + turn * _BUSY % (_LISTED - _BUSY)
            bootload.dhcp(link, 5, first=first, count=_BUSY, cycle=_BUSY)
            turn += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
