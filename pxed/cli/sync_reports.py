"""A sync as it happens: JSON lines for programs, plain lines for logs and pipes. Bars for terminals: sync_bars.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pxed.assets.mirror.events import Event, Failed, Progress, Resolved, Warned, to_json
from pxed.assets.mirror.wording import amount, duration, images_of, sentence

EVERY = 10.0  # seconds between two lines about one file


class Report(Protocol):
    """Hears the events of a sync."""

    def __call__(self, event: Event) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One object for each event."""

    def __call__(self, event: Event) -> None:
        print(to_json(event), flush=True)

    def close(self) -> None:
        """Nothing is left to print."""


@dataclass(slots=True)
class _Arrival:
    began: float
    resumed: int
    said: float


class PlainLines:
    """One line for each milestone, and every 10 seconds how far a file has come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrivals: dict[tuple[str, str, str], _Arrival] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress(event)
        else:
            say(event, print)

    def close(self) -> None:
        """Nothing is left to print."""

    def _progress(self, event: Progress) -> None:
        key, now = (event.channel + event.arch, event.version, event.file), self._clock()
        arrival = self._arrivals.get(key)
        if event.total and event.done >= event.total:
            seconds = now - arrival.began if arrival else 0.0
            print(f"{event.file} of {event.version}: {amount(event.total)} in {duration(seconds)}", flush=True)
            self._arrivals.pop(key, None)
        elif arrival is None:
            self._arrivals[key] = _Arrival(now, event.done, now)
            print(f"{event.file} of {event.version}: {_beginning(event)}", flush=True)
        elif now - arrival.said >= EVERY:
            arrival.said = now
            rate = max(0, event.done - arrival.resumed) / (now - arrival.began)
            print(f"{event.file} of {event.version}: {_middle(event, rate)}", flush=True)


def say(event: Event, tell: Callable[[str], None]) -> None:
    """An event as a line for each of its images: told, or printed to standard error when it is bad news."""
    for image in images_of(event) or ("",):
        line = f"image {image}: {sentence(event)}" if image else sentence(event)
        if isinstance(event, Failed | Warned):
            print(line if isinstance(event, Failed) else f"warning: {line}", file=sys.stderr, flush=True)
        elif not isinstance(event, Resolved) or event.version:
            tell(line)


def _beginning(event: Progress) -> str:
    if event.resumed:
        return f"going on after {amount(event.resumed)} of {amount(event.total)}"
    return f"downloading {amount(event.total)}" if event.total else "downloading"


def _middle(event: Progress, rate: float) -> str:
    if not event.total:
        return f"{amount(event.done)}, {amount(rate)}/s"
    left = f", {duration((event.total - event.done) / rate)} left" if rate else ""
    return f"{event.done / event.total:.0%} of {amount(event.total)}, {amount(rate)}/s{left}"
