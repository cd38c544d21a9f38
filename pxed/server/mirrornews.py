"""What a sync tells, as the daemon's events: a sentence for each change, and how far each version has come."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from pxed.assets.mirror import events
from pxed.assets.mirror.events import Failed, Progress, Published, Removed, UpToDate, Warned
from pxed.assets.mirror.wording import images_of, sentence
from pxed.events import Emit, Event, Kind, Level

STEP = 0.25  # of a version, between two lines about its arrival


class Arriving(NamedTuple):
    """A version on its way. `fraction` is of the files that have begun."""

    version: str
    fraction: float


class MirrorNews:
    """Hears a sync's events and says what is new. A failure that stays the same is said once."""

    def __init__(self, emit: Emit) -> None:
        self.arriving: dict[str, Arriving] = {}
        self._emit = emit
        self._files: dict[tuple[str, str], tuple[int, int]] = {}  # (version's path, file) -> bytes there, bytes in all
        self._failed: set[str] = set()  # images
        self._said: set[tuple[str, str]] = set()  # complaints of this sync: image and gist
        self._before: set[tuple[str, str]] = set()  # and of the one before

    def hear(self, event: events.Event) -> None:
        """Take one event of a sync."""
        match event:
            case Progress():
                self._progress(event)
            case Published():
                self._published(event)
            case UpToDate():
                self._up_to_date(event)
            case Failed():
                self.arriving.pop(event.image, None)
                self._failed.add(event.image)
                self.complain(event.image, sentence(event))
            case Warned():
                self.complain(event.image, sentence(event))
            case _:
                self._minor(event)

    def complain(self, image: str, text: str) -> None:
        """A warning, unless the last sync said the same: figures in it do not make it another."""
        complaint = (image, re.sub(r"[0-9]+", "#", text))
        level = Level.DEBUG if complaint in self._before | self._said else Level.WARNING
        self._said.add(complaint)
        self._say(image, text, level)

    def ended(self) -> None:
        """The sync is over: nothing is arriving any more."""
        self.arriving.clear()
        self._files.clear()
        self._before, self._said = self._said, set()

    def _progress(self, event: Progress) -> None:
        version = f"{event.channel}/{event.arch}/{event.version}"
        self._files[version, event.file] = (event.done, event.total)
        files = [amounts for (of, _), amounts in self._files.items() if of == version]
        done, total = (sum(amounts) for amounts in zip(*files, strict=True))
        fraction = done / total if total else 0.0
        for image in event.images:
            before = self.arriving.get(image)
            self.arriving[image] = Arriving(event.version, fraction)
            if before is None or int(before.fraction / STEP) != int(fraction / STEP):
                level = Level.INFO if before is None and image not in self._failed else Level.DEBUG
                self._say(image, f"{event.version} is arriving, {int(fraction * 100)}%", level, event.version)

    def _published(self, event: Published) -> None:
        for image in event.images:
            self.arriving.pop(image, None)
            self._failed.discard(image)
            self._say(image, sentence(event), Level.INFO, event.version)

    def _up_to_date(self, event: UpToDate) -> None:
        for image in event.images:
            self.arriving.pop(image, None)
            level = Level.INFO if image in self._failed else Level.DEBUG
            self._failed.discard(image)
            self._say(image, sentence(event), level, event.version)

    def _minor(self, event: events.Event) -> None:
        level = Level.INFO if isinstance(event, Removed) else Level.DEBUG
        for image in images_of(event) or ("",):
            self._say(image, sentence(event), level)

    def _say(self, image: str, text: str, level: Level, version: str = "") -> None:
        data = {key: value for key, value in (("image", image), ("version", version)) if value}
        of = f"image {image}" if image else "mirror"
        self._emit(Event(Kind.NOTICE, time.time(), text=f"{of}: {text}", level=level, data=data))
