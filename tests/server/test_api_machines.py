"""/api/v1/machines, /boots, /alerts: what they show of each machine, and what they keep to themselves."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pxed.events import Event, Kind
from pxed.server import api_machines
from pxed.status.records import Alert, Attempt, BootRecord, Standing, State
from tests.server.httpsite import INVENTORY, MAC1, STRANGER, Site, serving
from tests.server.standings import Standings

FIELDS = ["name", "listed", "macs", "uuid", "serial", "profile", "summary", "install", "next", "boot", "last"]
LISTS = ["attempts", "boots", "alerts", "events", "timeline", "verdict"]
PAST, COMING = 1000.0, 4e9
BOOT = BootRecord("secret-boot-id", "node1", MAC1, "10.0.0.9", 900.0, "worker", "install", PAST)
ALERT = Alert("a1", 950.0, "node1", MAC1, "10.0.0.66", "replay", "a spent token was shown again")
ATTEMPT = Attempt("node1", "secret-boot-id", 1, 900.0, 990.0, "failed", "no report by the deadline", "4593.2.5")


def event(machine: str = "node1", mac: str = MAC1, **fields: Any) -> Event:
    kind = fields.pop("kind", Kind.SCRIPT)
    return Event(kind, time.time(), machine, mac, fields.pop("text", "text"), **fields)


async def get(site: Site, target: str) -> Any:
    answer = await site.ask(f"/api/v1/{target}")
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


async def test_machines_are_listed_with_the_stage_they_reached_and_strangers_after_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(event(text="gave the script"))
        site.bus.emit(event(kind=Kind.TRANSFER, text="no stage"))
        site.bus.emit(event("", STRANGER, kind=Kind.HELD))
        machines = (await get(site, "machines"))["machines"]
    assert [machine["name"] for machine in machines] == ["node1", "node2", "node3", "node4", STRANGER]
    assert machines[0]["macs"] == [MAC1]
    assert machines[0]["profile"] == "worker"
    assert machines[0]["last"]["text"] == "gave the script"
    assert machines[1]["last"] is None
    assert (machines[4]["listed"], machines[4]["last"]["kind"]) == (False, "held")


async def test_one_machine_comes_with_its_events_by_name_or_mac(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for text in ("first", "second"):
            site.bus.emit(event(text=text))
        site.bus.emit(event("", STRANGER))
        for name in ("node1", MAC1, "52-54-00-00-00-01"):
            assert [e["text"] for e in (await get(site, f"machines/{name}"))["events"]] == ["first", "second"]
        assert (await get(site, f"machines/{STRANGER}"))["listed"] is False
        for name in ("nobody", "02:00:00:00:00:98"):
            assert (await site.ask(f"/api/v1/machines/{name}")).status == 404


async def test_a_stranger_that_has_booted_is_shown_though_its_events_are_forgotten(tmp_path: Path) -> None:
    standings = Standings()
    standings.all_boots = [BootRecord("b", STRANGER, STRANGER, "10.0.0.9", 900.0, "worker", "memory")]
    async with serving(tmp_path, machines=standings) as site:
        assert (await get(site, f"machines/{STRANGER}"))["boot"]["way"] == "memory"


async def test_the_fields_are_these_and_no_template_variable_is_among_them(tmp_path: Path) -> None:
    """They may hold secrets."""
    text = INVENTORY.replace("profile: worker}", "profile: worker, vars: {key: hush}}")
    async with serving(tmp_path, text=text) as site:
        answer = await site.ask("/api/v1/machines/node1")
        assert "hush" not in answer.text
        assert list(json.loads(answer.body)) == FIELDS + LISTS
        assert list((await get(site, "machines"))["machines"][0]) == FIELDS


def standing(state: State | None, **fields: Any) -> Standing:
    return Standing("node1", (MAC1,), state, **fields)


INSTALLS: dict[str, tuple[Standing | None, dict[str, Any] | None]] = {
    "nothing is known": (None, None),
    "the inventory decides": (standing(None), None),
    "an operator wants it, with a profile": (
        standing(State.WANTED, ordered=True, profile="rooted", since=900.0),
        {"state": "wanted", "held": False, "ordered": True, "profile": "rooted", "since": 900.0, "attempt": 0},
    ),
    "it installs": (
        standing(State.INSTALLING, attempt=2, deadline=COMING, version="4593.2.5", boot="b"),
        {"state": "installing", "attempt": 2, "deadline": COMING, "version": "4593.2.5", "profile": None},
    ),
    "it waits for the next attempt": (
        standing(State.WANTED, attempt=1, not_before=COMING, reason="no report"),
        {"state": "wanted", "not_before": COMING, "reason": "no report", "deadline": None, "since": None},
    ),
    "every attempt failed": (
        standing(State.FAILED, attempt=3, reason="the disk is gone"),
        {"state": "failed", "held": True, "attempt": 3, "reason": "the disk is gone"},
    ),
    "it boots its disk": (standing(State.LOCAL), {"state": "local", "held": False, "reason": None}),
}


@pytest.mark.parametrize(("row", "expected"), INSTALLS.values(), ids=INSTALLS)
async def test_where_an_installation_is(tmp_path: Path, row: Standing | None, expected: dict[str, Any] | None) -> None:
    standings = Standings()
    standings.rows = {"node1": row} if row else {}
    async with serving(tmp_path, machines=standings) as site:
        shown = (await get(site, "machines/node1"))["install"]
    assert shown == (None if expected is None else {**shown, **expected})


INSTALLER = INVENTORY.replace(
    "  plain: {image: rescue}",
    "  plain: {image: rescue, boot: install, install: {attempts: 5, after_failure: local}}",
)


async def test_a_profile_that_installs_makes_its_machines_wanted_with_its_attempts(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INSTALLER) as site:
        shown = (await get(site, "machines/node3"))["install"]
    assert (shown["state"], shown["attempts"], shown["ordered"]) == ("wanted", 5, False)


ATTEMPTS = {"of the profile": ("", 5), "of the machine, over those of the profile": (", install: {attempts: 7}", 7)}


@pytest.mark.parametrize(("own", "attempts"), ATTEMPTS.values(), ids=ATTEMPTS)
async def test_an_ordered_profile_brings_its_attempts(tmp_path: Path, own: str, attempts: int) -> None:
    standings = Standings()
    standings.rows = {"node1": standing(State.WANTED, ordered=True, profile="plain")}
    text = INSTALLER.replace("profile: worker}\n  node2", f"profile: worker{own}}}\n  node2")
    async with serving(tmp_path, text=text, machines=standings) as site:
        assert (await get(site, "machines/node1"))["install"]["attempts"] == attempts


async def test_a_machine_that_boots_its_disk_after_failures_is_not_held(tmp_path: Path) -> None:
    standings = Standings()
    standings.rows = {"node3": Standing("node3", state=State.FAILED)}
    async with serving(tmp_path, text=INSTALLER, machines=standings) as site:
        shown = (await get(site, "machines/node3"))["install"]
    assert (shown["state"], shown["held"]) == ("failed", False)


async def test_a_one_shot_boot_is_shown_until_it_is_used_up(tmp_path: Path) -> None:
    standings = Standings()
    standings.rows = {"node1": standing(None, next_profile="plain")}
    async with serving(tmp_path, machines=standings) as site:
        assert (await get(site, "machines/node1"))["next"] == {"profile": "plain", "boot": None, "loaded": False}
        assert (await get(site, "machines/node2"))["next"] is None


BOOTS = {
    "no report is due yet": ({"deadline": COMING}, False),
    "its report is overdue": ({"deadline": PAST}, True),
    "it has reported": ({"deadline": PAST, "reported": "running"}, False),
    "no report is expected": ({"deadline": 0.0}, False),
}


@pytest.mark.parametrize(("fields", "no_report"), BOOTS.values(), ids=BOOTS)
async def test_a_boot_without_its_report_is_told(tmp_path: Path, fields: dict[str, Any], no_report: bool) -> None:
    standings = Standings()
    row = {"deadline": PAST, "reported": "", **fields}
    standings.all_boots = [BootRecord("b", "node1", MAC1, "10.0.0.9", 900.0, "worker", "memory", **row)]
    async with serving(tmp_path, machines=standings) as site:
        assert (await get(site, "machines/node1"))["boot"]["no_report"] is no_report


async def test_boots_attempts_and_alerts_are_told_without_the_ids_that_open_anything(tmp_path: Path) -> None:
    """Who knows a boot's id may ask for its script again."""
    standings = Standings()
    standings.all_boots, standings.all_attempts, standings.all_alerts = [BOOT], [ATTEMPT], [ALERT]
    standings.rows = {"node1": standing(State.WANTED, boot=BOOT.id, next_profile="plain", next_boot=BOOT.id)}
    async with serving(tmp_path, machines=standings) as site:
        answers = [await site.ask(f"/api/v1/{page}") for page in ("machines", "machines/node1", "boots", "alerts")]
        shown = await get(site, "machines/node1")
    assert not any(BOOT.id in answer.text for answer in answers)
    assert shown["boots"][0]["id"] == shown["attempts"][0]["boot"] == shown["next"]["boot"]
    assert shown["attempts"][0]["reason"] == "no report by the deadline"
    assert shown["alerts"] == [asdict(ALERT)]


@pytest.mark.parametrize(
    ("query", "machines"),
    [
        ("", ["node2", "node1", "node1"]),
        ("?machine=node1", ["node1", "node1"]),
        (f"?machine={MAC1}", ["node1", "node1"]),
        (f"?machine={STRANGER}", []),
        ("?limit=1", ["node2"]),
    ],
    ids=["of all", "of a name", "of a MAC", "of a stranger", "the newest only"],
)
@pytest.mark.parametrize("page", ["boots", "alerts"])
async def test_boots_and_alerts_are_of_one_machine_or_of_all(
    tmp_path: Path, page: str, query: str, machines: list[str]
) -> None:
    standings = Standings()
    names = ("node2", "node1", "node1")
    standings.all_boots = [BootRecord(f"b{n}", name, "", "", 900.0, "worker", "memory") for n, name in enumerate(names)]
    standings.all_alerts = [Alert(f"a{n}", 900.0, name, "", "", "held", "text") for n, name in enumerate(names)]
    async with serving(tmp_path, machines=standings) as site:
        assert [row["machine"] for row in (await get(site, f"{page}{query}"))[page]] == machines


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?machine=nobody", 404, "There is no machine 'nobody' in the inventory."),
        ("?limit=0", 400, "limit is a number from 1 to 10000."),
        ("?limit=10001", 400, "limit is a number from 1 to 10000."),
        ("?limit=many", 400, "limit is a number from 1 to 10000."),
    ],
)
@pytest.mark.parametrize("page", ["boots", "alerts"])
async def test_a_filter_that_is_none_is_refused(tmp_path: Path, page: str, query: str, status: int, words: str) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(f"/api/v1/{page}{query}")
    assert (answer.status, answer.text) == (status, f"{words}\n")


async def test_other_requests_are_answered_while_many_machines_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_machines, "_SLICE", 1)
    finished: list[str] = []

    async def ask(site: Site, target: str) -> int:
        status = (await site.ask(target)).status
        finished.append(target)
        return status

    numbers = (f"{n // 256:02x}:{n % 256:02x}" for n in range(400))
    rows = "".join(f'  more{at}: {{mac: "52:54:00:01:{n}", profile: worker}}\n' for at, n in enumerate(numbers))
    async with serving(tmp_path, text=INVENTORY + rows) as site:
        await asyncio.gather(ask(site, "/api/v1/machines"), ask(site, "/healthz"))
        machines = (await get(site, "machines"))["machines"]
    assert finished == ["/healthz", "/api/v1/machines"]
    assert len({machine["name"] for machine in machines}) == 404
