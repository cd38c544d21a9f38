"""The mirror in the daemon: synced on a schedule by a child process, told as events, ended with the daemon."""

import asyncio
import os
import urllib.request
from pathlib import Path

import psutil
import pytest

from pxed.assets.mirror.index import Index, Release, save_index
from pxed.events import Level
from pxed.server import mirroring as module
from pxed.server.live import Live, Snapshot
from pxed.server.load import load_snapshot
from pxed.server.mirroring import RETRY_SECONDS, Mirroring
from pxed.server.syncprocess import BUSY
from tests.releases.faults import Fault
from tests.releases.server import ReleaseServer
from tests.server.mirrordaemon import FOLLOWING, mirroring

A, B = "4593.2.4", "4593.2.5"
KERNEL = "flatcar_production_pxe.vmlinuz"
BIG = os.urandom(1 << 20) * 4


@pytest.fixture
def releases(tmp_path):
    with ReleaseServer(tmp_path / "releases") as server:
        yield server


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def children(daemon) -> list[psutil.Process]:
    return psutil.Process(daemon.process.pid).children()


def test_a_version_that_is_missing_is_mirrored_soon_after_ready(home, releases):
    releases.publish("stable", "amd64", B)
    with mirroring(home, releases) as daemon:
        daemon.says("serving 1 machine")
        begun, event = (
            daemon.event(lambda event: event.get("image") == "flatcar" and event["level"] == "info") for _ in range(2)
        )
        assert begun["text"].startswith(f"image flatcar: {B} is arriving, ")
        assert event["text"].startswith(f"image flatcar: {B} published: ")
        assert (event["kind"], event["version"]) == ("notice", B)
        assert daemon.mirror.joinpath("stable", "amd64-usr", "current").readlink().name == B
        daemon.stop()
        assert daemon.process.returncode == 0


def test_a_failure_is_a_warning_and_the_old_version_stays(home, releases):
    releases.publish("stable", "amd64", A)
    with mirroring(home, releases) as daemon:
        daemon.says(f"{A} published")
        releases.publish("stable", "amd64", B)
        releases.fault(KERNEL, Fault.TAMPER)
        daemon.write("other: {flatcar: {channel: stable}}, " + FOLLOWING)
        daemon.reload()
        text = daemon.says(f"image flatcar: {B} was not mirrored", level="warning")
        assert text.endswith(f"; {A} goes on being served")
        assert daemon.mirror.joinpath("stable", "amd64-usr", "current").readlink().name == A


def test_a_release_that_a_reload_names_is_mirrored_at_once(home, releases):
    releases.publish("stable", "amd64", B)
    with mirroring(home, releases, images="") as daemon:
        daemon.says("serving 1 machine")
        daemon.write(FOLLOWING)
        daemon.reload()
        daemon.says(f"{B} published")


def test_an_inventory_without_flatcar_starts_no_sync(home, releases):
    with mirroring(home, releases, images="") as daemon:
        daemon.says("serving 1 machine")
        log = daemon.stop()
    assert not [text for text in log if "Flatcar" in text or "mirror" in text]
    assert releases.requests == []


def test_with_the_interval_off_a_missing_version_is_asked_for_in_words(home, releases):
    releases.publish("stable", "amd64", B)
    with mirroring(home, releases, interval="off") as daemon:
        words = "nothing is mirrored and server.mirror.interval is off: run pxed images sync"
        daemon.says(words, level="warning")
        daemon.write(f"coming: {{flatcar: {{channel: beta}}}}, {FOLLOWING}", interval="off")
        daemon.reload()
        assert daemon.says(words, level="warning") == f"image coming: {words}"
        daemon.stop()
    assert releases.requests == []


def test_a_machine_is_told_what_arrives_and_sigterm_ends_the_download(home, releases):
    releases.publish("stable", "amd64", B, kernel=BIG)
    releases.fault(KERNEL, Fault.TRICKLE, after=2 << 20)
    with mirroring(home, releases) as daemon:
        daemon.says(f"{B} is arriving, 50%")
        child = children(daemon)[0]
        assert child.nice() == 10
        url = f"http://127.0.0.1:{daemon.ports[0]}/images/flatcar/{KERNEL}"
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            urllib.request.urlopen(url, timeout=10)
        with refused.value as answer:
            assert f"{B} is arriving, " in answer.read().decode()
            assert answer.headers["Retry-After"]
        daemon.stop()
        assert daemon.process.returncode == 0
        assert not child.is_running()


def test_a_killed_daemon_leaves_no_download_behind(home, releases):
    releases.publish("stable", "amd64", B, kernel=BIG)
    releases.fault(KERNEL, Fault.TRICKLE, after=2 << 20)
    with mirroring(home, releases) as daemon:
        daemon.says(f"{B} is arriving, 50%")
        child = children(daemon)[0]
        daemon.process.kill()
        child.wait(30)


INVENTORY = """\
server: {data_dir: data, mirror: {interval: INTERVAL}}
images:
  flatcar: {flatcar: {channel: stable}}
  pinned: {flatcar: {channel: stable, version: 4593.2.4}}
"""


class Part:
    """A Mirroring without its daemon."""

    def __init__(self, home: Path, interval: str = "6h", text: str = INVENTORY) -> None:
        self.events: list[tuple[Level, str]] = []
        self.home = home
        self.live = Live(self.snapshot(text.replace("INTERVAL", interval)))
        (home / "data" / "mirror").mkdir(parents=True, exist_ok=True)
        self.mirroring = Mirroring(home / "pxed.yaml", self.live, lambda e: self.events.append((e.level, e.text)))

    def snapshot(self, text: str) -> Snapshot:
        (self.home / "pxed.yaml").write_text(text)
        return load_snapshot(self.home / "pxed.yaml")

    def publish(self, *versions: str) -> None:
        releases = {("stable", "amd64", v): Release("stable", "amd64", v, {}, 0.0, "F" * 40) for v in versions}
        current = {("stable", "amd64", "current"): versions[-1]}
        save_index(self.home / "data" / "mirror", Index(releases, current))


async def test_the_index_is_taken_when_it_is_replaced_and_only_then(tmp_path):
    part = Part(tmp_path)
    assert not part.mirroring.refresh()
    part.publish(A)
    assert part.mirroring.refresh()
    assert part.live.index.current == {("stable", "amd64", "current"): A}
    assert not part.mirroring.refresh()


async def test_a_broken_index_is_warned_about_once_and_the_old_one_stays(tmp_path):
    part = Part(tmp_path)
    part.publish(A)
    part.mirroring.refresh()
    (tmp_path / "data" / "mirror" / "index.json").write_text("{")
    assert not part.mirroring.refresh()
    assert not part.mirroring.refresh()
    assert part.live.index.current == {("stable", "amd64", "current"): A}
    assert [level for level, _ in part.events] == [Level.WARNING]
    assert "the mirror's index stays as it was" in part.events[0][1]


@pytest.mark.parametrize(
    ("versions", "interval", "expected"),
    [
        ([], "6h", (0, 0)),
        ([B], "6h", (0, 0)),
        ([A], "6h", (0, 60)),
        ([A], "off", None),
    ],
    ids=["nothing is mirrored: at once", "one is missing: at once", "all is there: within a minute", "off: never"],
)
async def test_when_the_first_sync_is(tmp_path, versions, interval, expected):
    part = Part(tmp_path, interval)
    if versions:
        part.publish(*versions)
        part.mirroring.refresh()
    first = part.mirroring.first()
    assert first is expected is None or expected[0] <= first <= expected[1]


async def test_syncs_follow_each_other_with_jitter_and_failures_with_growing_pauses(tmp_path, monkeypatch):
    part, codes, pauses = Part(tmp_path, "30m"), iter([0, 1, 1, 1, BUSY, 1, 1, 1, 0, 1]), []

    async def ended(command, news, stopping):
        return next(codes)

    monkeypatch.setattr(module, "run_sync", ended)
    for _ in range(10):
        pauses.append(await part.mirroring.sync())
    assert 27 * 60 <= pauses[0] <= 33 * 60
    assert pauses[1:4] == [RETRY_SECONDS, 2 * RETRY_SECONDS, 4 * RETRY_SECONDS]
    assert pauses[4] == RETRY_SECONDS
    assert pauses[5:8] == [8 * RETRY_SECONDS, 16 * RETRY_SECONDS, 30 * 60]
    assert pauses[9] == RETRY_SECONDS


@pytest.mark.parametrize(
    ("text", "again"),
    [
        (INVENTORY.replace("INTERVAL", "6h"), False),
        (INVENTORY.replace("INTERVAL", "6h") + "profiles: {disk: {boot: local}}\n", False),
        (INVENTORY.replace("INTERVAL", "6h").replace("4593.2.4", "4593.2.5"), True),
        (INVENTORY.replace("INTERVAL", "1h"), True),
    ],
    ids=["the same", "another profile", "another version", "another interval"],
)
async def test_a_reload_syncs_again_when_other_releases_are_wanted(tmp_path, monkeypatch, text, again):
    part, synced = Part(tmp_path), asyncio.Queue()

    async def ended(command, news, stopping):
        synced.put_nowait(command)
        return 0

    monkeypatch.setattr(module, "run_sync", ended)
    running = asyncio.create_task(part.mirroring.run())
    await synced.get()
    part.live.snapshot = part.snapshot(text)
    part.mirroring.reconsider()
    if again:
        await synced.get()
    part.mirroring.stop()
    await running
    assert synced.empty()
