"""What machines booted and are booting: kept over a restart, bounded, and cheap when a hall powers on."""

import asyncio
import json
import time

import pytest

from pxed.server import booted
from pxed.server.booted import BOOTED, BOOTING, Boot, Booted, BootedError, Booting, read_boots

BOOT = Boot("flatcar", "4593.2.5", "a" * 128, "b" * 128, 1795500000.0)


class Kept(list):
    """The events that were emitted."""

    def __call__(self, event):
        self.append(event)


async def test_what_a_machine_booted_is_known_after_a_restart(tmp_path):
    record = Booted(tmp_path, Kept())
    record.mark("node1", BOOT)
    await record.close()
    again = Booted(tmp_path, Kept())
    again.load()
    assert (again.last("node1"), again.last("node2")) == (BOOT, None)
    assert read_boots(tmp_path) == {"node1": BOOT}


async def test_the_file_says_what_the_documentation_says(tmp_path):
    record = Booted(tmp_path, Kept())
    record.mark("node1", BOOT)
    await record.close()
    assert json.loads((tmp_path / BOOTED).read_text()) == {
        "node1": {"image": "flatcar", "version": "4593.2.5", "kernel": "a" * 128, "initrd": "b" * 128,
                  "time": 1795500000.0},
    }  # fmt: skip


async def test_many_boots_together_are_one_write(tmp_path, monkeypatch):
    written = []
    really = booted.Saver._save

    async def counted(saver):
        written.append(saver.path.name)
        await really(saver)

    monkeypatch.setattr(booted.Saver, "_save", counted)
    record, booting = Booted(tmp_path, Kept()), Booting(tmp_path, Kept())
    for number in range(400):
        record.mark(f"node{number}", BOOT)
        booting.use("stable", "amd64", "4593.2.5")
    await asyncio.gather(record.close(), booting.close())
    assert sorted(written) == [BOOTED, "booting.json"]
    assert len(read_boots(tmp_path)) == 400


async def test_the_machine_that_booted_first_goes_first_when_the_record_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(booted, "MAX_MACHINES", 2)
    record = Booted(tmp_path, Kept())
    for name in ("node1", "node2", "node1", "node3"):
        record.mark(name, BOOT)
    await record.close()
    assert list(read_boots(tmp_path)) == ["node1", "node3"]


@pytest.mark.parametrize(
    "content",
    ["nonsense", "[]", '{"node1": 5}', '{"node1": {"image": "x"}}', '{"node1": null}', "\xff"],
    ids=["no JSON", "a list", "a number for a boot", "a boot without a version", "null for a boot", "not UTF-8"],
)
async def test_a_broken_record_is_warned_about_and_the_daemon_goes_on(tmp_path, content):
    (tmp_path / BOOTED).write_bytes(content.encode("latin-1"))
    with pytest.raises(BootedError, match="repair it or remove it"):
        read_boots(tmp_path)
    events = Kept()
    record = Booted(tmp_path, events)
    record.load()
    assert "repair it or remove it" in events[0].text
    record.mark("node1", BOOT)
    await record.close()
    assert read_boots(tmp_path) == {"node1": BOOT}


async def test_a_disk_that_takes_no_record_is_warned_about_once(tmp_path):
    (tmp_path / "data").write_text("a file where the directory should be")
    events = Kept()
    record = Booted(tmp_path / "data", events)
    for _ in range(2):
        record.mark("node1", BOOT)
        await record.close()
    assert [event.text.split(":")[0] for event in events] == [f"cannot write {tmp_path / 'data' / BOOTED}"]


def in_use(data_dir) -> dict[str, float]:
    return json.loads((data_dir / BOOTING).read_text())


async def test_a_release_that_is_given_out_is_in_use_at_once(tmp_path):
    before = time.time()
    booting = Booting(tmp_path, Kept())
    booting.use("stable", "amd64", "4593.2.5")
    await booting.close()
    assert list(in_use(tmp_path)) == ["stable/amd64/4593.2.5"]
    assert before <= in_use(tmp_path)["stable/amd64/4593.2.5"] <= time.time()


@pytest.mark.parametrize("broken", [False, True], ids=["a whole file", "a broken file"])
async def test_releases_in_use_before_a_restart_still_are(tmp_path, broken):
    booting = Booting(tmp_path, Kept())
    booting.use("stable", "amd64", "4593.2.4")
    await booting.close()
    if broken:
        (tmp_path / BOOTING).write_text("{")
    again = Booting(tmp_path, Kept())
    again.load()
    again.use("stable", "amd64", "4593.2.5")
    await again.close()
    before = [] if broken else ["stable/amd64/4593.2.4"]
    assert list(in_use(tmp_path)) == [*before, "stable/amd64/4593.2.5"]


async def test_a_release_that_was_last_booted_an_hour_ago_is_no_longer_in_use(tmp_path, monkeypatch):
    booting = Booting(tmp_path, Kept())
    booting.use("stable", "amd64", "4593.2.4")
    now = time.time() + 3601
    monkeypatch.setattr(booted.time, "time", lambda: now)
    booting.use("stable", "amd64", "4593.2.5")
    await booting.close()
    assert in_use(tmp_path) == {"stable/amd64/4593.2.5": now}
