"""One change of a machine at a time, and what happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.server.changes import Changes, Undo
from pxed.status.records import Attempt, BootRecord, Standing, Write
from pxed.status.store.errors import StoreError, Trouble
from pxed.status.store.rows import key_of
from tests.server.httpsite import until
from tests.server.installsite import INVENTORY, booted, installing, order, reload
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
        await until(lambda: bool(site.services.machines.changes.macs()))
        site.services.progress.loaded("kick")
        keeper.dying.set()
        assert await failing == 503
        standing = site.services.machines.standing("kick")
        assert standing is not None
        assert (standing.state, standing.next_loaded) == (None, True)
        assert site.keeper.restarted().contents.standings["kick"] == standing


def test_what_happens_during_a_change_is_done_after_it_and_once() -> None:
    done: list[str] = []
    changes = Changes(_undoing(done))
    changes.after("a", lambda name: done.append(f"{name} at once"))
    with pytest.raises(StoreError), changes.one("a"):
        changes.after("a", lambda name: done.append(f"after {name}"))
        changes.after("b", lambda name: done.append(f"{name} at once"))
        raise StoreError("no", Trouble.AWAY)
    with changes.one("a"):
        pass
    assert done == ["a at once", "b at once", "a undone", "after a"]


def test_a_change_goes_with_its_machine_to_another_name() -> None:
    done: list[str] = []
    changes = Changes(_undoing(done))
    with pytest.raises(StoreError), changes.one("a"):
        changes.move({"a": "b", "b": "a"})
        assert changes.macs() == {"b": ("mac of a",)}
        with changes.one("a"):
            changes.after("b", lambda name: done.append(f"after {name}"))
        with pytest.raises(StoreError), changes.one("b"):
            pass
        raise StoreError("no", Trouble.AWAY)
    assert done == ["b undone, renamed", "after b"]
    assert not changes.macs()


def _undoing(done: list[str]) -> Callable[[str], Undo]:
    def remember(name: str) -> Undo:
        return Undo((f"mac of {name}",), lambda now, renamed: done.append(f"{now} undone{', renamed' * renamed}"))

    return remember


@pytest.mark.parametrize("names", [("rack1",), ("rack1", "rack2"), ("rack1", "kick")], ids=" and ".join)
@pytest.mark.parametrize("target", ["install", "reset", "local"])
async def test_a_machine_that_is_renamed_during_a_change_that_fails_stays_what_it_was(
    tmp_path: Path, target: str, names: tuple[str, ...]
) -> None:
    keeper = Dying()
    async with installing(tmp_path, keeper=keeper) as site:
        one, script = await booted(site, "kick")
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        services, before = site.services, site.services.machines.standing("kick")
        tokens = set(services.access.of("kick"))
        attempts, boots = services.machines.attempts("kick"), services.machines.boots("kick")
        assert before is not None
        keeper.dying = asyncio.Event()
        failing = asyncio.create_task(order(site, f"kick/{target}"))
        await until(lambda: bool(services.machines.changes.macs()))
        for name in names:
            reload(site, tmp_path, INVENTORY.replace("  kick: {mac", f"  {name}: {{mac"))
        keeper.dying.set()
        assert await failing == 503
        now = replace(before, machine=name)
        kept = keeper.restarted().contents
        assert services.machines.standing(name) == now
        assert kept.standings == {name: now}
        assert set(services.access.of(name)) == {replace(token, machine=name) for token in tokens}
        assert {token for token in kept.tokens.values() if token.machine == name} == set(services.access.of(name))
        assert services.machines.attempts(name) == [replace(one, machine=name) for one in attempts]
        assert services.machines.boots(name) == [replace(boot, machine=name) for boot in boots]
        keeper.dying = None
        assert (await booted(site, name))[1].way == "disk"


async def test_a_boot_that_could_not_be_kept_leaves_nothing_behind_under_the_name_that_it_has_by_then(
    tmp_path: Path,
) -> None:
    keeper = Dying()
    async with installing(tmp_path, keeper=keeper) as site:
        keeper.dying = asyncio.Event()
        failing = asyncio.create_task(booted(site, "kick"))
        await until(lambda: bool(site.services.machines.changes.macs()))
        reload(site, tmp_path, INVENTORY.replace("  kick: {mac", "  rack1: {mac"))
        keeper.dying.set()
        assert (await failing)[1].way.startswith("No script for kick")
        machines = site.services.machines
        assert (machines.standing("rack1"), machines.standing("kick")) == (None, None)
        assert not machines.boots("rack1")
        assert not machines.attempts("rack1")
        left = {key_of(write): write for write in keeper.writes}
        rows = [write for write in left.values() if isinstance(write, Standing | Attempt | BootRecord)]
        assert not rows, "its token is there, but nobody was told it"
