"""The event bus: `emit` never blocks and never fails; a callback a little later writes the log, keeps the journal and tells subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from pxed.events import Event, Kind, Level
from pxed.status.journal import Journal

PENDING_EVENTS = 65_536  # a flood beyond it loses its oldest events, and says how many
BATCH = 2_000  # events per turn of the loop, so that answers come between
PAUSE = 0.02  # seconds an event may wait to be written together with others
SUBSCRIBER_EVENTS = 1_000  # a subscriber that is slower is cut off
UNWRITTEN_CHUNKS = 256  # log writes waiting for a slow reader of our stderr

Deferred = tuple[Callable[..., Event], tuple[object, ...]]
_SYSLOG_LEVEL = {Level.DEBUG: "<7>", Level.INFO: "<6>", Level.WARNING: "<4>"}


class LogWriter:
    """Writes lines in a thread of its own: a full pipe stops the log, never an answer."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stderr.buffer
        self._chunks: queue.Queue[bytes | None] = queue.Queue(UNWRITTEN_CHUNKS)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, chunk: bytes) -> bool:
        """Hand over some lines; False when the reader is so slow that they are lost."""
        try:
            self._chunks.put_nowait(chunk)
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

    def emit(self, event: Event) -> None:
        """Take an event."""
        self._append(event)

    def defer(self, make: Callable[..., Event], *arguments: object) -> None:
        """Take an event that is made when it is written: for the answer to a datagram, where microseconds count."""
        self._append((make, arguments))

    async def subscribe(self) -> AsyncIterator[Event]:
        """Every event from now on. Ends when the reader falls too far behind, or at shutdown."""
        mine: asyncio.Queue[Event | None] = asyncio.Queue(SUBSCRIBER_EVENTS)
        self._subscribers.add(mine)
        try:
            while (event := await mine.get()) is not None:
                yield event
        finally:
            self._subscribers.discard(mine)

    def close(self) -> None:
        """Write what is pending and let the subscribers go."""
        if self._timer is not None:
            self._timer.cancel()
        while self._pending:
            self._flush()
        for subscriber in tuple(self._subscribers):
            self._cut(subscriber)
        self._writer.close()

    def _append(self, item: Event | Deferred) -> None:
        if len(self._pending) == PENDING_EVENTS:
            self._dropped += 1
        self._pending.append(item)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._flush()
        if self._pending:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._on_timer)

    def _flush(self) -> None:
        taken = [self._pending.popleft() for _ in range(min(BATCH, len(self._pending)))]
        events = [item if isinstance(item, Event) else item[0](*item[1]) for item in taken]
        if self._dropped:
            events.append(_lost(self._dropped, "events came faster than they could be written"))
            self._dropped = 0
        lines = [self._render(event) for event in events if event.level >= self._level]
        if lines and not self._writer.write(("\n".join(lines) + "\n").encode(errors="replace")):
            self._dropped += len(lines)
        for event in events:
            self.journal.add(event)
            for subscriber in tuple(self._subscribers):
                self._tell(subscriber, event)

    def _tell(self, subscriber: asyncio.Queue[Event | None], event: Event) -> None:
        try:
            subscriber.put_nowait(event)
        except asyncio.QueueFull:
            self._cut(subscriber)

    def _cut(self, subscriber: asyncio.Queue[Event | None]) -> None:
        self._subscribers.discard(subscriber)
        with contextlib.suppress(asyncio.QueueEmpty):
            subscriber.get_nowait()
        with contextlib.suppress(asyncio.QueueFull):
            subscriber.put_nowait(None)


def _lost(count: int, why: str) -> Event:
    return Event(Kind.DROPPED, time.time(), text=f"{count} log lines were lost: {why}", level=Level.WARNING)


def as_text(event: Event) -> str:
    """ "2026-11-24T03:00:00Z INFO node1 [52:54:..]: offer: offered snponly.efi" """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.time))
    return f"{stamp}.{int(event.time % 1 * 1000):03d}Z {event.level.name:7} {_one_line(event.line())}"


def as_journal(event: Event) -> str:
    """For journald, which adds the time itself: sd-daemon(3) level prefix, then the line."""
    return f"{_SYSLOG_LEVEL[event.level]}{_one_line(event.line())}"


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


def _one_line(text: str) -> str:
    """A peer's file name may hold anything; a log line may not."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
