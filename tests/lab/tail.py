"""Follow a growing text file: what a serial console, a daemon's log or a DHCP server's log says, as it says it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

POLL = 0.05  # seconds between two looks at the file
_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00\x08\x0e\x0f]")


def plain(text: str) -> str:
    """Console text without cursor movements: OVMF and SeaBIOS draw their screens on the serial line."""
    return _ESCAPES.sub("", text).replace("\r", "")


class Tail:
    """The complete lines of one file. `alive` says whether its writer still runs."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self.path = path
        self.lines: list[str] = []
        self._alive = alive
        self._offset = 0
        self._partial = ""

    def poll(self) -> list[str]:
        """The lines that have come since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *complete, self._partial = (self._partial + new.decode("utf-8", "replace")).split("\n")
        fresh = [plain(line) for line in complete]
        self.lines.extend(fresh)
        return fresh

    def wait(self, find: Callable[[str], T | None], timeout: float, start: int = 0) -> T | None:
        """What `find` makes of a line, the first from line `start` on; None after `timeout` seconds or at the end."""
        deadline = time.monotonic() + timeout
        seen = start
        while True:
            ended = not self._alive()
            self.poll()
            for line in self.lines[seen:]:
                if (found := find(line)) is not None:
                    return found
            seen = len(self.lines)
            if ended or time.monotonic() > deadline:
                return None
            time.sleep(POLL)

    def end(self, count: int = 25) -> str:
        """The last lines that say something, for a failure report."""
        self.poll()
        spoken = [line for line in [*self.lines, plain(self._partial)] if line.strip()]
        return "\n".join(f"    {line[:220]}" for line in spoken[-count:]) or "    (nothing)"
