"""How far the files are that are being sent: an event when one begins, and one every two seconds while it goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from pxed.events import Emit, Event, Kind, Level, Value
from pxed.server.callers import Caller
from pxed.server.sendfile import Sending
from pxed.server.transfers import EVERY, number

LOOKS = 0.5  # seconds between two looks at all of them


@dataclass(slots=True, eq=False)
class Download:
    """A file that is being sent by HTTP."""

    caller: Caller
    file: str
    stage: str
    due: int
    sending: Sending
    began: float  # time.monotonic()
    id: int = field(default_factory=number)
    told: float = 0.0


class Underway:
    """The files that HTTP is sending. One timer for all of them, and none while there are none."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._downloads: set[Download] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, download: Download) -> None:
        """It is sent from now on."""
        self._downloads.add(download)
        self._tell(download, time.monotonic())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOKS, self._look)

    def end(self, download: Download) -> None:
        """It is sent no more: another event tells how that ended."""
        self._downloads.discard(download)
        if not self._downloads and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(LOOKS, self._look)
        for download in self._downloads:
            if now - download.told >= EVERY:
                self._tell(download, now)

    def _tell(self, download: Download, now: float) -> None:
        download.told = now
        caller, done = download.caller, download.sending.tally.acknowledged(download.sending.sent)
        data: dict[str, Value] = {
            "id": download.id,
            "file": download.file,
            "bytes": done,
            "due": download.due,
            "seconds": round(now - download.began, 3),
            "transport": "http",
            "stage": download.stage,
            "address": caller.address,
            "retransmits": download.sending.tally.retransmits(),
            "heard": True,
        }
        text = f"{download.file}: {done} of {download.due} bytes by HTTP"
        self._emit(Event(Kind.PROGRESS, time.time(), caller.machine, caller.mac, text, Level.DEBUG, data))
