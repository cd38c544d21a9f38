"""Takes over what pxed kept in files before it had a store: booted.json and first-boot.json."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pxed.status.records import Booted, FirstBoot, Row

BOOTED, FIRST_BOOT = "booted.json", "first-boot.json"


def import_files(data_dir: Path) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of the old files, and a sentence for each that cannot be read. The files stay where they are."""
    rows: list[Row] = []
    notices: list[str] = []
    for name, take in ((BOOTED, _booted), (FIRST_BOOT, _first_boots)):
        path = data_dir / name
        try:
            rows += take(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            notices.append(f"{path} of an older pxed cannot be taken over: {error}")
    return rows, tuple(notices)


def _booted(content: dict[str, dict[str, object]]) -> list[Row]:
    return [
        Booted(
            name,
            str(row["image"]),
            str(row["version"]),
            str(row["kernel"]),
            str(row["initrd"]),
            float(str(row["time"])),
        )
        for name, row in content.items()
    ]


def _first_boots(content: dict[str, object]) -> list[Row]:
    return [FirstBoot(name, str(root), time.time()) for name, root in content.items()]
