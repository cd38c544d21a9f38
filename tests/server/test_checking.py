"""A start that does not wait for the configs of a big fleet, and what is found about them afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxed.errors import ConfigError
from pxed.events import Event, Level
from pxed.server.checking import SHOWN, Checking
from pxed.server.live import Live
from pxed.server.load import load_snapshot

BUTANE = "variant: flatcar\nversion: 1.0.0\nstorage:\n  directories:\n    - path: {{ machine.vars.path }}\n"


def fleet(home: Path, count: int, *bad: int) -> Path:
    """An inventory of `count` machines with a config each; those of `bad` cannot be made."""
    (home / "worker.bu").write_text(BUTANE)
    machines = "".join(
        f"  n{i}: {{serial: s{i}, profile: p, vars: {{path: {'' if i in bad else '/'}srv/{i}}}}}\n"
        for i in range(count)
    )
    path = home / "pxed.yaml"
    path.write_text(
        f"server: {{data_dir: data}}\nimages: {{r: {{kernel: k}}}}\nprofiles: {{p: {{image: r, butane: worker.bu}}}}\n"
        f"machines:\n{machines}"
    )
    return path


async def check(live: Live) -> list[Event]:
    events: list[Event] = []
    await Checking(live, events.append).run()
    return events


def test_a_broken_config_among_the_first_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"machines\.n3"):
        load_snapshot(fleet(tmp_path, 30, 3), at_once=10)


async def test_the_configs_of_the_others_are_made_afterwards(tmp_path: Path) -> None:
    snapshot = load_snapshot(fleet(tmp_path, 60, 40), at_once=10)
    assert len(snapshot.unchecked) == 50
    warning, summary = await check(Live(snapshot))
    assert warning.level is Level.WARNING
    assert "worker.bu:5:1: machines.n40: rendered for n40: $.storage.directories.0.path: path not abs" in warning.text
    assert summary.text == "made the configs of 50 more machines: 1 problem, all in pxed check"


async def test_many_broken_configs_do_not_flood_the_log(tmp_path: Path) -> None:
    snapshot = load_snapshot(fleet(tmp_path, 90, *range(20, 90)), at_once=10)
    events = await check(Live(snapshot))
    assert len(events) == SHOWN + 1
    assert "70 problems" in events[-1].text


async def test_a_reload_in_the_middle_ends_it(tmp_path: Path) -> None:
    path = fleet(tmp_path, 60, *range(20, 60))
    live = Live(load_snapshot(path, at_once=10))
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        live.snapshot = load_snapshot(fleet(tmp_path, 10))

    await Checking(live, emit).run()
    assert 0 < len(events) <= SHOWN


async def test_a_small_fleet_is_checked_before_the_start(tmp_path: Path) -> None:
    snapshot = load_snapshot(fleet(tmp_path, 10), at_once=10)
    assert await check(Live(snapshot)) == []


def test_a_reload_does_not_make_again_what_was_right(tmp_path: Path) -> None:
    path = fleet(tmp_path, 30)
    first = load_snapshot(path)
    poisoned = {*first.good, b"what is no longer used"}
    assert load_snapshot(path, known=poisoned).good == first.good
    path.write_text(path.read_text().replace("srv/7", "srv/seven"))
    again = load_snapshot(path, known=first.good)
    assert (len(again.good), len(again.good & first.good)) == (30, 29)
