"""What the commands of `pxed images` work on: the inventory, its mirror, and the Flatcar images a user names."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pxed.assets.mirror.index import Index, load_index
from pxed.errors import ConfigError, PxedError
from pxed.inventory.loader import load
from pxed.inventory.model import Inventory
from pxed.inventory.releases import FlatcarImage
from pxed.inventory.scalars import nearest


class UsageError(PxedError):
    """The command line names what is not there: exit code 2."""


@dataclass(frozen=True, slots=True)
class Site:
    """An inventory and its mirror."""

    inventory: Inventory

    @property
    def mirror_dir(self) -> Path:
        return self.inventory.server.data_dir / "mirror"

    @property
    def flatcar(self) -> dict[str, FlatcarImage]:
        """The images that are Flatcar releases."""
        images = self.inventory.images.items()
        return {name: image.flatcar for name, image in images if image.flatcar is not None}

    def index(self) -> Index:
        """What is verified now. Raises MirrorError."""
        return load_index(self.mirror_dir)

    def image(self, name: str) -> FlatcarImage:
        """The Flatcar image of that name. Raises UsageError."""
        found = self.flatcar.get(name)
        if found is None:
            what = "has a kernel of its own and is not mirrored" if name in self.inventory.images else "is no image"
            raise UsageError(f"{name!r} {what}{nearest(name, self.flatcar)}")
        return found

    def check(self, names: Collection[str]) -> None:
        """Raises UsageError if one of them is no Flatcar image."""
        for name in names:
            self.image(name)


def with_site(config: Path, act: Callable[[Site], int]) -> int:
    """Do something with the inventory's mirror; the exit code. Errors are said on standard error."""
    try:
        return act(Site(load(config)))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except UsageError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 2
    except PxedError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 1


def print_json(content: object) -> None:
    """A JSON document for programs."""
    print(json.dumps(content, indent=2, ensure_ascii=False))
