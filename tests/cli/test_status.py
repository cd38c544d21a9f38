"""`pxed status` as an operator types it: once, as lines, live on a terminal; its exit codes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fleetserver import LOADING, NO_DHCP, RUNNING, STUCK, Daemon, row, serving

PXED = Path(sys.executable).with_name("pxed")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PXED_")} | {"TZ": "UTC"}
WELL = (row("never"), row("up", RUNNING), row("loading", LOADING))


def status(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [PXED, "status", "--server", url, *words]
    return subprocess.run(command, env=CLEAN, capture_output=True, text=True, check=False, timeout=60)


def test_a_pipe_gets_the_table_once_with_stuck_machines_first() -> None:
    with serving(*WELL, row("bad", STUCK)) as daemon:
        done = status(daemon.url)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[0].split() == ["machine", "profile", "stage", "since", "progress", "verdict"]
    assert [line.split()[0] for line in lines[1:]] == ["bad", "loading", "up", "never"]
    assert re.split(r"  +", lines[1]) == ["bad", "worker", "offer", "5 min", NO_DHCP]
    assert re.split(r"  +", lines[2]) == ["loading", "worker", "kernel", "5 s", "50% of 60.0 MB"]


CODES = {
    "nothing is stuck": (WELL, (), 0, "up"),
    "one is stuck": ((*WELL, row("bad", STUCK)), ("--once",), 1, "bad"),
    "only stuck ones, there is one": ((*WELL, row("bad", STUCK)), ("--stuck",), 1, "bad"),
    "only stuck ones, there is none": (WELL, ("--stuck",), 0, "no machine is stuck"),
    "no machine at all": ((), (), 0, "no machine is listed, and none was heard of"),
}


@pytest.mark.parametrize(("rows", "words", "code", "told"), CODES.values(), ids=CODES)
def test_the_exit_code_tells_whether_a_machine_is_stuck(
    rows: tuple[dict[str, object], ...], words: tuple[str, ...], code: int, told: str
) -> None:
    with serving(*rows) as daemon:
        done = status(daemon.url, *words)
    assert (done.returncode, done.stderr) == (code, "")
    assert told in done.stdout


def test_programs_get_every_row_by_its_columns() -> None:
    with serving(*WELL, row("bad", STUCK)) as daemon:
        done, bad = status(daemon.url, "--json"), status(daemon.url, "--json", "--stuck")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["version"]) == (1, 1)
    assert answer["machines"] == [*WELL, row("bad", STUCK)]
    assert json.loads(bad.stdout)["machines"] == [row("bad", STUCK)]


def test_a_daemon_that_cannot_be_asked_is_an_error_of_its_own() -> None:
    with serving() as daemon:
        url = daemon.url
    gone = status(url)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.startswith(f"pxed: no answer from pxed at {url}: Connection refused; is it running?")
    both = status(url, "--once", "--watch")
    assert (both.returncode, both.stderr) == (2, "pxed: either --once or --watch\n")


@contextlib.contextmanager
def watching(daemon: Daemon, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [PXED, "status", "--watch", "--server", daemon.url, *words]
    process = subprocess.Popen(command, env=CLEAN, stdout=-1, stderr=-1, text=True)
    try:
        assert daemon.followed.acquire(timeout=30)
        yield process
    finally:
        process.kill()
        process.communicate()


def said(line: str) -> str:
    """A line without its time."""
    assert re.match(r"\d\d:\d\d:\d\d ", line)
    return line[9:].rstrip()


def test_watching_prints_a_line_for_each_new_stage_and_cause() -> None:
    with serving(row("a", LOADING)) as daemon, watching(daemon) as process:
        assert process.stdout is not None
        daemon.tell(row("a", LOADING, sent=31_000_000))  # no news for people
        daemon.tell(row("a", RUNNING), row("b", STUCK))
        daemon.tell(row("a", RUNNING), gone=("b",))
        lines = [said(process.stdout.readline()) for _ in range(3)]
        assert lines == ["a: kernel", "a: running", f"b: offer: {NO_DHCP}"]
        process.send_signal(signal.SIGINT)
        assert (process.wait(30), process.stdout.read()) == (0, "")


def test_watching_stuck_machines_tells_when_they_are_free() -> None:
    with serving(row("a", LOADING), row("b", STUCK)) as daemon, watching(daemon, "--stuck") as process:
        assert process.stdout is not None
        daemon.tell(row("a", RUNNING))
        daemon.tell(row("b", RUNNING))
        daemon.tell(row("b", LOADING))
        daemon.tell(row("b", STUCK))
        lines = [said(process.stdout.readline()) for _ in range(3)]
    assert lines == [f"b: offer: {NO_DHCP}", "b: running", f"b: offer: {NO_DHCP}"]


def test_watching_as_json_is_one_row_a_line() -> None:
    with serving(row("a", LOADING)) as daemon, watching(daemon, "--json") as process:
        assert process.stdout is not None
        daemon.tell(row("a", LOADING, sent=31_000_000))
        assert [json.loads(process.stdout.readline())["sent"] for _ in range(2)] == [30_000_000, 31_000_000]


def test_watching_goes_on_when_the_stream_breaks() -> None:
    with serving(row("a", LOADING)) as daemon, watching(daemon) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        daemon.rows["a"] = row("a", RUNNING)
        daemon.cut()
        assert [said(process.stdout.readline()) for _ in range(2)] == ["a: kernel", "a: running"]
        assert process.stderr.readline() == f"pxed: the stream of {daemon.url} ended\n"


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    with serving(row("a", LOADING)) as daemon, watching(daemon) as process:
        assert process.stdout is not None
        process.stdout.close()
        daemon.tell(row("a", RUNNING))
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


class Terminal:
    """`pxed status` on a terminal of some size."""

    def __init__(self, daemon: Daemon, *words: str, rows: int = 12, columns: int = 100) -> None:
        self.screen, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(other)
        command = [PXED, "status", "--server", daemon.url, *words]
        told = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        env = {name: value for name, value in (CLEAN | told).items() if value}
        self.process = subprocess.Popen(
            command, env=env, stdin=other, stdout=other, stderr=other, start_new_session=True
        )
        self.other = other
        self.text = ""

    def until(self, words: str) -> str:
        """What was drawn since the last time, up to these words."""
        while words not in self.text:
            self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(self.screen, 65536).decode())
        drawn, _, self.text = self.text.partition(words)
        return drawn

    def press(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.screen)
        os.close(self.other)


@contextlib.contextmanager
def terminal(daemon: Daemon, *words: str) -> Iterator[Terminal]:
    made = Terminal(daemon, *words)
    try:
        yield made
    finally:
        made.close()


def test_a_terminal_has_a_table_that_follows_the_daemon_until_q_is_pressed() -> None:
    with serving(row("a", LOADING)) as daemon, terminal(daemon) as screen:
        drawn = screen.until("50% of 60.0 MB")
        assert f"pxed {daemon.url}: 1 machine, 1 booting" in drawn
        assert daemon.followed.acquire(timeout=30)
        daemon.tell(row("a", STUCK))
        screen.until("1 machine, 1 stuck")
        screen.until(NO_DHCP[:20])
        screen.press("q")
        assert screen.process.wait(30) == 0
        assert termios.tcgetattr(screen.other) == screen.before


def test_keys_choose_stuck_machines_and_move() -> None:
    rows = (row(f"node{n:02}", LOADING) for n in range(40))
    with serving(*rows, row("bad", STUCK)) as daemon, terminal(daemon) as screen:
        screen.until("node00")
        screen.press("\x1b[6~")
        screen.until("node06")
        screen.press("s")
        assert "node" not in screen.until("only what is stuck").rpartition("pxed http")[2]
        screen.process.send_signal(signal.SIGINT)
        assert screen.process.wait(30) == 0
        assert termios.tcgetattr(screen.other) == screen.before


def test_a_terminal_says_when_the_daemon_is_gone() -> None:
    with serving(row("a", LOADING)) as daemon:
        made = Terminal(daemon)
        made.until("1 machine, 1 booting")
        assert daemon.followed.acquire(timeout=30)
    with contextlib.closing(made) as screen:
        screen.until("not live, asked every 2 seconds: ")
        screen.until("Connection refused")
        screen.press("q")
        assert screen.process.wait(30) == 0


def test_once_on_a_terminal_prints_and_ends() -> None:
    with serving(row("a", RUNNING)) as daemon, terminal(daemon, "--once") as screen:
        screen.until("running")
        assert screen.process.wait(30) == 0
