"""What the daemon tells of the fleet, in a thread: its stream of changes, and all rows again where that breaks."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import Any, NamedTuple

from pxed.cli.client import OPEN, Client, RefusedError, UnreachableError

POLL_SECONDS = 2.0  # between two reads of all rows while there is no stream


class News(NamedTuple):
    """One of: all rows, some rows, or a sentence about what does not work."""

    whole: Any = None
    changes: Any = None  # None with `streaming`: the stream has begun
    trouble: str = ""
    streaming: bool = False  # changes come as they happen


class Feed:
    """Follows one daemon until it is closed. `wake` is readable whenever there is news."""

    def __init__(self, client: Client, poll_seconds: float = POLL_SECONDS) -> None:
        self._client = client
        self._poll_seconds = poll_seconds
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self.wake, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self.wake, False)
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def start(self, version: int) -> None:
        """Follow what comes after all rows of that version."""
        self._version = version
        self._thread.start()

    def take(self, seconds: float | None = 0.0) -> list[News]:
        """What has come; with `seconds`, wait so long for the first of it (None: for ever)."""
        found: list[News] = []
        try:
            found.append(self._news.get(timeout=seconds) if seconds != 0.0 else self._news.get_nowait())
            while True:
                found.append(self._news.get_nowait())
        except queue.Empty:
            self._silence()
            return found

    def close(self) -> None:
        """End the thread, whatever it waits for."""
        self._stopping.set()
        while self._thread.is_alive():  # it may be between two connections
            self._client.abort()
            self._thread.join(0.1)
        os.close(self.wake)
        os.close(self._bell)

    def _run(self) -> None:
        version: int | None = self._version
        while not self._stopping.is_set():
            try:
                if version is None:
                    whole = self._client.get("fleet")
                    version = whole["version"]
                    self._tell(News(whole=whole))
                self._follow(version)
            except (RefusedError, UnreachableError) as error:
                self._tell(News(trouble=str(error)))
                self._stopping.wait(self._poll_seconds)
            version = None

    def _follow(self, version: int) -> None:
        """Until all rows are to be read again. Raises RefusedError and UnreachableError."""
        for message in self._client.stream(f"fleet/events?after={version}"):
            if self._stopping.is_set() or message.kind == "reset":
                return
            if message.kind in (OPEN, "rows"):
                self._tell(News(changes=message.data, streaming=True))

    def _tell(self, news: News) -> None:
        self._news.put(news)
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(self._bell, b"!")

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake, 4096):
                pass
