"""A mirror and the release server that it mirrors, for one test."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pxed.assets.mirror.download import Limits
from pxed.assets.mirror.events import Event, Failed, Warned
from pxed.assets.mirror.index import Index, load_index, release_directory
from pxed.assets.mirror.signatures import Keyring
from pxed.assets.mirror.sync import Report, sync
from pxed.inventory.loader import loads
from pxed.inventory.model import Inventory
from tests.releases.server import ReleaseServer

IMPATIENT = Limits(connect=5, stall=10, slow=100, attempts=2, pause=0.01, reserve=0)
HASTY = replace(IMPATIENT, stall=0.6)  # for servers that stall: a busy machine could make others look so, too
A, B, C = "4593.2.5", "4600.2.0", "4610.2.1"
STABLE = "flatcar: {flatcar: {channel: stable, arch: amd64, version: current}}"
KERNEL_A, INITRD_A = bytes(range(256)) * 1000, bytes(range(255, -1, -1)) * 2000
KERNEL_B, INITRD_B = KERNEL_A[::-1] + b"B", INITRD_A[::-1] + b"B"


@dataclass
class Site:
    """`server` has releases; `data_dir`/mirror mirrors them, as the images of an inventory say."""

    server: ReleaseServer
    data_dir: Path
    events: list[Event] = field(default_factory=list)

    @property
    def mirror_dir(self) -> Path:
        return self.data_dir / "mirror"

    def inventory(self, *images: str, rest: str = "", **mirror: str) -> Inventory:
        """An inventory with these images (lines of YAML) and settings of server.mirror."""
        settings = {
            "url": self.server.url,
            "key": str(self.server.save_key(self.data_dir / "key.asc")),
            "fingerprint": self.server.signer.fingerprint,
        } | mirror
        text = "server:\n  mirror:\n" + "".join(f'    {name}: "{value}"\n' for name, value in settings.items())
        text += f"  data_dir: {self.data_dir}\nimages:\n" + "".join(f"  {image}\n" for image in images or (STABLE,))
        return loads(text + rest, self.data_dir / "pxed.yaml")

    def sync(
        self, inventory: Inventory | None = None, limits: Limits = IMPATIENT, only: Collection[str] = (), **options: Any
    ) -> Report:
        """One sync; its events go to `events`."""
        self.events.clear()
        given = inventory or self.inventory()
        return asyncio.run(sync(given, self.events.append, limits=limits, only=only, **options))

    def failure(self, inventory: Inventory | None = None, image: str = "flatcar", limits: Limits = IMPATIENT) -> Failed:
        """The failure that a sync ends with for this image."""
        report = self.sync(inventory, limits)
        assert [event for event in self.events if isinstance(event, Failed)] == list(report.failed.values())
        return report.failed[image]

    def publish_a(self, **more: Any) -> None:
        self.server.publish("stable", "amd64", A, kernel=KERNEL_A, initrd=INITRD_A, **more)

    def publish_b(self, **more: Any) -> None:
        self.server.publish("stable", "amd64", B, kernel=KERNEL_B, initrd=INITRD_B, **more)

    @property
    def index(self) -> Index:
        return load_index(self.mirror_dir)

    def versions(self, channel: str = "stable", arch: str = "amd64") -> set[str]:
        """The versions that are mirrored."""
        return {key[2] for key in self.index.releases if key[:2] == (channel, arch)}

    def read(self, version: str, name: str, channel: str = "stable", arch: str = "amd64") -> bytes:
        """A file as it lies in the mirror."""
        return (release_directory(self.mirror_dir, (channel, arch, version)) / name).read_bytes()

    def partials(self) -> list[str]:
        """What lies below .partial."""
        root = self.mirror_dir / ".partial"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]

    def keyring(self) -> Keyring:
        return Keyring.load(self.inventory().server.mirror)
