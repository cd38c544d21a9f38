"""A state store in memory, for tests of what uses one; it fails when told to."""

from __future__ import annotations

from pxed.status.records import Write
from pxed.status.store.contents import Contents
from pxed.status.store.errors import StoreError, Trouble


class Keeper:
    """Keeps every write in order."""

    def __init__(self) -> None:
        self.contents = Contents()
        self.writes: list[Write] = []
        self.failing = False

    async def commit(self, *writes: Write) -> None:
        if self.failing:
            raise StoreError("the disk is full", Trouble.FULL)
        self.writes += writes

    def later(self, *writes: Write) -> None:
        self.writes += writes
