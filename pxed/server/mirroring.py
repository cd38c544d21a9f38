"""The mirror while the daemon runs: syncs on a schedule, what is arriving, and the index as it was last published.

A sync is a process of its own (`pxed images sync --json`): checking signatures holds the interpreter for seconds. It is
stopped by SIGTERM, and ends by itself when the daemon dies, since its standard input ends then. What it downloaded
stays and is resumed. Left out: handing out the files.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import FILE_NAME, Stamp, load_index, stamp_at
from pxed.assets.mirror.rollout import newest
from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.model import Inventory
from pxed.inventory.releases import FlatcarImage, MirrorSettings
from pxed.server.live import Live
from pxed.server.mirrornews import MirrorNews
from pxed.server.syncprocess import BUSY, run_sync, sync_command

JITTER = 0.1  # of the interval: a site's daemons do not all ask at the same second
FIRST_SECONDS = 60.0  # after a start with everything there: at a random time within it
RETRY_SECONDS = 60.0  # after a failure; doubled by each further one, up to the interval

Wanted = tuple[MirrorSettings, dict[str, FlatcarImage]]


class Mirroring:
    """Keeps the mirror in step with the release servers. `run` is a task of the daemon."""

    def __init__(self, path: Path, live: Live, emit: Emit) -> None:
        self._path = path
        self._live = live
        self._emit = emit
        self._mirror_dir = live.snapshot.inventory.server.data_dir / "mirror"
        self._stamp: Stamp | None = None
        self._news = MirrorNews(emit)
        self._wanted = _wanted(live.snapshot.inventory)
        self._asked = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures = 0
        self.refresh()

    def arriving(self, image: str) -> str:
        """ "4593.2.5 is arriving, 37%"; "" when nothing is on its way."""
        arriving = self._news.arriving.get(image)
        return f"{arriving.version} is arriving, {int(arriving.fraction * 100)}%" if arriving else ""

    def refresh(self) -> bool:
        """Take the index if it was replaced; whether it was. A broken one is warned about, the old one stays."""
        stamp = stamp_at(self._mirror_dir / FILE_NAME)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self._live.index = load_index(self._mirror_dir)
        except MirrorError as error:
            stays = "the mirror's index stays as it was" if self._live.index.releases else "nothing is mirrored"
            self._say(f"{stays}: {error}", Level.WARNING)
            return False
        return True

    def reconsider(self) -> None:
        """After a reload: sync at once if other releases are wanted than before."""
        wanted = _wanted(self._live.snapshot.inventory)
        if wanted != self._wanted:
            self._wanted = wanted
            self._failures = 0
            self._asked.set()

    def stop(self) -> None:
        """Start no more syncs and end the one under way; `run` returns soon after."""
        self._stopping.set()
        self._asked.set()

    async def run(self) -> None:
        """Sync when it is time, until stop()."""
        delay = self.first()
        while True:
            await self._pause(delay)
            if self._stopping.is_set():
                return
            delay = await self.sync() if self._active else self.first()

    def first(self) -> float | None:
        """Seconds until the first sync; None for none."""
        settings, images = self._wanted
        missing = [name for name, image in images.items() if not newest(name, image, self._live.index)]
        if self._active:
            return 0.0 if missing else random.uniform(0, min(FIRST_SECONDS, settings.interval))  # noqa: S311
        for name in missing:
            text = f"image {name}: nothing is mirrored and server.mirror.interval is off: run pxed images sync"
            self._say(text, Level.WARNING)
        return None

    async def sync(self) -> float:
        """One sync, by a child process; seconds until the next."""
        settings, _ = self._wanted
        self._say("looking for new Flatcar releases", Level.DEBUG)
        code = await run_sync(sync_command(self._path), self._news, self._stopping)
        self.refresh()
        if code == BUSY:
            return RETRY_SECONDS
        self._news.ended()
        if code == 0:
            self._failures = 0
            return settings.interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        self._failures += 1
        return min(RETRY_SECONDS * 2.0 ** min(self._failures - 1, 20), float(settings.interval))

    @property
    def _active(self) -> bool:
        settings, images = self._wanted
        return bool(images) and settings.interval > 0

    async def _pause(self, delay: float | None) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._asked.wait()
        except TimeoutError:
            pass
        self._asked.clear()

    def _say(self, text: str, level: Level) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


def _wanted(inventory: Inventory) -> Wanted:
    images = {name: image.flatcar for name, image in inventory.images.items() if image.flatcar is not None}
    return inventory.server.mirror, images
