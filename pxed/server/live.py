"""What is being served right now: one immutable snapshot, replaced as a whole by a reload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pxed.assets.mirror.index import Index
from pxed.boot.course import Detour
from pxed.errors import Problem
from pxed.ignition.config import IgnitionConfigs
from pxed.inventory.model import Inventory, Machine


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An inventory and everything made from it at load. `generation` counts loads from 1."""

    inventory: Inventory
    configs: IgnitionConfigs
    generation: int = 1
    warnings: tuple[Problem, ...] = ()
    unchecked: tuple[Machine, ...] = ()  # whose config was not made yet: Checking does it
    good: set[bytes] = field(default_factory=set)  # digests of configs that were found right

    @property
    def files(self) -> Iterable[Path]:
        """Every file whose change means a reload."""
        return {*self.inventory.sources, *self.configs.maker.files}


class Live:
    """Holds the snapshot, the index of the mirror and what DHCP does otherwise; a request keeps what it read first."""

    def __init__(self, snapshot: Snapshot, index: Index | None = None) -> None:
        self.snapshot = snapshot
        self.index = index or Index()
        self.detours: dict[str, Detour] = {}  # what the state store changes of DHCP, by machine
