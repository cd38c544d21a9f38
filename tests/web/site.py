"""The HTTP server in a thread of its own, with a fleet that a test tells: the browser's driver blocks the test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from pxed.server.auth import Auth
from pxed.status.boots import Boot
from tests.server.httpsite import INVENTORY, Site, serving
from tests.server.standings import write_token
from tests.server.timelines import Timelines

T = TypeVar("T")
LARGE = 10_000


class WebSite:
    """What is served, and how a test changes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, site: Site, tracker: Timelines) -> None:
        self._loop = loop
        self.site = site
        self.tracker = tracker
        self.url = site.url

    def do(self, function: Callable[..., T], *arguments: object) -> T:
        """Call it in the server's thread; its result."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # the test gets it
                future.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return future.result(30)

    def wait(self, awaitable: Coroutine[object, object, T]) -> T:
        """The result of something that the server's loop awaits."""
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(30)

    def put(self, *boots: Boot) -> None:
        """Boots that are new or changed."""
        self.do(lambda: [self.tracker.put(boot) for boot in boots])


@contextlib.contextmanager
def running(
    home: Path, text: str = INVENTORY, tracker: Timelines | None = None, unknown: str = "ignore"
) -> Iterator[WebSite]:
    """The server for the length of the block; its API takes TOKEN."""
    write_token(home / "token")
    text = text.replace("data_dir: data", "data_dir: data, api_token_file: token", 1)
    tracker = Timelines()
    ready: Future[tuple[asyncio.AbstractEventLoop, Site, asyncio.Event]] = Future()

    async def serve() -> None:
        async with serving(home, unknown, text=text, tracker=tracker, auth=Auth()) as site:
            over = asyncio.Event()
            ready.set_result((asyncio.get_running_loop(), site, over))
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=run, name="web site")
    thread.start()
    loop, site, over = ready.result(60)
    try:
        yield WebSite(loop, site, tracker)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)


def large_inventory(count: int = LARGE) -> str:
    """Many machines of two profiles."""
    head = """
server: {data_dir: data, unknown: UNKNOWN, http: {port: PORT}}
images: {rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}}
profiles:
  worker: {image: rescue}
  storage: {image: rescue}
machines:
"""
    lines = (
        f'  rack{number // 40:03}-node{number % 40:02}: {{mac: "{mac_of(number)}", serial: SN{number:06}, '
        f"profile: {'storage' if number % 5 == 0 else 'worker'}}}\n"
        for number in range(count)
    )
    return head + "".join(lines)


def mac_of(number: int) -> str:
    """The MAC of a machine of large_inventory()."""
    return f"52:54:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def name_of(number: int) -> str:
    """And its name."""
    return f"rack{number // 40:03}-node{number % 40:02}"
