"""`pxed machines` as an operator types it, against a real server: what it prints, what it orders, its exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from pxed.events import Event, Kind, Level
from pxed.status.records import Alert, Attempt, BootRecord, Standing, State
from tests.server.httpsite import MAC1, STRANGER, Site
from tests.server.standings import HELD, TOKEN, Standings, ordering, write_token

PXED = Path(sys.executable).with_name("pxed")
NOW = time.time()
UTC = {"TZ": "UTC"}
HOST = "10.0.0.9"


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Operator:
    """Somebody at the shell of the daemon's host, in the inventory's directory."""

    site: Site
    standings: Standings
    home: Path

    async def types(self, line: str, **environment: str) -> Done:
        """`pxed machines LINE`, with -c pxed.yaml unless the line names a server."""
        words = line.split()
        named = "PXED_SERVER" in environment or not {"-c", "--server"}.isdisjoint(words)
        return await run(self.home, *words, *([] if named else ["-c", "pxed.yaml"]), **environment)


async def run(home: Path, *words: str, **environment: str) -> Done:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PXED_")}
    process = await asyncio.create_subprocess_exec(
        PXED, "machines", *words, cwd=home, env=clean | UTC | environment, stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Done(process.returncode or 0, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def operating(home: Path) -> AsyncIterator[Operator]:
    """A daemon that keeps some standings, and its inventory as pxed.yaml."""
    standings = Standings()
    standings.rows = {
        "node1": Standing("node1", (MAC1,), State.FAILED, since=NOW - 90, attempt=3, reason="the disk is gone"),
        "node2": Standing("node2", state=State.INSTALLING, since=NOW - 60, attempt=1, deadline=NOW + 600),
    }
    async with ordering(home, standings) as site:
        text = f"server: {{data_dir: data, api_token_file: token, http: {{port: {site.port}}}}}\n"
        machines = "".join(f"  node{n}: {{mac: '52:54:00:00:00:0{n}', profile: disk}}\n" for n in (1, 2, 3, 4))
        (home / "pxed.yaml").write_text(f"{text}profiles: {{disk: {{boot: local}}}}\nmachines:\n{machines}")
        yield Operator(site, standings, home)


def clock(seconds: float) -> str:
    return time.strftime("%H:%M", time.gmtime(seconds))


async def test_list_has_a_row_for_each_machine_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        row = BootRecord("b", "node3", "", HOST, NOW - 800, "plain", "memory", deadline=NOW - 100)
        operator.standings.all_boots = [row]
        operator.standings.rows["node3"] = Standing("node3", next_profile="rooted")
        operator.site.bus.emit(Event(Kind.HELD, NOW, "", STRANGER, "a stranger\x1b[2J"))
        done = await operator.types("list")
    assert (done.code, done.err) == (0, "")
    head, *rows = ([cell.strip() for cell in line.split("  ") if cell] for line in done.out.splitlines())
    assert head == ["machine", "MAC", "profile", "state", "attempt", "since", "last boot", "stage", "verdict"]
    assert rows[0] == ["node1", MAC1, "worker", "held", "3", clock(NOW - 90), "held", "the disk is gone"]
    assert rows[1][:5] == ["node2", "52:54:00:00:00:02", "rooted", "installing", "1"]
    memory = f"memory {clock(NOW - 800)}"
    assert rows[2] == ["node3", "52:54:00:00:00:03", "plain, once rooted", memory, "its last boot has not reported"]
    assert rows[4] == [f"{STRANGER} (not listed)", STRANGER, "-"]


STATES = {
    "failed": ["node1"],
    "installing": ["node2"],
    "none": ["node3", "node4"],
}


@pytest.mark.parametrize(("state", "names"), STATES.items(), ids=STATES)
async def test_list_can_be_of_one_state(tmp_path: Path, state: str, names: list[str]) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types(f"list --state {state} --json")
    assert [view["name"] for view in json.loads(done.out)["machines"]] == names


async def test_list_says_when_nothing_is_in_that_state(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        assert await operator.types("list --state local") == Done(0, "no machine is local\n", "")


async def test_show_tells_everything_in_plain_words(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        keeper = operator.standings
        boot = BootRecord("b", "node1", MAC1, HOST, NOW - 800, "worker", "install", NOW - 100, version="4593.2.5")
        reported = ("running", NOW - 8000, "all well")
        older = BootRecord("a", "node1", MAC1, HOST, NOW - 9000, "worker", "memory", 0.0, *reported)
        keeper.all_boots = [boot, older]
        keeper.all_attempts = [Attempt("node1", "b", 3, NOW - 800, NOW - 100, "failed", "no report", "4593.2.5")]
        keeper.all_alerts = [Alert("a", NOW - 700, "node1", MAC1, "10.0.0.66", "replay", "a spent token came again")]
        event = Event(Kind.TRANSFER, NOW - 750, "node1", MAC1, "sent \x1b[2J", Level.WARNING)
        operator.site.bus.emit(event)
        done = await operator.types("show node1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "node1: failed, in words",
        "  what is wrong: the disk is gone",
        f"  MAC: {MAC1}",
        "  profile: worker",
        f"  installation: held, since {clock(NOW - 90)}, attempt 3",
        "attempts to install:",
        f"  3 of 4593.2.5: began {clock(NOW - 800)}, until {clock(NOW - 100)}, failed: no report",
        "boots:",
        f"  {clock(NOW - 800)} install, profile worker, 4593.2.5, from {HOST}, has not reported by {clock(NOW - 100)}",
        f"  {clock(NOW - 9000)} memory, profile worker, from {HOST}, reported running {clock(NOW - 8000)} (all well)",
        "alerts:",
        f"  {clock(NOW - 700)} replay: a spent token came again (from 10.0.0.66)",
        "events:",
        f"  {clock(NOW - 750)} transfer: warning: sent ?[2J",
    ]


async def test_show_of_a_machine_that_is_none_is_refused(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types("show nobody")
    assert done == Done(1, "", "pxed: There is no machine 'nobody' in the inventory.\n")


ORDERS: dict[str, tuple[str, list[tuple[str, ...]], str]] = {
    "install one": ("install node3", [("install", "node3", "")], "node3: wanted, in words\n"),
    "install several": (
        "install node3 node2 node3",
        [("install", "node3", ""), ("install", "node2", "")],
        "node3: wanted, in words\nnode2: wanted, in words\n",
    ),
    "install with another profile": (
        "install node3 --profile rooted",
        [("install", "node3", "rooted")],
        "node3: wanted, in words\n",
    ),
    "install by MAC": (f"install {MAC1}", [("install", "node1", "")], "node1: wanted, in words\n"),
    "install all that have an installation": (
        "install --all --yes",
        [("install", "node1", ""), ("install", "node2", "")],
        "node1: wanted, in words\nnode2: wanted, in words\n",
    ),
    "boot the disk": ("local node2", [("local", "node2")], "node2: local, in words\n"),
    "forget": ("reset node2", [("reset", "node2")], "node2: done\n"),
    "boot once": ("next node3 --profile plain", [("next", "node3", "plain")], "node3: boots plain once\n"),
    "do not boot once": ("next node3 --clear", [("next", "node3", "")], "node3: done\n"),
}


@pytest.mark.parametrize(("line", "orders", "out"), ORDERS.values(), ids=ORDERS)
async def test_an_order_is_given_and_answered(
    tmp_path: Path, line: str, orders: list[tuple[str, ...]], out: str
) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types(line)
    assert done == Done(0, out, "")
    assert operator.standings.orders == orders


async def test_an_order_can_print_the_new_views_as_json(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types("install node3 node2 --json")
    views = json.loads(done.out)["machines"]
    assert [(view["name"], view["install"]["state"]) for view in views] == [("node3", "wanted"), ("node2", "wanted")]


async def test_one_refused_order_does_not_keep_the_others_back(tmp_path: Path) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types(f"install {HELD} node3")
    assert done == Done(1, "node3: wanted, in words\n", f"{HELD}: {HELD} has no image to install.\n")


BAD_USE = {
    "no name": ("install", "install needs the name of a machine, or --all"),
    "names and --all": ("install node1 --all --yes", "either names or --all"),
    "--all without --yes": ("local --all", "local --all means 2 machines at URL: say --yes if that is meant"),
    "next without a profile": ("next node1", "next needs --profile NAME, or --clear to take a one-shot boot back"),
    "next with a profile and --clear": ("next node1 --clear --profile plain", "next needs --profile NAME, or --clear"),
    "next without a name": ("next --clear", "next needs the name of a machine"),
    "a state that is none": (
        "list --state broken",
        "--state 'broken' is none of wanted, installing, installed, local, failed, none",
    ),
    "a server that is no URL": (
        "list --server pxe1",
        "--server 'pxe1' is no URL of a pxed, such as http://10.0.0.2:8080",
    ),
    "a port that is none": ("list --server http://pxe1:a", "--server 'http://pxe1:a' is no URL of a pxed"),
    "a token file that is not there": (
        "install node1 --token-file gone",
        "the token's file gone cannot be read: No such file or directory",
    ),
    "an inventory that is not there": (
        "list -c gone.yaml --",
        "which daemon is meant is not known: name the inventory",
    ),
}


@pytest.mark.parametrize(("line", "sentence"), BAD_USE.values(), ids=BAD_USE)
async def test_bad_use_is_told_and_nothing_is_ordered(tmp_path: Path, line: str, sentence: str) -> None:
    async with operating(tmp_path) as operator:
        done = await operator.types(line)
        assert (done.code, done.out) == (2, "")
        assert f"pxed: {sentence.replace('URL:', operator.site.url + ':')}" in done.err
    assert operator.standings.orders == []


TOKENS: dict[str, tuple[str, dict[str, str], Done]] = {
    "the inventory's": ("install node3", {}, Done(0, "node3: wanted, in words\n", "")),
    "a file on the command line": (
        "install node3 --server {url} --token-file other",
        {},
        Done(0, "node3: wanted, in words\n", ""),
    ),
    "a file and a server of the environment": (
        "install node3",
        {"PXED_SERVER": "{url}/", "PXED_API_TOKEN_FILE": "other"},
        Done(0, "node3: wanted, in words\n", ""),
    ),
    "none is sent to a server that is only named": (
        "install node3 node2 --server {url}",
        {},
        Done(1, "", "node3: This changes something and needs the API's token, in a header as RFC 6750 has it\n"),
    ),
    "a wrong one": (
        "install node3 node2 --token-file wrong",
        {},
        Done(1, "", "node3: This is not the API's token.\n"),
    ),
}


@pytest.mark.parametrize(("line", "environment", "expected"), TOKENS.values(), ids=TOKENS)
async def test_whose_token_is_shown(tmp_path: Path, line: str, environment: dict[str, str], expected: Done) -> None:
    write_token(tmp_path / "other")
    write_token(tmp_path / "wrong", f"{TOKEN}0")
    async with operating(tmp_path) as operator:
        url = operator.site.url
        environment = {name: value.format(url=url) for name, value in environment.items()}
        assert await operator.types(line.format(url=url), **environment) == expected


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_a_daemon_that_is_not_there_is_told_with_what_was_tried(tmp_path: Path, silent: int) -> None:
    done = await run(tmp_path, "list", "--server", f"http://127.0.0.1:{silent}")
    sentence = f"no answer from pxed at http://127.0.0.1:{silent}: Connection refused; is it running?"
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"pxed: {sentence}")


async def test_what_answers_but_is_no_pxed_is_told(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n<html>")
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        done = await run(tmp_path, "list", "--server", url)
    assert done == Done(2, "", f"pxed: what answers at {url} is no pxed: its answer is no JSON\n")


COMPLETIONS = {"pxed machines show -c pxed.yaml node": ["node1", "node2", "node3", "node4"], "pxed machines show x": []}


@pytest.mark.parametrize(("typed", "names"), COMPLETIONS.items(), ids=["from the inventory", "without an inventory"])
async def test_the_shell_completes_names(tmp_path: Path, typed: str, names: list[str]) -> None:
    async with operating(tmp_path):
        told = {"_PXED_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        process = await asyncio.create_subprocess_exec(PXED, cwd=tmp_path, env=os.environ | told, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (out.decode().split(), err) == (names, b"")
