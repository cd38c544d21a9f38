"""Mirrored releases as machines get them: which one a machine boots, its files, and a record of who booted what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from pxed.assets.flatcar import runs_on
from pxed.assets.library import Asset, Forbidden
from pxed.assets.mirror.files import Damaged, MirrorFiles, release_at
from pxed.assets.mirror.index import Index, Key, Release
from pxed.assets.mirror.layout import INSTALL_IMAGE
from pxed.assets.mirror.rollout import version_for
from pxed.boot import page
from pxed.boot.images import FLATCAR_INITRD, FLATCAR_KERNEL
from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.lookup import Match
from pxed.inventory.model import Image, Inventory
from pxed.inventory.targets import target_of
from pxed.server.booted import Booting
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.status.records import Booted

MAX_ALERTED = 1_000  # files; only those of the index can be alerted about
Arriving = Callable[[str], str]  # an image's name -> "4593.2.5 is arriving, 37 %", "" when nothing arrives


class Releases:
    """Answers out of the index that is live."""

    def __init__(
        self, live: Live, data_dir: Path, emit: Emit, keeper: Keeper, arriving: Arriving = lambda image: ""
    ) -> None:
        self._keeper = keeper
        self._booting = Booting(data_dir, emit)
        self._live = live
        self._emit = emit
        self._arriving = arriving
        self._files = MirrorFiles(data_dir)
        self._alerted: set[tuple[Key, str]] = set()
        self._checking: dict[Path, asyncio.Task[None]] = {}

    def load(self) -> None:
        """Read the record of what is being booted."""
        self._booting.load()

    async def close(self) -> None:
        """Write the record."""
        await self._booting.close()

    @property
    def index(self) -> Index:
        return self._live.index

    def booted_by(
        self, inventory: Inventory, match: Match, arch: str | None, *, note: bool = True
    ) -> page.Release | None:
        """What of its image is mirrored for a machine that asks for its script; None when it boots no release.

        `arch` is what the machine says of itself. `note`: the release is in use from now on.
        """
        name = match.profile.image or ""
        flatcar = inventory.images[name].flatcar if name in inventory.images else None
        if flatcar is None:
            return None
        if not runs_on(flatcar.arch, arch):
            return page.Release(missing=f"is for {flatcar.arch}, this machine is {arch}: give it an image of its own")
        version = version_for(name, flatcar, self.index, match.name)
        if not version:
            return page.Release(missing=self.missing(name))
        if note:
            self._booting.use(flatcar.channel, flatcar.arch, version)
        return page.Release(version)

    def installed_by(self, inventory: Inventory, match: Match, *, note: bool = True) -> page.Release | None:
        """The release that a machine's installation writes to disk; None when its image installs itself."""
        target = target_of(match.profile, inventory.images)
        if target is None:
            return None
        version = version_for(target.image, target.flatcar, self.index, match.name)
        key = (target.flatcar.channel, target.flatcar.arch, version)
        if not version or INSTALL_IMAGE not in self.index.releases[key].files:
            why = "is mirrored without its image for installation yet" if version else self.missing(target.image)
            return page.Release(missing=f"the release to install ({target.image}) {why}")
        if note:
            self._booting.use(*key)
        return page.Release(version)

    def needed(
        self, inventory: Inventory, match: Match, arch: str | None, *, installs: bool, note: bool = True
    ) -> tuple[page.Release | None, str]:
        """The release that a boot's script is made of, and the version that the boot is about: that which it installs,
        where it installs one."""
        release = self.booted_by(inventory, match, arch, note=note)
        target = self.installed_by(inventory, match, note=note) if installs else None
        version = (target or release or page.Release()).version
        if target is not None and target.missing and not (release is not None and release.missing):
            release = target
        return release, version

    def of_image(self, name: str, image: Image, machine: str, version: str = "") -> Release | None:
        """The release of an image that is asked for: the given version, else what the machine boots."""
        flatcar = image.flatcar
        if flatcar is None:
            return None
        version = version or version_for(name, flatcar, self.index, machine)
        return self.index.releases.get((flatcar.channel, flatcar.arch, version))

    def at(self, inventory: Inventory, channel: str, arch: str, word: str) -> Release | None:
        """The release of a path of the mirror."""
        return release_at(self.index, inventory.images, channel, arch, word)

    def missing(self, name: str) -> str:
        """Why an image has nothing to boot yet."""
        return self._arriving(name) or "is not mirrored yet: pxed images list says why"

    async def asset(self, release: Release, name: str) -> Asset:
        """A file, its content as it was verified. Raises AssetError."""
        asset = self._found(release, name)
        if not self._files.is_known_right(release, asset):
            await self._rechecked(release, asset)
        self._booting.use(*release.key)
        return asset

    def is_arriving(self, name: str, version: str) -> bool:
        """Whether this version of an image is on its way."""
        return self._arriving(name).startswith(f"{version} ")

    def sent(self, image: str, release: Release, asset: Asset, machine: str) -> None:
        """A machine has got the whole of a file: its initrd is the last one of a boot."""
        if machine and asset.name.endswith(FLATCAR_INITRD):
            kernel, initrd = (release.files[name].sha512 for name in (FLATCAR_KERNEL, FLATCAR_INITRD))
            self._keeper.later(Booted(machine, image, release.version, kernel, initrd, time.time()))

    def _found(self, release: Release, name: str) -> Asset:
        """The file on disk; an alert the first time that it is gone, or a link that leads elsewhere."""
        try:
            asset = self._files.find(release, name)
        except (Damaged, Forbidden) as error:
            if (release.key, name) not in self._alerted and len(self._alerted) < MAX_ALERTED:
                self._alerted.add((release.key, name))
                self._emit(Event(Kind.NOTICE, time.time(), text=f"{error}", level=Level.WARNING))
            raise
        self._alerted.discard((release.key, name))
        return asset

    async def _rechecked(self, release: Release, asset: Asset) -> None:
        """One thread hashes a file, however many machines ask for it."""
        task = self._checking.get(asset.path)
        if task is None:
            task = asyncio.create_task(self._recheck(release, asset))
            self._checking[asset.path] = task
        await asyncio.shield(task)

    async def _recheck(self, release: Release, asset: Asset) -> None:
        try:
            await asyncio.to_thread(self._files.recheck, release, asset)
        except Damaged as damaged:
            self._emit(Event(Kind.NOTICE, time.time(), text=f"{damaged}", level=Level.WARNING))
            raise
        finally:
            del self._checking[asset.path]
