"""Many machines install themselves on a daemon that is killed on the way: none is lost, none is installed twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import installsite
from benchmarks.crowd import crowd
from pxed.status.records import Attempt, Forget, Standing, State, Write
from pxed.status.store import open_store
from tests.server.test_lifecycle import free_port

MACHINES, AT_ONCE = 150, 64
DONE = Attempt("node1", "b" * 16, 1, 1.0, 2.0, "installed")


class Daemon:
    """`pxed serve`, started again whenever it was killed."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self.deaths = 0

    async def run(self) -> None:
        command = (sys.executable, "-m", "pxed", "serve", "-c", str(self._config))
        with self._config.with_name("log").open("ab") as log:
            while self._process is None or self._process.returncode == -signal.SIGKILL:
                self._process = await asyncio.create_subprocess_exec(*command, stderr=log)
                self.deaths += await self._process.wait() == -signal.SIGKILL

    def kill(self) -> None:
        assert self._process is not None, self._config.with_name("log").read_text()
        os.kill(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()


@asynccontextmanager
async def daemon(config: Path) -> AsyncIterator[Daemon]:
    one = Daemon(config)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.end()
        await running


@pytest.mark.parametrize("state", ["sqlite", "postgresql"])
async def test_no_install_is_lost_or_doubled_when_pxed_is_killed_in_the_middle(
    tmp_path: Path, state: str, request: pytest.FixtureRequest
) -> None:
    url = "sqlite" if state == "sqlite" else request.getfixturevalue("postgres").place()
    port, tftp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    fields = f"http: {{port: {port}}}, dhcp: 'off', tftp: {{port: {tftp}}}, state: '{url}'"
    config = installsite.lay(tmp_path, MACHINES, fields)
    async with daemon(config) as one:

        def progress(done: int) -> None:
            if done == MACHINES // 3:
                one.kill()

        seen = await crowd(f"http://127.0.0.1:{port}", MACHINES, AT_ONCE, "127.1.0.0", progress)
        assert one.deaths == 1
    assert (seen.problems, seen.local, seen.doubled) == ([], MACHINES, 0)
    assert installsite.wrong(tmp_path, MACHINES) == ""


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        pytest.param([Forget(Standing, ("node2",))], "1 machines are local, not 2", id="lost"),
        pytest.param([DONE, replace(DONE, boot="c" * 16)], "node1 was installed 2 times", id="doubled"),
        pytest.param([replace(DONE, outcome="")], "an attempt of node1 is open", id="open"),
        pytest.param([Forget(Attempt, ("node2", "b" * 16))], "1 machines have an attempt that succeeded", id="unheard"),
    ],
)
def test_a_store_that_has_lost_or_doubled_an_install_is_found_out(
    tmp_path: Path, more: Sequence[Write], problem: str
) -> None:
    installsite.lay(tmp_path, 2, "http: {port: 1}")
    store = open_store("sqlite", tmp_path / "data")
    for name in ("node1", "node2"):
        store.write([Standing(name, state=State.LOCAL), replace(DONE, machine=name)])
    assert installsite.wrong(tmp_path, 2) == ""
    store.write(more)
    store.close()
    assert problem in installsite.wrong(tmp_path, 2)
