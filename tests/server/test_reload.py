"""Reload: a good inventory replaces the old one as a whole, a bad one changes nothing and says where it is wrong."""

import os

import pytest

from pxed.events import Event, Kind
from pxed.server.live import Live
from pxed.server.load import load_snapshot
from pxed.server.reload import Reloader
from pxed.server.systemd import Manager

MACHINES = "machines:\n  node1: {mac: 52:54:00:00:00:01, profile: p}\n"
GOOD = f"server: {{data_dir: data}}\n{MACHINES}profiles:\n  p: {{boot: local}}\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "pxed.yaml"
    path.write_text(GOOD)
    return path


def start(path) -> tuple[Reloader, Live, list[Event]]:
    events: list[Event] = []
    live = Live(load_snapshot(path))
    return Reloader(path, live, events.append, Manager()), live, events


def rewrite(path, text: str) -> None:
    """As an editor does: a new file takes the old one's name."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


async def test_nothing_happens_while_nothing_changes(path):
    reloader, live, events = start(path)
    before = live.snapshot
    assert [await reloader.look() for _ in range(3)] == [False, False, False]
    assert live.snapshot is before
    assert events == []


async def test_a_changed_file_is_read_once_it_has_settled(path):
    reloader, live, events = start(path)
    rewrite(path, GOOD + "  q: {boot: local}\n")
    assert [await reloader.look() for _ in range(3)] == [False, True, False]
    assert (live.snapshot.generation, set(live.snapshot.inventory.profiles)) == (2, {"p", "q"})
    assert [event.kind for event in events] == [Kind.RELOADED]


async def test_a_signal_reloads_at_once_though_nothing_changed(path):
    reloader, live, _events = start(path)
    reloader.request()
    assert await reloader.look()
    assert live.snapshot.generation == 2


@pytest.mark.parametrize("text", ["machines: [", "machines:\n  node1: {mac: nonsense}\n", "\tx", ""])
async def test_a_bad_inventory_keeps_the_old_one_and_says_where(path, text):
    reloader, live, events = start(path)
    before = live.snapshot
    rewrite(path, text or "nothing: 1\n")
    assert [await reloader.look() for _ in range(4)] == [False] * 4
    assert live.snapshot is before
    assert {event.kind for event in events} == {Kind.RELOAD_FAILED}
    assert str(path) in events[0].text
    assert len([event for event in events if "stays in force" in event.text]) == 1


async def test_a_file_that_vanished_keeps_the_old_inventory(path):
    reloader, live, events = start(path)
    path.unlink()
    assert [await reloader.look() for _ in range(3)] == [False] * 3
    assert events[0].kind is Kind.RELOAD_FAILED
    os.utime(path.parent)
    assert live.snapshot.generation == 1


async def test_what_sockets_were_made_from_stays_until_a_restart_and_is_said(path):
    reloader, live, events = start(path)
    rewrite(path, GOOD.replace("data_dir: data", "data_dir: data, http: {port: 9090}, unknown: hold"))
    assert [await reloader.look() for _ in range(2)] == [False, True]
    server = live.snapshot.inventory.server
    assert (server.http.port, server.unknown) == (8080, "hold")
    assert any("restart pxed" in event.text and "server.http" in event.text for event in events)


@pytest.mark.parametrize("name", ["worker.bu", "base.ign", "motd", "setup.sh"])
async def test_every_file_that_is_part_of_a_config_is_watched(path, name):
    files = {
        "worker.bu": "variant: flatcar\nversion: 1.0.0\n"
        "storage: {files: [{path: /etc/motd, contents: {local: motd}}]}\n",
        "base.ign": '{"ignition": {"version": "3.3.0"}}',
        "motd": "hello",
        "setup.sh": "#!/bin/sh",
    }
    for other, text in files.items():
        (path.parent / other).write_text(text)
    path.write_text(
        f"{GOOD[: GOOD.index('profiles')]}profiles: {{p: {{boot: local, butane: worker.bu, ignition_base: base.ign, "
        "oem_files: {usr/share/oem/setup: setup.sh}}}\n"
    )
    reloader, live, _events = start(path)
    rewrite(path.parent / name, files[name] + "\n")
    assert [await reloader.look() for _ in range(3)] == [False, True, False]
    assert live.snapshot.generation == 2


async def test_a_file_that_a_config_brings_later_is_watched_from_then_on(path):
    reloader, live, _events = start(path)
    motd = path.parent / "motd"
    motd.write_text("hello")
    live.snapshot.configs.maker.files.add(motd)
    assert [await reloader.look() for _ in range(3)] == [False] * 3
    rewrite(motd, "changed")
    assert [await reloader.look() for _ in range(3)] == [False, True, False]
