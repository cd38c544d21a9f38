"""The files in which pxed kept its memory before it had a store: read once, by the first open of a store.

data_dir/booted.json: {machine: {image, version, kernel, initrd, time}}; data_dir/first-boot.json: {machine: root}.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pxed.status.records import Booted, FirstBoot, Row
from pxed.status.store.errors import StoreError

BOOTED = "booted.json"
FIRST_BOOT = "first-boot.json"
IMPORTED = ".imported"


def read(data_dir: Path) -> tuple[list[Row], list[str]]:
    """Their rows, and sentences about what could not be read. Raises StoreError where a guess could harm a machine."""
    rows: list[Row] = []
    notices: list[str] = []
    try:
        rows += _booted(_content(data_dir / BOOTED))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        notices.append(f"cannot read {data_dir / BOOTED} ({error}); what machines booted before is not known")
    path = data_dir / FIRST_BOOT
    try:
        rows += _first_boots(_content(path))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"cannot read {path} ({error}): repair it, or remove it and Ignition runs again") from None
    return rows, notices


def put_aside(data_dir: Path) -> None:
    """The store has what the files had."""
    for name in (BOOTED, FIRST_BOOT):
        with contextlib.suppress(OSError):  # kept where it is: it is not read again
            (data_dir / name).rename(data_dir / f"{name}{IMPORTED}")


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise TypeError("it does not map machines to values")
    return content


def _booted(content: dict[str, Any]) -> list[Row]:
    return [
        Booted(
            str(machine),
            image=str(entry["image"]),
            version=str(entry["version"]),
            kernel=str(entry["kernel"]),
            initrd=str(entry["initrd"]),
            time=float(entry["time"]),
        )
        for machine, entry in content.items()
    ]


def _first_boots(content: dict[str, Any]) -> Iterator[Row]:
    if not all(isinstance(root, str) for root in content.values()):
        raise TypeError("it does not map machines to roots")
    now = time.time()
    return (FirstBoot(machine, root, now) for machine, root in content.items())
