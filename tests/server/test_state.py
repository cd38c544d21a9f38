"""The state store from the event loop: a commit returns when it is durable, and fails alone and soon when it is not."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pxed.events import Event, Level
from pxed.server import state as state_module
from pxed.server.backlog import Backlog, Item
from pxed.server.state import StateStore
from pxed.status.records import Alert, Attempt, BootRecord, FirstBoot, Forget, Setting, Standing, State
from pxed.status.store import Contents, StoreError, Trouble, open_store

NODE = Standing("node1", (), State.WANTED)
ALERT = Alert("1", 1.0, "node1", "", "", "held", "text")


class Flaky:
    """A real store whose writes can be made to wait or to fail."""

    def __init__(self, store) -> None:
        self.store = store
        self.where = store.where
        self.failure: StoreError | None = None
        self.after = False  # the failure comes after the rows were written: a broken connection at the COMMIT
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.transactions: list[list] = []

    def write(self, writes):
        self.entered.set()
        self.gate.wait(20)
        if self.failure and not self.after:
            raise self.failure
        self.store.write(writes)
        self.transactions.append(list(writes))
        if self.failure:
            raise self.failure

    def history(self, machine):
        return self.store.history(machine)

    def close(self):
        self.store.close()


class Site:
    def __init__(self, data_dir) -> None:
        self.data_dir = data_dir
        self.events: list[Event] = []
        self.store = Flaky(open_store("sqlite", data_dir))
        self.state = StateStore(self.store, Contents(), ThreadPoolExecutor(1), self.events.append)

    async def kept(self) -> Contents:
        """What is there after a restart."""
        await self.state.close()
        store = open_store("sqlite", self.data_dir, read_only=True)
        try:
            return store.load()
        finally:
            store.close()

    def notices(self, level: Level) -> list[str]:
        return [event.text for event in self.events if event.level is level]


@pytest.fixture
async def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.store.gate.set()
    await site.state.close()


@pytest.fixture
def hasty(monkeypatch):
    """Tries again at once."""
    monkeypatch.setattr(state_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(state_module, "LATER_SECONDS", 0.01)


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 -- of a thread, or of the store's own timer
            await asyncio.sleep(0.005)


async def test_what_is_committed_can_be_read_by_others_when_it_returns(site):
    await site.state.commit(NODE, Setting("name", "value"))
    reader = open_store("sqlite", site.data_dir, read_only=True)
    contents = reader.load()
    reader.close()
    assert (contents.standings, contents.settings["name"].value) == ({"node1": NODE}, "value")


async def test_commits_that_come_while_one_is_written_share_the_next_transaction(site):
    site.store.gate.clear()
    first = asyncio.create_task(site.state.commit(NODE))
    await until(site.store.entered.is_set)
    others = [asyncio.create_task(site.state.commit(Setting(str(i), ""))) for i in range(100)]
    await asyncio.sleep(0)
    site.store.gate.set()
    await asyncio.gather(first, *others)
    assert [len(transaction) for transaction in site.store.transactions] == [1, 100]


async def test_what_comes_later_is_written_with_the_next_commit_and_before_it(site):
    site.state.later(NODE)
    await site.state.commit(replace(NODE, attempt=1))
    assert site.store.transactions == [[NODE, replace(NODE, attempt=1)]]


async def test_what_comes_later_is_written_soon_without_a_commit(site, hasty):
    for number in range(3):
        site.state.later(Setting(str(number), ""))
    await until(lambda: site.store.transactions)
    assert len(site.store.transactions) == 1


async def test_what_is_left_is_written_at_the_close(site):
    for number in range(5_000):
        site.state.later(Setting(str(number), ""))
    assert len((await site.kept()).settings) == 5_000


async def test_after_the_close_a_commit_fails_and_the_rest_is_ignored(site):
    await site.state.close()
    site.state.later(NODE)
    with pytest.raises(StoreError, match="stopping"):
        await site.state.commit(NODE)


async def test_a_row_that_no_store_takes_fails_alone(site):
    site.store.gate.clear()
    first = asyncio.create_task(site.state.commit(NODE))
    await until(site.store.entered.is_set)
    site.state.later(ALERT)
    bad = replace(NODE, machine="bad", attempt=2**70)
    commits = [asyncio.create_task(site.state.commit(row)) for row in (Setting("a", ""), bad, Setting("b", ""))]
    site.state.later(replace(ALERT, id="2", time=None))
    await asyncio.sleep(0)
    site.store.gate.set()
    await first
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [getattr(result, "trouble", None) for result in results] == [None, Trouble.ROW, None]
    kept = await site.kept()
    assert (set(kept.standings), set(kept.settings), len(kept.alerts)) == ({"node1"}, {"a", "b"}, 1)
    assert all("it is left out" in notice for notice in site.notices(Level.WARNING))


async def test_a_store_that_fails_is_said_once_and_once_when_it_works_again(site, hasty):
    site.store.failure = StoreError("the store is away", Trouble.AWAY)
    for _ in range(3):
        with pytest.raises(StoreError, match="away"):
            await site.state.commit(NODE)
    assert site.notices(Level.WARNING) == ["the store is away; machines are told to ask again until it works"]
    site.store.failure = None
    await site.state.commit(NODE)
    assert site.notices(Level.INFO) == ["the state store works again"]


async def test_a_fault_lasts_until_the_store_works_again_though_nobody_writes(site, hasty):
    """A boot's record alone, as with a report, is not undone: nothing else may be there to be written."""
    assert site.state.fault is None
    site.store.failure = StoreError("the store is away", Trouble.AWAY)
    with pytest.raises(StoreError):
        await site.state.commit(BootRecord("b", "node1", "", "", 1.0, "worker", "memory"))
    assert (site.state.fault.why, site.state.fault.since > 0) == ("the store is away", True)
    site.store.failure = None
    await until(lambda: site.state.fault is None)
    assert site.notices(Level.INFO) == ["the state store works again"]


async def test_a_store_that_does_not_answer_is_a_fault_until_it_does(site, hasty, monkeypatch):
    monkeypatch.setattr(state_module, "COMMIT_SECONDS", 0.05)
    site.store.gate.clear()
    with pytest.raises(StoreError, match="did not answer"):
        await site.state.commit(NODE)
    assert "did not answer" in site.state.fault.why
    site.store.gate.set()
    await until(lambda: site.state.fault is None)


async def test_what_nobody_waits_for_is_written_when_the_store_is_back(site, hasty):
    site.store.failure = StoreError("away", Trouble.AWAY)
    site.state.later(NODE)
    site.state.later(ALERT)
    with pytest.raises(StoreError):
        await site.state.commit(Setting("name", "value"))
    site.state.later(replace(NODE, attempt=1))
    site.store.failure = None
    await until(lambda: site.notices(Level.INFO))
    kept = await site.kept()
    assert (kept.standings["node1"].attempt, kept.alerts, kept.settings) == (1, [ALERT], {})


@pytest.mark.parametrize("before", [None, NODE], ids=["no row", "a row"])
async def test_a_commit_that_failed_after_it_was_written_is_undone(site, hasty, before):
    if before:
        await site.state.commit(before)
    site.store.failure, site.store.after = StoreError("broken at the COMMIT", Trouble.AWAY), True
    with pytest.raises(StoreError):
        await site.state.commit(replace(NODE, attempt=7), FirstBoot("node1", "LABEL=ROOT", 1.0))
    site.store.failure = None
    kept = await site.kept()
    assert (kept.standings.get("node1"), kept.first_boots) == (before, {})


async def test_a_commit_that_failed_does_not_undo_what_came_after_it(site, hasty):
    site.store.failure, site.store.after = StoreError("broken at the COMMIT", Trouble.AWAY), True
    with pytest.raises(StoreError):
        await site.state.commit(NODE, Setting("other", ""))
    site.store.failure = None
    await site.state.commit(replace(NODE, attempt=1))
    kept = await site.kept()
    assert (kept.standings["node1"].attempt, kept.settings) == (1, {})


async def test_a_commit_fails_when_the_store_does_not_answer_and_is_undone_when_it_does(site, hasty, monkeypatch):
    monkeypatch.setattr(state_module, "COMMIT_SECONDS", 0.05)
    site.store.gate.clear()
    queued = asyncio.create_task(site.state.commit(NODE))
    await until(site.store.entered.is_set)
    with pytest.raises(StoreError, match="did not answer") as late:
        await site.state.commit(Setting("never", "written"))
    assert late.value.trouble is Trouble.AWAY
    with pytest.raises(StoreError, match="did not answer"):
        await queued
    site.store.gate.set()
    kept = await site.kept()
    assert (kept.standings, kept.settings) == ({}, {})
    assert site.store.transactions == [[NODE], [Forget(Standing, ("node1",))]]


async def test_the_loop_goes_on_while_the_store_waits(site):
    site.store.gate.clear()
    commit = asyncio.create_task(site.state.commit(NODE))
    await until(site.store.entered.is_set)
    site.state.later(ALERT)
    assert not commit.done()
    site.store.gate.set()
    await commit


def test_the_oldest_history_is_given_up_and_never_what_decides_about_machines():
    backlog = Backlog(most=10)
    backlog.hold([replace(NODE, machine=str(i)) for i in range(8)])
    backlog.hold([replace(ALERT, id=str(i)) for i in range(8)])
    backlog.hold([Attempt("node1", "b", 1, 1.0), Forget(Standing, ("node9",))])
    kept = [write for item in backlog.take(100) for write in item.writes]
    assert (len(kept), backlog.lost) == (10, 8)
    assert [write.machine for write in kept if isinstance(write, Standing)] == [str(i) for i in range(8)]
    assert kept[-2:] == [Attempt("node1", "b", 1, 1.0), Forget(Standing, ("node9",))]


def test_of_rows_that_wait_with_one_key_the_last_is_written():
    backlog = Backlog()
    backlog.hold([NODE, ALERT, replace(NODE, attempt=1)])
    backlog.add(Item((replace(NODE, attempt=2),)))
    kept = [write for item in backlog.take(100) for write in item.writes]
    assert kept == [ALERT, replace(NODE, attempt=1), replace(NODE, attempt=2)]
    assert not backlog


async def test_a_store_that_cannot_be_opened_stops_the_start(tmp_path):
    (tmp_path / "state.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="not an SQLite database"):
        await StateStore.start("sqlite", tmp_path, print)


async def test_a_commit_to_a_server_that_is_gone_fails_soon_and_works_after_it_is_back(postgres, tmp_path, hasty):
    events: list[Event] = []
    state = await StateStore.start(postgres.place(), tmp_path, events.append)
    await state.commit(NODE)
    postgres.stop()
    try:
        with pytest.raises(StoreError, match="cannot be reached") as away:
            await state.commit(replace(NODE, attempt=1))
        assert away.value.trouble is Trouble.AWAY
        state.later(ALERT)
    finally:
        postgres.start()
    await until(lambda: any("works again" in event.text for event in events))
    await state.commit(Setting("name", "value"))
    history = await state.history("node1")
    await state.close()
    assert history.alerts == (ALERT,)
