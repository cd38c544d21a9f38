"""One sync of the mirror: what the inventory wants, what is current, download, verify, publish, retain.

Images do not stand in each other's way: each ends published, up to date or failed, and one that fails goes on booting
what it booted. It runs in a process of its own, for Sequoia holds the interpreter while it hashes a file.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pxed.assets.flatcar import CHANNELS
from pxed.assets.mirror import layout, lock, plan, publish, retain
from pxed.assets.mirror.download import Downloader, Limits
from pxed.assets.mirror.errors import MirrorError, NotThere
from pxed.assets.mirror.events import Event, Failed, Published, Removed, Resolved, UpToDate, Warned
from pxed.assets.mirror.fetch import Fetched, Fetcher, Wanted, together
from pxed.assets.mirror.index import Index, Key, Release, change_index, load_index
from pxed.assets.mirror.plan import Order
from pxed.assets.mirror.rollout import settle, settled
from pxed.assets.mirror.signatures import Keyring
from pxed.assets.mirror.verify import lacking
from pxed.inventory.model import Inventory

Emit = Callable[[Event], None]
PATIENT = Limits()


@dataclass(slots=True)
class Report:
    """How a sync ended: one event for each image, and the releases that were removed."""

    outcomes: dict[str, Published | UpToDate | Failed] = field(default_factory=dict)
    removed: list[Removed] = field(default_factory=list)

    @property
    def failed(self) -> Mapping[str, Failed]:
        """The images that did not get what they want."""
        return {image: outcome for image, outcome in self.outcomes.items() if isinstance(outcome, Failed)}


async def sync(
    inventory: Inventory,
    emit: Emit,
    *,
    only: Collection[str] = (),
    in_use: Collection[Key] = (),
    wait: bool = False,
    limits: Limits = PATIENT,
) -> Report:
    """Bring the mirror up to date, for all images or those of `only`. Tells Published, UpToDate or Failed once for each
    image. Raises LockedError (unless `wait`) and MirrorError for what concerns no single image; cancelled, it leaves
    what has arrived for the next sync."""
    mirror_dir = inventory.server.data_dir / "mirror"
    async with lock.writing_async(mirror_dir, wait=wait):
        run = _Sync(inventory, emit, mirror_dir, limits)
        await run.all(only, in_use)
        return run.report


class _Sync:
    def __init__(self, inventory: Inventory, emit: Emit, mirror_dir: Path, limits: Limits) -> None:
        self.report = Report()
        self._inventory, self._emit, self._dir, self._limits = inventory, emit, mirror_dir, limits

    async def all(self, only: Collection[str], in_use: Collection[Key]) -> None:
        publish.empty_trash(self._dir)
        change_index(self._dir, lambda index: settle(self._inventory.images, index))
        orders = plan.orders(self._inventory, only)
        try:
            keyring = Keyring.load(self._inventory.server.mirror)
        except MirrorError as error:
            for order in orders:
                self._fail(order.image, "", error)
            return
        async with Downloader(self._limits) as download:
            self._fetcher = Fetcher(download, keyring, self._emit)
            versions = await self._resolve_all(orders)
            self._clean(orders, versions, only)
            by_release: dict[Key, list[Order]] = {}
            for order in sorted(orders, key=lambda one: len(one.files)):
                if version := versions.get(order.image):
                    by_release.setdefault(order.line.key(version), []).append(order)
            await together(self._bring_each(key[2], wishes) for key, wishes in by_release.items())
        self._retain(in_use)

    async def _resolve_all(self, orders: list[Order]) -> dict[str, str]:
        """The version of each image; those that failed are left out."""
        versions: dict[str, str] = {}
        lines: dict[layout.Line, list[str]] = {}
        for order in orders:
            lines.setdefault(order.line, []).append(order.image)

        async def one(line: layout.Line, images: list[str]) -> None:
            try:
                version = await self._resolve(line, images[0])
            except (MirrorError, OSError) as error:
                for image in images:
                    self._fail(image, "", error)
                return
            for image in images:
                versions[image] = version
                url = _without_password(line.url(version, ""))
                self._emit(Resolved(image, line.channel, line.arch, version, url))

        await together(one(line, images) for line, images in lines.items())
        return versions

    async def _resolve(self, line: layout.Line, image: str) -> str:
        """The version that a line stands for. Raises MirrorError."""
        if line.pinned:
            return line.word
        years = await self._years(line)
        try:
            found = await self._fetcher.current(line)
        except NotThere as error:
            raise _no_such_line(line, years, error) from None
        warnings = [plan.check_year(line, found, years)]
        version, warning = plan.not_older(line, found, load_index(self._dir))
        for text in filter(None, [*warnings, warning]):
            self._emit(Warned(image, text))
        return version

    async def _years(self, line: layout.Line) -> dict[int, tuple[int, bool]]:
        """lts-info, where it matters; mirrors that have none are well without."""
        if layout.year_of(line.word) is None:
            return {}
        try:
            return await self._fetcher.lts_info(line)
        except MirrorError:
            return {}

    async def _bring_each(self, version: str, orders: list[Order]) -> None:
        """Bring one release, first the files that most images want: a missing install image fails only its own, and
        a server that is down only its own images."""
        groups: dict[tuple[tuple[str, ...], str], list[Order]] = {}
        for order in orders:
            groups.setdefault((order.files, order.line.base), []).append(order)
        for (files, _base), same in groups.items():
            images = tuple(order.image for order in same)
            try:
                await self._bring([order.line for order in same], version, images, files)
            except (MirrorError, OSError) as error:
                for image in images:
                    self._fail(image, version, error)

    async def _bring(
        self, lines: Sequence[layout.Line], version: str, images: tuple[str, ...], files: tuple[str, ...]
    ) -> None:
        """Make a release complete that all these lines of one server stand for. Raises MirrorError, OSError."""
        key = lines[0].key(version)
        before = load_index(self._dir).releases.get(key)
        missing = await asyncio.to_thread(lacking, self._dir, before, files)
        if not missing:
            self._index(lines, version, before)
            self._done(UpToDate(images, *key))
            return
        wanted = Wanted(lines[0], version, images, missing)
        fetched = await self._fetcher.release(wanted, publish.staging(self._dir, key))
        release = _merged(before, key, fetched)
        release = await asyncio.to_thread(publish.place, self._dir, release, tuple(fetched.files))
        self._index(lines, version, release)
        size = sum(file.size for file in fetched.files.values())
        self._done(Published(images, *key, len(fetched.files), size, release.signed_by, fetched.note))

    def _index(self, lines: Sequence[layout.Line], version: str, release: Release | None) -> None:
        """Make the release known, and every `current` that it is; the links on disk follow. Raises MirrorError."""

        def change(index: Index) -> Index:
            releases, current = dict(index.releases), dict(index.current)
            if release is not None:
                releases[release.key] = release
            current |= {line.key(line.word): version for line in lines if not line.pinned}
            return settle(self._inventory.images, replace(index, releases=releases, current=current))

        publish.point(self._dir, self._inventory.images, change_index(self._dir, change))

    def _clean(self, orders: list[Order], versions: Mapping[str, str], only: Collection[str]) -> None:
        """Delete what arrived of versions that nobody wants any more, as far as all wishes are known."""
        if only:
            return
        unknown = {(order.line.channel, order.line.arch) for order in orders if order.image not in versions}
        known = {(channel, arch) for channel in CHANNELS for arch in layout.ARCHITECTURES} - unknown
        wanted = {order.line.key(versions[order.image]) for order in orders if order.image in versions}
        publish.forget_partials(self._dir, wanted, known)

    def _retain(self, in_use: Collection[Key]) -> None:
        def removed(event: Removed) -> None:
            self.report.removed.append(event)
            self._emit(event)

        try:
            retain.prune(self._dir, self._inventory, removed, in_use)
        except OSError as error:
            self._emit(Warned("", f"old versions could not be removed: {error}"))

    def _done(self, event: Published | UpToDate) -> None:
        self.report.outcomes |= dict.fromkeys(event.images, event)
        self._emit(event)

    def _fail(self, image: str, version: str, error: Exception) -> None:
        flatcar = self._inventory.images[image].flatcar
        serving = settled(image, flatcar, load_index(self._dir)) if flatcar else ""
        reason = f"cannot write the mirror: {error}" if isinstance(error, OSError) else str(error)
        event = Failed(image, version, _without_password(reason), serving)
        self.report.outcomes[image] = event
        self._emit(event)


def _merged(before: Release | None, key: Key, fetched: Fetched) -> Release:
    """The release with what was fetched now over what it had."""
    files = {**(before.files if before else {}), **fetched.files}
    signed_by = before.signed_by if before and layout.KERNEL not in fetched.files else fetched.signed_by
    return Release(*key, files, time.time(), signed_by)


def _no_such_line(line: layout.Line, years: Mapping[int, tuple[int, bool]], error: NotThere) -> NotThere:
    if years:
        known = ", ".join(f"current-{year}" for year in sorted(years))
        return NotThere(f"{error}: there is no {line.word} of {line.channel}; lts-info knows {known}")
    return NotThere(f"{error}: has this server {line.channel} for {line.arch}?")


def _without_password(text: str) -> str:
    """URLs as they may stand in a log."""
    return re.sub(r"://[^/@\s]+@", "://", text)
