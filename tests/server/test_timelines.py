"""Past boots: written in the background, read on demand, and whose they are when machines have other names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.events import Event
from pxed.inventory.loader import loads
from pxed.inventory.model import HistorySettings
from pxed.server import state as state_module
from pxed.server import timelines
from pxed.server.live import Live
from pxed.server.state import StateStore
from pxed.server.timelines import STOPPED, TimelineHistory, keep_of
from pxed.status.boots import Boot, Outcome
from pxed.status.records import BootRecord, Setting
from pxed.status.store import StoreError, Trouble
from pxed.status.store.retention import Keep
from tests.server.httpsite import snapshot, until
from tests.server.standings import Standings
from tests.status.test_archive import BOOT

M1, M2, M3 = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3))
ONE = f"machines:\n  node1: {{mac: '{M1}', profile: disk}}\n  node2: {{mac: ['{M2}', '{M3}'], profile: disk}}\n"
RENAMED = ONE.replace("node1", "rack1")
SWAPPED = ONE.replace("node1", "x").replace("node2", "node1").replace("  x:", "  node2:")
DELISTED = ONE.replace(f"  node1: {{mac: '{M1}', profile: disk}}\n", "")
WITHOUT_MAC = ONE.replace(f"mac: '{M1}'", "serial: 7CV1")


DAYS_AGO = time.time() - 5 * 86400


def live(home: Path, machines: str = ONE) -> Live:
    made = Live(
        snapshot(home, 8080, "ignore", f"server: {{data_dir: data}}\nprofiles: {{disk: {{boot: local}}}}\n{ONE}")
    )
    return reload(made, home, machines)


def reload(live: Live, home: Path, machines: str) -> Live:
    text = f"server: {{data_dir: data}}\nprofiles: {{disk: {{boot: local}}}}\n{machines}"
    live.snapshot = replace(live.snapshot, inventory=loads(text, home / "pxed.yaml"))
    return live


class Site:
    """A store, and what is known of the boots in it."""

    def __init__(self, home: Path, state: StateStore) -> None:
        self.home, self.state = home, state
        self.live, self.standings = live(home), Standings()
        self.history = TimelineHistory(self.live, state, state, self.standings)

    def ended(self, number: int, machine: str = "node1", mac: str = M1) -> None:
        began = DAYS_AGO + 1000.0 * number
        self.history.keep(replace(BOOT, id=f"b{number}", machine=machine, mac=mac, began=began, ended=began + 60))

    async def ids(self, name: str, limit: int = 20) -> list[str]:
        self.history.flush()
        await self.state.commit(Setting("so that all before it", "is written"))
        return [view["id"] for view in await self.history.recent(name, limit)]


@asynccontextmanager
async def keeping(home: Path, state: str = "sqlite", keep: Keep = Keep()) -> AsyncIterator[Site]:  # noqa: B008
    events: list[Event] = []
    store = await StateStore.start(state, home / "data", events.append, keep)
    try:
        yield Site(home, store)
    finally:
        await store.close()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    state = "sqlite" if request.param == "SQLite" else request.getfixturevalue("postgres").place()
    async with keeping(tmp_path, state) as site:
        yield site


async def test_boots_are_there_newest_first_and_by_their_ids(site: Site) -> None:
    for number in (1, 3, 2):
        site.ended(number)
    site.ended(4, "node2", M2)
    assert await site.ids("node1") == ["b3", "b2", "b1"]
    assert await site.ids("node1", limit=2) == ["b3", "b2"]
    assert await site.ids("node2") == ["b4"]
    one = await site.history.one("b4")
    assert one is not None
    assert (one["machine"], one["mac"], one["outcome"]) == ("node2", M2, "running")
    assert await site.history.one("b9") is None


async def test_a_hall_that_has_come_up_is_written_little_by_little(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(timelines, "PAUSE_SECONDS", 0.0)
    later = site.state.later
    monkeypatch.setattr(site.state, "later", lambda *rows: (written.append(len(rows)), later(*rows)))
    for number in range(20):
        site.ended(number)
    assert written == []
    await until(lambda: sum(written) == 20)
    assert written == [8, 8, 4]
    assert len(await site.ids("node1", 30)) == 20


async def test_a_boot_that_is_kept_twice_is_as_it_was_last(site: Site) -> None:
    site.ended(1)
    site.history.keep(replace(BOOT, id="b1", image="flatcar"))
    assert await site.ids("node1") == ["b1"]
    assert (await site.history.recent("node1", 1))[0]["image"] == "flatcar"


MOVES = {
    "renamed": (RENAMED, {"rack1": ["b1"], "node2": ["b3", "b2"]}),
    "swapped": (SWAPPED, {"node2": ["b1"], "node1": ["b3", "b2"]}),
    "taken out of the list": (DELISTED, {M1: ["b1"], "node2": ["b3", "b2"]}),
    "listed by its serial number now": (WITHOUT_MAC, {"node1": ["b1"], "node2": ["b3", "b2"]}),
}


@pytest.mark.parametrize(("machines", "boots"), MOVES.values(), ids=MOVES)
async def test_boots_go_with_their_machine(site: Site, machines: str, boots: dict[str, list[str]]) -> None:
    site.ended(1)
    site.ended(2, "node2", M2)
    site.ended(3, "node2", M3)
    reload(site.live, site.home, machines)
    assert {name: await site.ids(name) for name in boots} == boots
    for name, ids in boots.items():
        views = [await site.history.one(boot) for boot in ids]
        assert [view and view["machine"] for view in views] == [name if name != M1 else "node1"] * len(ids)


async def test_a_machine_that_is_listed_later_has_the_boots_of_its_mac(site: Site) -> None:
    reload(site.live, site.home, DELISTED)
    site.ended(1, M1)
    reload(site.live, site.home, ONE)
    assert await site.ids("node1") == ["b1"]


async def test_a_renamed_machine_without_a_mac_is_found_by_those_it_booted_with(site: Site) -> None:
    reload(site.live, site.home, WITHOUT_MAC)
    site.ended(1)
    reload(site.live, site.home, WITHOUT_MAC.replace("node1", "rack1"))
    site.standings.all_boots = [BootRecord("r", "rack1", M1, "", 1000.0, "disk", "local")]
    assert await site.ids("rack1") == ["b1"]


class Present:
    """One boot that goes on, and one that is told as ended by the last tick."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._boots = {
            "node1": replace(BOOT, id="b2", outcome=Outcome.OPEN, began=DAYS_AGO, ended=0.0),
            "node2": replace(BOOT, id="b1", machine="node2", mac=M2, began=DAYS_AGO),
            "node3": None,
        }

    def tick(self, now: float) -> None:
        self._site.ended(1, "node2", M2)

    def names(self) -> Iterable[str]:
        return self._boots

    def current(self, name: str) -> Boot | None:
        return self._boots[name]


async def test_boots_that_go_on_when_pxed_ends_are_kept_as_far_as_they_were_seen(tmp_path: Path) -> None:
    async with keeping(tmp_path) as site:
        site.history.stop(Present(site), DAYS_AGO + 100)
    async with keeping(tmp_path) as site:
        [view] = await site.history.recent("node1", 5)
        assert (view["id"], view["outcome"], view["ended"]) == ("b2", None, round(DAYS_AGO + 100, 3))
        assert view["notes"][-1]["text"] == STOPPED
        assert await site.ids("node2") == ["b1"]


async def test_boots_are_still_there_after_a_restart(tmp_path: Path) -> None:
    async with keeping(tmp_path) as site:
        site.ended(1)
        site.history.flush()
    async with keeping(tmp_path) as site:
        assert await site.ids("node1") == ["b1"]


async def test_as_many_are_kept_as_the_inventory_says(tmp_path: Path) -> None:
    async with keeping(tmp_path, keep=keep_of(HistorySettings(boots="2"))) as site:
        for number in range(1, 17):  # the store looks at a machine's oldest after 16
            site.ended(number)
        assert await site.ids("node1") == ["b16", "b15"]


async def test_a_store_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "COMMIT_SECONDS", 0.01)
    async with keeping(tmp_path) as site:
        entered, gate = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def stuck() -> None:
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(20)

        blocked = loop.run_in_executor(site.state._thread, stuck)
        await entered.wait()
        with pytest.raises(StoreError, match="did not answer") as late:
            await site.history.recent("node1", 5)
        assert late.value.trouble is Trouble.AWAY
        gate.set()
        await blocked


async def test_nothing_is_read_after_the_end(tmp_path: Path) -> None:
    async with keeping(tmp_path) as site:
        pass
    with pytest.raises(StoreError, match="stopping"):
        await site.history.one("b1")
