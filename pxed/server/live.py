"""What is being served right now: one immutable snapshot, replaced as a whole by a reload."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.assets.mirror.index import Index
from pxed.ignition.config import IgnitionConfigs
from pxed.inventory.model import Inventory


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An inventory and everything made from it at load. `generation` counts loads from 1."""

    inventory: Inventory
    configs: IgnitionConfigs
    generation: int = 1


class Live:
    """Holds the snapshot, and the index of the mirror. A request reads each once and keeps what it read."""

    def __init__(self, snapshot: Snapshot, index: Index | None = None) -> None:
        self.snapshot = snapshot
        self.index = index or Index()
