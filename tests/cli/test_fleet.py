"""The rows of `pxed status`: their order, their words, and how they follow the daemon; the picture on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pxed.cli.client import Client, RefusedError, UnreachableError
from pxed.cli.fleet import Fleet, ago, cells, progress, stage_of
from pxed.cli.fleet_feed import Feed, News
from pxed.cli.status_live import Picture
from tests.cli.fleetserver import LOADING, NO_DHCP, RUNNING, STUCK, Daemon, T, row, serving

ROWS = (
    row("never"),
    row("up", RUNNING),
    row("loading", LOADING),
    row("slow", LOADING, severity="warning", fault="dhcp-refused", verdict="The DHCP server refuses"),
    row("stuck", STUCK),
    row("stuck-longer", STUCK, since=T - 900),
    row("02:00:00:00:00:99", LOADING, listed=False, began=T - 10),
)


def fleet(*rows: dict[str, object]) -> Fleet:
    return Fleet(Daemon(*(rows or ROWS)).fleet())


def test_what_somebody_should_look_at_comes_first() -> None:
    names = [found["name"] for found in fleet().first()]
    assert names == ["stuck-longer", "stuck", "slow", "02:00:00:00:00:99", "loading", "up", "never"]
    assert [found["name"] for found in fleet().first(2)] == names[:2]
    assert [found["name"] for found in fleet().first(stuck=True)] == names[:2]


def test_the_line_of_totals() -> None:
    assert fleet().totals() == "7 machines, 3 booting, 2 stuck, 1 with a warning"
    assert fleet(row("one", STUCK, outcome=None)).totals() == "1 machine, 1 stuck"
    assert fleet(row("one")).totals() == "1 machine"


STAGES = {
    "not seen": (row("x"), ""),
    "under way": (row("x", LOADING), "kernel"),
    "stuck": (row("x", STUCK), "offer"),
    "running": (row("x", RUNNING), "running"),
    "installed": (row("x", RUNNING, outcome="installed"), "installed"),
    "told to boot its disk": (row("x", stage="script", outcome="local"), "boots its disk"),
    "failed and held": (row("x", stage="installing", outcome="failed", held=True), "failed, held"),
    "held before it was seen": (row("x", held=True), "held"),
}


@pytest.mark.parametrize(("found", "words"), STAGES.values(), ids=STAGES)
def test_where_a_boot_is(found: dict[str, object], words: str) -> None:
    assert stage_of(found) == words


@pytest.mark.parametrize(
    ("sent", "due", "words"),
    [
        (None, None, ""),
        (0, 60_000_000, "0% of 60.0 MB"),
        (30_000_000, 60_000_000, "50% of 60.0 MB"),
        (61, 60, "100% of 60 bytes"),
        (5_000, None, "5.0 kB"),
    ],
)
def test_how_far_a_file_is(sent: int | None, due: int | None, words: str) -> None:
    assert progress(row("x", sent=sent, due=due)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_times_for_people(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_times_are_told_by_the_daemons_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert cells(ROWS[2:3], fleet().now()) == [("loading", "worker", "kernel", "5 s", "50% of 60.0 MB", "")]


def test_what_a_peer_says_does_nothing_to_a_terminal() -> None:
    found = row("x\x1b[2J", STUCK, verdict="a file \x1b]0;x\x07")
    assert cells([found], T)[0][0] + cells([found], T)[0][-1] == "x?[2Ja file ?]0;x?"


def test_changes_replace_rows_and_those_that_are_gone_go() -> None:
    daemon, known = Daemon(*ROWS), fleet()
    cells = [list(found.values()) for found in (row("up", LOADING), row("new"))]
    changed = known.take(None, {"version": 2, "rows": cells, "gone": ["never"]})
    assert [found["name"] for found in changed] == ["up", "new"]
    assert (known.rows["up"]["stage"], "new" in known.rows, "never" in known.rows) == ("kernel", True, False)
    daemon.rows["loading"] = row("loading", RUNNING)
    assert [found["name"] for found in known.take(daemon.fleet(), None)] == ["never", "up", "loading"]
    assert "new" not in known.rows


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with serving(*ROWS) as daemon:
        yield daemon


class Told:
    """What a feed has told, one after the other."""

    def __init__(self, feed: Told) -> None:
        self._feed = feed
        self._news: list[News] = []

    def until(self, wanted: str) -> News:
        """The next news that have something of that kind to say."""
        for _ in range(2000):
            self._news += self._feed.take(10.0) if not self._news else ()
            if self._news and getattr(news := self._news.pop(0), wanted):
                return news
        raise AssertionError(f"no {wanted}")


@pytest.fixture
def feed(daemon: Daemon) -> Iterator[Told]:
    with Client(daemon.url, seconds=20) as client:
        feed = Feed(client, poll_seconds=0.01)
        feed.start(daemon.version)
        yield Told(feed)
        feed.close()


def follows(daemon: Daemon, feed: Told) -> News:
    """Wait for a stream to begin, at both ends."""
    news = feed.until("streaming")
    assert daemon.followed.acquire(timeout=20)
    return news


def test_changes_come_as_they_happen(daemon: Daemon, feed: Told) -> None:
    assert follows(daemon, feed) == News(streaming=True)
    daemon.tell(row("up", LOADING))
    assert feed.until("changes").changes["rows"][0][0] == "up"
    assert daemon.asked == ["fleet/events?after=1"]


def test_after_a_reset_all_rows_are_read_again(daemon: Daemon, feed: Told) -> None:
    follows(daemon, feed)
    daemon.rows["more"] = row("more")
    daemon.say("reset", {})
    assert len(feed.until("whole").whole["rows"]) == len(ROWS) + 1
    follows(daemon, feed)
    assert daemon.asked == ["fleet/events?after=1", "fleet", "fleet/events?after=1"]


def test_a_stream_that_breaks_is_told_and_taken_up_again(daemon: Daemon, feed: Told) -> None:
    follows(daemon, feed)
    daemon.cut()
    assert feed.until("trouble").trouble == f"the stream of {daemon.url} ended"
    feed.until("whole")
    follows(daemon, feed)


def test_where_the_stream_is_refused_all_rows_are_read_again_and_again(daemon: Daemon, feed: Told) -> None:
    follows(daemon, feed)
    daemon.streams = False
    daemon.cut()
    for _ in range(3):
        feed.until("whole")
    assert feed.until("trouble").trouble.startswith("There is nothing at fleet/events")


def test_a_stream_is_no_answer_of_json(daemon: Daemon) -> None:
    daemon.streams = False
    with Client(daemon.url) as client, pytest.raises(RefusedError, match="There is nothing"):
        next(client.stream("fleet/events"))


def test_a_message_that_is_no_json_breaks_the_stream(daemon: Daemon) -> None:
    with Client(daemon.url) as client:
        messages = client.stream("fleet/events")
        assert next(messages).kind == "open"
        assert daemon.followed.acquire(timeout=20)
        daemon._put(b"data: {\n\n")
        with pytest.raises(UnreachableError, match="broke"):
            next(messages)


def picture(known: Fleet, width: int, height: int, **drawn: object) -> list[str]:
    return [line.plain for line in Picture("http://x", **drawn).lines(known, width, height)]  # type: ignore[arg-type]


def test_the_picture_fits_and_has_stuck_machines_with_their_cause() -> None:
    lines = picture(fleet(), 120, 30)
    assert lines[0] == "pxed http://x: 7 machines, 3 booting, 2 stuck, 1 with a warning"
    assert lines[3].split()[:2] == ["stuck-longer", "worker"]
    told = [line[lines[2].index("verdict") :].strip() for line in lines[3:6]]
    assert " ".join(told) == NO_DHCP
    assert any(line.split()[:6] == ["loading", "worker", "kernel", "5", "s", "50%"] for line in lines)


@pytest.mark.parametrize("width", [20, 40, 79, 80, 132, 250])
@pytest.mark.parametrize("height", [1, 4, 5, 9, 24, 200])
def test_the_picture_is_never_larger_than_the_terminal(width: int, height: int) -> None:
    known = fleet(*ROWS, *(row(f"node{number}" * 9, STUCK, verdict="x " * 400) for number in range(300)))
    lines = picture(known, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_picture_says_how_many_more_there_are_and_moves() -> None:
    known = fleet(*(row(f"node{number:03}", LOADING) for number in range(100)))
    assert picture(known, 100, 14)[-1].startswith("90 more; ")
    moved = picture(known, 100, 14, offset=95)
    assert [line.split()[0] for line in moved[3:-1]] == [f"node{number:03}" for number in range(95, 100)]
    assert picture(known, 100, 14, offset=999)[3].split()[0] == "node099"


def test_the_picture_can_have_stuck_machines_only_and_says_what_does_not_work() -> None:
    lines = picture(fleet(), 100, 40, stuck=True, trouble="no answer")
    assert lines[1] == "not live, asked every 2 seconds: no answer"
    assert [line.split()[0] for line in lines[3:-1] if line.startswith("stuck")] == ["stuck-longer", "stuck"]
    assert not any("loading" in line for line in lines)
    assert "only what is stuck" in lines[-1]
