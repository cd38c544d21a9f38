"""The event bus: `emit` never blocks; a callback soon after writes the log, keeps the journal, tells subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Protocol

from pxed.events import Event, Kind, Level
from pxed.server.lines import one_line
from pxed.server.redact import clean
from pxed.status.journal import Journal

PENDING_EVENTS = 65_536  # a flood beyond it loses its oldest events, and says how many
BATCH = 2_000  # events per turn of the loop, so that answers come between
PAUSE = 0.005  # seconds an event may wait to be written together with others
SUBSCRIBER_EVENTS = 1_000  # a subscriber that is slower is cut off
UNWRITTEN_CHUNKS = 256  # log writes waiting for a slow reader of our stderr

Deferred = tuple[Callable[..., Event], tuple[object, ...]]
Observer = Callable[[list[Event]], None]
_LOG = logging.getLogger(__name__)
_NAMES = ("", "DEBUG  ", "INFO   ", "WARNING")  # by level // 10: an enum's hash takes longer than the rest of a line


class Stream(Protocol):
    """Where lines go."""

    def write(self, chunk: bytes, /) -> int: ...
    def flush(self) -> None: ...


class LogWriter:
    """Writes lines in a thread of its own: a full pipe stops the log, never an answer."""

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream: Stream = stream or sys.stderr.buffer
        self._chunks: queue.Queue[bytes | None] = queue.Queue(UNWRITTEN_CHUNKS)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, chunk: bytes, wait: float = 0.0) -> bool:
        """Hand over some lines, within `wait` seconds; False when the reader is so slow that they are lost."""
        try:
            self._chunks.put(chunk, block=wait > 0, timeout=wait or None)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Write what is left, for 2 seconds at most."""
        with contextlib.suppress(queue.Full):
            self._chunks.put(None, timeout=1)
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(chunk)
                self._stream.flush()


class Bus:
    """Takes every event of the daemon."""

    def __init__(
        self, journal: Journal, writer: LogWriter, render: Callable[[Event], str], level: Level = Level.INFO
    ) -> None:
        self.journal = journal
        self._writer = writer
        self._render = render
        self._level = level
        self._pending: deque[Event | Deferred] = deque(maxlen=PENDING_EVENTS)
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._subscribers: set[asyncio.Queue[Event | None]] = set()
        self.observers: list[Observer] = []  # called with each batch, in the loop's thread, after log and journal

    def emit(self, event: Event) -> None:
        """Take an event. Secrets are taken out of it: of those put off, which DHCP makes, none can have one."""
        self._append(clean(event))

    def defer(self, make: Callable[..., Event], *arguments: object) -> None:
        """Take an event that is made when it is written: for the answer to a datagram, where microseconds count."""
        self._append((make, arguments))

    def defer_all(self, items: list[Deferred]) -> None:
        """As defer(), for the events of many answers."""
        if items:
            self._dropped += max(0, len(self._pending) + len(items) - PENDING_EVENTS)
            self._pending.extend(items)
            self._wake()

    async def subscribe(self) -> AsyncIterator[Event]:
        """Every event from now on. Ends when the reader falls too far behind, or at shutdown."""
        mine: asyncio.Queue[Event | None] = asyncio.Queue(SUBSCRIBER_EVENTS)
        self._subscribers.add(mine)
        try:
            while (event := await mine.get()) is not None:
                yield event
        finally:
            self._subscribers.discard(mine)

    def settle(self) -> None:
        """Take up what is pending now, rather than in a moment."""
        while self._pending:
            self._flush()

    def close(self) -> None:
        """Write what is pending and let the subscribers go."""
        if self._timer is not None:
            self._timer.cancel()
        while self._pending:
            self._flush(wait=1.0)
        if self._dropped:
            self._flush(wait=1.0)
        for subscriber in tuple(self._subscribers):
            self._cut(subscriber)
        self._writer.close()

    def _append(self, item: Event | Deferred) -> None:
        if len(self._pending) == PENDING_EVENTS:
            self._dropped += 1
        self._pending.append(item)
        self._wake()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._flush()
        if self._pending:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._on_timer)

    def _flush(self, wait: float = 0.0) -> None:
        events = self._taken()
        lost, self._dropped = self._dropped, 0
        if lost:
            events.append(_lost(lost))
        lines, level, render, keep = [], self._level, self._render, self.journal.add
        for event in events:
            if event.level >= level:
                lines.append(render(event))
            keep(event)
        if lines and not self._writer.write(("\n".join(lines) + "\n").encode(errors="replace"), wait):
            self._dropped = lost + len(lines) - bool(lost)  # the line that tells of losses is none itself
        if self._subscribers:
            self._tell_all(events)
        for observe in self.observers:
            self._observed(observe, events)

    @staticmethod
    def _observed(observe: Observer, events: list[Event]) -> None:
        """One that fails costs its batch; the log and the answers go on."""
        try:
            observe(events)
        except Exception:
            _LOG.exception("an observer of the events failed")

    def _taken(self) -> list[Event]:
        """The next events, those made that were put off."""
        pop = self._pending.popleft
        taken = [pop() for _ in range(min(BATCH, len(self._pending)))]
        return [item if item.__class__ is Event else item[0](*item[1]) for item in taken]  # type: ignore[operator,misc]

    def _tell_all(self, events: list[Event]) -> None:
        for event in events:
            for subscriber in tuple(self._subscribers):
                self._tell(subscriber, event)

    def _tell(self, subscriber: asyncio.Queue[Event | None], event: Event) -> None:
        try:
            subscriber.put_nowait(event)
        except asyncio.QueueFull:
            self._cut(subscriber)

    def _cut(self, subscriber: asyncio.Queue[Event | None]) -> None:
        self._subscribers.discard(subscriber)
        if subscriber.full():
            subscriber.get_nowait()
        subscriber.put_nowait(None)


def _lost(count: int) -> Event:
    text = f"{count} log lines were lost: events came faster than they could be written"
    return Event(Kind.DROPPED, time.time(), text=text, level=Level.WARNING, data={"lost": count})


def as_text(event: Event) -> str:
    """ "2026-11-24T03:00:00Z INFO node1 [52:54:..]: offer: offered snponly.efi" """
    return f"{_stamp(event.time)} {_NAMES[event.level // 10]} {one_line(event.line())}"


@lru_cache(maxsize=16)
def _stamp(when: float) -> str:
    """The events of one wake-up share their time."""
    second = int(when)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{int((when - second) * 1000):03d}Z"


def as_json(event: Event) -> str:
    """One JSON object: time, kind, machine, mac, text, level, and the event's data."""
    return json.dumps(as_dict(event), ensure_ascii=False)


def as_dict(event: Event) -> dict[str, object]:
    """The event as JSON has it, in the log and in the API."""
    return {
        "time": round(event.time, 6),
        "kind": str(event.kind),
        "level": event.level.name.lower(),
        "machine": event.machine,
        "mac": event.mac,
        "text": event.text,
        **event.data,
    }
