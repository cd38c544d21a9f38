"""Which machines have had the first boot of their persistent root: Ignition must run once on it (`root:` profiles).

Kept in data_dir/first-boot.json, {machine: root}. A machine whose `root:` is changed has its
first boot before it again.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from pxed.assets import durable
from pxed.errors import PxedError

FILE_NAME = "first-boot.json"
MAX_ENTRIES = 100_000  # names come from the inventory or are MACs of groups; the oldest goes first


class FirstBootError(PxedError):
    """The record could not be read or written: Ignition may run again on a root that has had it."""


class FirstBoots:
    """The durable record. All of it is in memory; the file is replaced as a whole."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._roots: dict[str, str] = {}
        self._lock = asyncio.Lock()

    def load(self) -> None:
        """Read the file; an absent one is empty. Raises FirstBootError."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise FirstBootError(f"cannot read {self.path}: {error}") from None
        try:
            roots = json.loads(text)
        except ValueError as error:
            raise FirstBootError(f"{self.path} is not JSON ({error}): repair it or remove it") from None
        if not isinstance(roots, dict) or not all(isinstance(root, str) for root in roots.values()):
            raise FirstBootError(f"{self.path} does not map machines to roots: repair it or remove it")
        self._roots = roots

    def done(self, machine: str, root: str | None) -> bool:
        """Whether the machine has had the first boot of this root."""
        return root is not None and self._roots.get(machine) == root

    async def mark(self, machine: str, root: str) -> bool:
        """Record a first boot, on the disk when this returns; False when it was known. Raises FirstBootError."""
        async with self._lock:
            if self.done(machine, root):
                return False
            self._roots.pop(machine, None)
            self._roots[machine] = root
            while len(self._roots) > MAX_ENTRIES:
                del self._roots[next(iter(self._roots))]
            await self._save()
            return True

    async def forget(self, machine: str) -> bool:
        """The machine's next boot is a first one again. Raises FirstBootError."""
        async with self._lock:
            if self._roots.pop(machine, None) is None:
                return False
            await self._save()
            return True

    async def _save(self) -> None:
        text = json.dumps(self._roots, indent=1, ensure_ascii=False) + "\n"
        try:
            await asyncio.to_thread(_replace, self.path, text.encode())
        except OSError as error:
            raise FirstBootError(f"cannot write {self.path}: {error.strerror}") from None


def _replace(path: Path, content: bytes) -> None:
    durable.directory(path.parent)
    durable.replace(path, content)
