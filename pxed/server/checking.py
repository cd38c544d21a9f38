"""Makes the configs of a big fleet in the background, after a start that did not wait for all of them."""

from __future__ import annotations

import asyncio
import time

from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.model import Machine
from pxed.server.live import Live, Snapshot
from pxed.server.load import checker_of

BATCH = 20  # machines a turn of the thread: a reload or a stop waits for one batch at most
SHOWN = 20  # problems in the log; `pxed check` has them all


class Checking:
    """Checks what the live snapshot left unchecked. A machine whose config cannot be made gets 503 and the reason."""

    def __init__(self, live: Live, emit: Emit) -> None:
        self._live = live
        self._emit = emit

    async def run(self) -> None:
        """Until everything of the snapshot is checked, or another one is live."""
        snapshot = self._live.snapshot
        if not snapshot.unchecked:
            return
        checker = checker_of(snapshot)
        found = 0
        for machines in _batches(snapshot.unchecked):
            problems = await asyncio.to_thread(lambda few: [p for one in few for p in checker.machine(one)], machines)
            if self._live.snapshot is not snapshot:
                return
            for problem in problems[: max(0, SHOWN - found)]:
                self._say(str(problem), Level.WARNING)
            found += len(problems)
        self._say(_summary(snapshot, found), Level.INFO)

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


def _batches(machines: tuple[Machine, ...]) -> list[tuple[Machine, ...]]:
    return [machines[start : start + BATCH] for start in range(0, len(machines), BATCH)]


def _summary(snapshot: Snapshot, found: int) -> str:
    outcome = f"{found} problem{'s' * (found > 1)}, all in pxed check" if found else "no problems"
    return f"made the configs of {len(snapshot.unchecked)} more machines: {outcome}"
