"""/api/v1/machines/NAME/boots and /timelines/ID: those in memory, then those in the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pxed.server.timelines import TimelineHistory
from pxed.status.boots import Note, as_dict
from pxed.status.store.errors import StoreError, Trouble
from tests.server.httpsite import MAC1, STRANGER, Site, serving
from tests.server.test_timelines import keeping
from tests.server.timelines import T, Timelines, boot_of, stuck


class History:
    """Boots of the store: b1 is in memory too, where it has gone on."""

    def __init__(self, *, failing: bool = False) -> None:
        self._failing = failing
        self.asked: list[int] = []

    async def recent(self, name: str, limit: int) -> list[dict[str, Any]]:
        self.asked.append(limit)
        if self._failing:
            raise StoreError("the disk of db.example is full", Trouble.FULL)
        kept = [boot_of(name, MAC1, f"old{age}", T - 100 * age) for age in (1, 2)]
        return [as_dict(boot) for boot in (boot_of(name, MAC1, "b1"), *kept)][:limit]

    async def one(self, boot: str) -> dict[str, Any] | None:
        await self.recent("node1", 1)
        return as_dict(boot_of("node1", MAC1, boot)) if boot.startswith("old") else None


async def ask(site: Site, name: str, query: str = "") -> dict[str, Any]:
    answer = await site.ask(f"/api/v1/machines/{name}/boots{query}")
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def test_timelines_are_those_in_memory_and_then_those_in_the_store(tmp_path: Path) -> None:
    tracker = Timelines()
    boot = tracker.put(stuck(boot_of("node1", MAC1)))
    async with serving(tmp_path, tracker=tracker, history=History()) as site:
        found = await ask(site, "node1")
        assert ([one["id"] for one in found["boots"]], found["complete"]) == (["b1", "old1", "old2"], True)
        assert found["boots"][0] == as_dict(boot)
        assert [one["id"] for one in (await ask(site, MAC1, "?limit=2"))["boots"]] == ["b1", "old1"]
        assert json.loads((await site.ask("/api/v1/timelines/b1")).body) == as_dict(boot)
        assert json.loads((await site.ask("/api/v1/timelines/old2")).body)["id"] == "old2"
        machine = json.loads((await site.ask("/api/v1/machines/node1")).body)
        assert machine["timeline"] == as_dict(boot)
        assert machine["verdict"]["remedy"] == boot.finding.remedy


async def test_the_store_is_not_asked_when_memory_has_enough(tmp_path: Path) -> None:
    tracker, history = Timelines(), History()
    for number in range(3):
        tracker.put(boot_of("node1", MAC1, f"b{number}", T + number))
    async with serving(tmp_path, tracker=tracker, history=history) as site:
        assert [one["id"] for one in (await ask(site, "node1", "?limit=2"))["boots"]] == ["b2", "b1"]
    assert history.asked == []


async def test_boots_that_pxed_was_restarted_in_between_are_in_their_order(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of("node1", MAC1, "before", T - 150))
    async with serving(tmp_path, tracker=tracker, history=History()) as site:
        assert [one["id"] for one in (await ask(site, "node1"))["boots"]] == ["b1", "old1", "before", "old2"]


async def test_while_the_store_fails_memory_is_told_and_why_is_not(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of("node1", MAC1))
    async with serving(tmp_path, tracker=tracker, history=History(failing=True)) as site:
        found = await ask(site, "node1")
        assert ([one["id"] for one in found["boots"]], found["complete"]) == (["b1"], False)
        assert (await site.ask("/api/v1/timelines/b1")).status == 200
        past = await site.ask("/api/v1/timelines/old1")
    assert (past.status, past.headers["retry-after"]) == (503, "10")
    assert "db.example" not in past.text


async def test_what_a_peer_said_in_no_unicode_can_be_sent(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of("node1", MAC1, notes=[Note(T, "half a pair: \udc80")]))
    async with serving(tmp_path, tracker=tracker) as site:
        assert (await ask(site, "node1"))["boots"][0]["notes"][0]["text"].startswith("half a pair: \ufffd")


async def test_an_unlisted_machine_has_its_boots_by_its_mac(tmp_path: Path) -> None:
    async with serving(tmp_path, history=History()) as site:
        assert {one["machine"] for one in (await ask(site, STRANGER))["boots"]} == {STRANGER}


async def test_boots_of_a_real_store(tmp_path: Path) -> None:
    async with keeping(tmp_path / "kept") as kept:
        kept.ended(1)
        await kept.ids("node1")
        history: TimelineHistory = kept.history
        async with serving(tmp_path, history=history) as site:
            assert [one["id"] for one in (await ask(site, "node1"))["boots"]] == ["b1"]
            assert json.loads((await site.ask("/api/v1/timelines/b1")).body)["machine"] == "node1"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/v1/machines/nobody/boots", 404),
        ("/api/v1/machines/node1/boots?limit=0", 400),
        ("/api/v1/machines/node1/boots?limit=101", 400),
        ("/api/v1/machines/node1/boots?limit=x", 400),
        ("/api/v1/machines/node1/boots?limit=%C2%B2", 400),
        ("/api/v1/timelines/none", 404),
    ],
)
async def test_what_is_not_there_or_no_number_is_refused(tmp_path: Path, target: str, status: int) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(target)
    assert answer.status == status
    assert answer.text.endswith(".\n")
