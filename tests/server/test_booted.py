"""Which releases machines are booting: kept over a restart, bounded, and cheap when a hall powers on."""

import json
import time

import pytest

from pxed.server import booted
from pxed.server.booted import BOOTING, Booting


class Kept(list):
    """The events that were emitted."""

    def __call__(self, event):
        self.append(event)


async def test_many_boots_together_are_one_write(tmp_path, monkeypatch):
    written = []
    really = booted.Saver._save

    async def counted(saver):
        written.append(saver.path.name)
        await really(saver)

    monkeypatch.setattr(booted.Saver, "_save", counted)
    booting = Booting(tmp_path, Kept())
    for _ in range(400):
        booting.use("stable", "amd64", "4593.2.5")
    await booting.close()
    assert written == ["booting.json"]


async def test_a_disk_that_takes_no_record_is_warned_about_once(tmp_path):
    (tmp_path / "data").write_text("a file where the directory should be")
    events = Kept()
    record = Booting(tmp_path / "data", events)
    for version in ("4593.2.4", "4593.2.5"):
        record.use("stable", "amd64", version)
        await record.close()
    assert [event.text.split(":")[0] for event in events] == [f"cannot write {tmp_path / 'data' / BOOTING}"]


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
