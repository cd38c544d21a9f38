"""A sync in plain lines: each milestone, every 10 seconds how far a file has come, bad news on standard error."""

import pytest

from pxed.assets.mirror.events import Failed, Progress, Published, Removed, Retrying, UpToDate, Warned, from_json
from pxed.assets.mirror.wording import amount, duration
from pxed.cli.sync_bars import Bars
from pxed.cli.sync_reports import JsonLines, PlainLines

VERSION = ("stable", "amd64", "4593.2.5")
MB = 1_000_000


def progress(done, total=400 * MB, resumed=0):
    return Progress(("flatcar",), *VERSION, "initrd", done, total, resumed)


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def lines(clock):
    return PlainLines(lambda: clock[0])


def test_a_file_is_told_at_its_beginning_every_10_seconds_and_at_its_end(lines, clock, capsys):
    for second in range(0, 21):
        clock[0] = float(second)
        lines(progress(20 * MB * second))
    assert capsys.readouterr().out.splitlines() == [
        "initrd of 4593.2.5: downloading 400.0 MB",
        "initrd of 4593.2.5: 50% of 400.0 MB, 20.0 MB/s, 10 s left",
        "initrd of 4593.2.5: 400.0 MB in 20 s",
    ]


def test_a_resumed_file_says_so_and_its_rate_is_of_what_comes_now(lines, clock, capsys):
    lines(progress(100 * MB, resumed=100 * MB))
    clock[0] = 10.0
    lines(progress(120 * MB, resumed=100 * MB))
    assert capsys.readouterr().out.splitlines() == [
        "initrd of 4593.2.5: going on after 100.0 MB of 400.0 MB",
        "initrd of 4593.2.5: 30% of 400.0 MB, 2.0 MB/s, 2 min 20 s left",
    ]


def test_a_file_of_unknown_length_says_what_has_come(lines, clock, capsys):
    lines(progress(0, total=0))
    clock[0] = 10.0
    lines(progress(5 * MB, total=0))
    assert capsys.readouterr().out.splitlines() == [
        "initrd of 4593.2.5: downloading",
        "initrd of 4593.2.5: 5.0 MB, 500.0 kB/s",
    ]


def test_a_stalled_file_promises_no_end(lines, clock, capsys):
    lines(progress(0))
    clock[0] = 10.0
    lines(progress(0))
    assert capsys.readouterr().out.splitlines()[1] == "initrd of 4593.2.5: 0% of 400.0 MB, 0 bytes/s"


@pytest.mark.parametrize(
    ("event", "out", "err"),
    [
        pytest.param(
            Published(("a", "b"), *VERSION, 8, 408 * MB, "52F145DF", "the subkey has expired since"),
            "image a: 4593.2.5 published: 408.0 MB in 8 files, signed by 52F145DF; the subkey has expired since\n"
            "image b: 4593.2.5 published: 408.0 MB in 8 files, signed by 52F145DF; the subkey has expired since\n",
            "",
            id="published, for each image that boots it",
        ),
        pytest.param(
            UpToDate(("a",), *VERSION), "image a: 4593.2.5 is mirrored and verified already\n", "", id="up to date"
        ),
        pytest.param(
            Retrying(("a",), "4593.2.5", "initrd", "the connection was reset", 2.0),
            "image a: initrd of 4593.2.5 broke off: the connection was reset; again in 2 s\n",
            "",
            id="interrupted",
        ),
        pytest.param(
            Removed(*VERSION, 408 * MB), "stable amd64 4593.2.5 removed from the mirror, 408.0 MB\n", "", id="removed"
        ),
        pytest.param(
            Failed("a", "4593.2.5", "no such file", "4593.2.4"),
            "",
            "image a: 4593.2.5 was not mirrored: no such file; 4593.2.4 goes on being served\n",
            id="failed, with what stays",
        ),
        pytest.param(
            Failed("a", "", "no answer", ""),
            "",
            "image a: not mirrored: no answer; it has nothing to boot yet\n",
            id="failed, with nothing to boot",
        ),
        pytest.param(
            Warned("a", "current went back"), "", "warning: image a: current went back\n", id="a warning"
        ),
    ],
)  # fmt: skip
def test_what_happens_is_a_line_for_each_image(lines, capsys, event, out, err):
    lines(event)
    assert capsys.readouterr() == (out, err)


def test_json_lines_are_the_events(capsys):
    events = [progress(5), Failed("a", "", "no answer", "")]
    for event in events:
        JsonLines()(event)
    assert [from_json(line) for line in capsys.readouterr().out.splitlines()] == events


def test_bars_leave_the_milestones_behind(capsys):
    bars = Bars()
    bars(progress(5))
    bars(progress(400 * MB))
    bars(UpToDate(("a",), *VERSION))
    bars.close()
    assert "image a: 4593.2.5 is mirrored and verified already\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (374_200_000, "374.2 MB"), (5e15, "5000.0 TB")],
)
def test_amounts_are_for_people(size, text):
    assert amount(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
