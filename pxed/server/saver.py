"""Saves a record that changes often: soon after a change, in a thread, as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from pxed.assets import durable

Content = Callable[[], bytes]


class Saver:
    """Saves one file `seconds` after its record changed, once however often it changes in between.

    `take` is called in the loop and gives a function that makes the content, which runs in a thread.
    `failed` hears of the first failure of a row.
    """

    def __init__(self, path: Path, seconds: float, take: Callable[[], Content], failed: Callable[[str], None]) -> None:
        self.path = path
        self._seconds = seconds
        self._take = take
        self._failed = failed
        self._failing = False
        self._unsaved = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """The record is to be saved."""
        self._unsaved = True
        if self._timer is None and self._task is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._begin)

    async def close(self) -> None:
        """Save what is unsaved, now."""
        if self._task is not None:
            await self._task
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._unsaved:
            await self._save()

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._save(), name=f"save {self.path.name}")
        self._task.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._task = None
        if self._unsaved:
            self.changed()

    async def _save(self) -> None:
        self._unsaved = False
        content = self._take()
        try:
            await asyncio.to_thread(_write, self.path, content)
        except OSError as error:
            if not self._failing:
                self._failed(f"cannot write {self.path}: {error.strerror}")
            self._failing = True
        else:
            self._failing = False


def _write(path: Path, content: Content) -> None:
    durable.directory(path.parent)
    durable.replace(path, content())
