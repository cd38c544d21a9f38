"""One change of a machine at a time, and what happens meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pxed.server.changes import Changes
from pxed.status.records import Write
from pxed.status.store.errors import StoreError, Trouble
from tests.server.httpsite import until
from tests.server.installsite import booted, installing, order
from tests.server.keeper import Keeper


class Dying(Keeper):
    """Fails after a while, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.dying: asyncio.Event | None = None

    async def commit(self, *writes: Write) -> None:
        if self.dying is not None:
            await self.dying.wait()
            raise StoreError("the disk is full", Trouble.FULL)
        await super().commit(*writes)


async def test_the_last_file_of_a_one_shot_boot_counts_though_a_change_fails_that_was_being_kept(
    tmp_path: Path,
) -> None:
    keeper = Dying()
    async with installing(tmp_path, keeper=keeper) as site:
        assert await order(site, "kick/next", b'{"profile": "bare"}') == 200
        assert (await booted(site, "kick"))[1].way == "load"
        keeper.dying = asyncio.Event()
        failing = asyncio.create_task(order(site, "kick/local"))
        await until(lambda: bool(site.services.machines.changes._changing))
        site.services.progress.loaded("kick")
        keeper.dying.set()
        assert await failing == 503
        standing = site.services.machines.standing("kick")
        assert standing is not None
        assert (standing.state, standing.next_loaded) == (None, True)
        assert site.keeper.restarted().contents.standings["kick"] == standing


def test_what_happens_during_a_change_is_done_after_it_and_once() -> None:
    done: list[str] = []
    changes = Changes(lambda name: lambda: done.append(f"{name} undone"))
    changes.after("a", lambda: done.append("at once"))
    with pytest.raises(StoreError), changes.one("a"):
        changes.after("a", lambda: done.append("after a"))
        changes.after("b", lambda: done.append("b at once"))
        raise StoreError("no", Trouble.AWAY)
    with changes.one("a"):
        pass
    assert done == ["at once", "b at once", "a undone", "after a"]
