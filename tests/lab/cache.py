"""Files that take seconds to make and are the same for the same input, kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.lab.process import CACHE, alone


def cached(name: str, source: bytes, suffix: str, make: Callable[[], bytes], *, keep: int = 1) -> Path:
    """The file made from `source`, made now if it is not there. The `keep` youngest of this name stay."""
    path = CACHE / f"{name}-{hashlib.sha256(source).hexdigest()[:16]}{suffix}"
    with alone(name):
        if not path.exists():
            for old in sorted(CACHE.glob(f"{name}-*{suffix}"), key=lambda found: -found.stat().st_mtime)[keep - 1 :]:
                old.unlink(missing_ok=True)
            scratch = path.with_name(f"{path.name}.new")
            scratch.write_bytes(make())
            scratch.replace(path)
    return path
