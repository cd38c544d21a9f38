"""A state store in memory, for tests of what uses one; it fails when told to."""

from __future__ import annotations

from pxed.server.keeping import Fault
from pxed.status.records import FirstBoot, Forget, Setting, Standing, Token, Write
from pxed.status.store.contents import Contents
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.rows import key_of


class Keeper:
    """Keeps every write in order."""

    def __init__(self) -> None:
        self.contents = Contents()
        self.writes: list[Write] = []
        self.failing = False

    @property
    def fault(self) -> Fault | None:
        return Fault(1790000000.0, "the disk is full") if self.failing else None

    async def commit(self, *writes: Write) -> None:
        if self.failing:
            raise StoreError("the disk is full", Trouble.FULL)
        self.writes += writes

    def later(self, *writes: Write) -> None:
        self.writes += writes

    def restarted(self) -> Keeper:
        """What the next daemon finds; without history."""
        after = Keeper()
        before, contents = self.contents, after.contents
        found = (before.standings, before.tokens, before.first_boots, before.settings)
        kept = {
            Standing: contents.standings,
            Token: contents.tokens,
            FirstBoot: contents.first_boots,
            Setting: contents.settings,
        }
        for rows, known in zip(kept.values(), found, strict=True):
            rows.update(known)
        for write in self.writes:
            kind, key = key_of(write)
            if isinstance(write, Forget):
                kept.get(kind, {}).pop(key[0], None)
            elif kind in kept:
                kept[kind][key[0]] = write
        return after
