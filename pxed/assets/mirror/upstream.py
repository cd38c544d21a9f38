"""What the last sync saw of each image: the version upstream, and what went wrong. mirror/upstream.json.

Only for people: `pxed images list` shows it. A file that is broken is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pxed.assets import durable
from pxed.assets.mirror.errors import MirrorError

FILE_NAME = "upstream.json"


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of an image's last sync."""

    version: str  # that the image wants; "" when the release server did not say
    time: float  # seconds since 1970
    problem: str = ""  # "" when all went well


def load_seen(mirror_dir: Path) -> dict[str, Seen]:
    """By image; empty when nothing is known."""
    try:
        content = json.loads((mirror_dir / FILE_NAME).read_text(encoding="utf-8"))
        return {
            str(image): Seen(str(entry["version"]), float(entry["time"]), str(entry["problem"]))
            for image, entry in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def save_seen(mirror_dir: Path, seen: Mapping[str, Seen]) -> None:
    """Replace the file. Raises MirrorError."""
    path = mirror_dir / FILE_NAME
    content = {image: asdict(one) for image, one in sorted(seen.items())}
    try:
        durable.replace(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise MirrorError(f"cannot write {path}: {error.strerror}") from None
