"""The daemon is killed at every write of the state store, before and after it: nothing is lost, repeated or invented.

A machine repeats what was not answered, as iPXE, Ignition and pxed's own scripts do, and so does an operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.postgres import Postgres
from tests.ports import free_port
from tests.server.booting import SYSTEM_FILE, Machine, files_of, report_url_of
from tests.server.httpsite import Answer
from tests.server.installsite import write_configs
from tests.server.standings import BEARER

ROOT = Path(__file__).parent.parent.parent
INVENTORY = """
server:
  interfaces: [lo]
  data_dir: data
  state: "STATE"
  dhcp: "off"
  script_only: true
  api_token_file: token
  tftp: {port: TFTP}
  http: {port: HTTP}
images:
  live: {kernel: r/vmlinuz}
  flatcar: {flatcar: {channel: stable}}
profiles:
  flat: {image: flatcar, boot: install, report: true, install: {disk: /dev/vda, ignition: system.ign}}
  kick: {image: live, boot: install}
  rescue: {image: live, report: true}
machines:
  flat: {mac: "52:54:00:00:01:0b", profile: flat}
  kick: {mac: "52:54:00:00:01:0c", profile: kick}
"""


@dataclass
class Killing:
    """One inventory's daemons, one after the other."""

    process: asyncio.subprocess.Process
    home: Path
    port: int = 0
    writes: int = 0
    deaths: int = 0
    pid: int = 0
    last: str = ""  # what the log said at its end

    async def start(self, at: int = 0, when: str = "") -> None:
        """A daemon that is ready, or was killed before that, which begins another one."""
        assert self.process.stdin is not None
        order = {"config": str(self.home / "pxed.yaml"), "at": at, "when": when}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        if not await self._read("ready"):
            assert at, f"it does not start: {self.last}"
            self.deaths += 1
            await self.start()

    async def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert not await self._read("ended")

    async def survive(self) -> None:
        """It was killed: the next one lives."""
        assert not await self._read("nothing that it says"), "it breaks connections off, and lives"
        self.deaths += 1
        await self.start()

    async def _read(self, what: str) -> bool:
        """Read its log up to an event of this kind; False when it has ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stdout.readline()).decode():
                if line == "ended\n":
                    return False
                self.last = line
                if line.startswith("started"):
                    self.pid = int(line.split()[1])
                self.writes += line == "written\n"
                if f'"kind": "{what}"' in line:
                    return True
        raise AssertionError("the starter of daemons has ended")


@contextlib.asynccontextmanager
async def killing(home: Path) -> AsyncIterator[Killing]:
    """A starter of daemons for an inventory in `home`."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.server.killing",
        cwd=ROOT,
        env=environment,
        stdin=-1,
        stdout=-1,
        limit=1 << 20,
        start_new_session=True,
    )
    try:
        yield Killing(process, home)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with a daemon that lives
        await process.communicate()


@dataclass
class World:
    """A machine and its disk, and an operator, who meet daemons that may be killed at any time."""

    daemon: Killing
    machine: Machine
    disk: str = ""
    written: int = 0  # times that an installer has written it
    confirmed: int = 0  # times that the machine began to report `installed`
    failing: bool = False  # its installer fails
    loads: list[str] = field(default_factory=list)

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """Until it is answered."""
        async with asyncio.timeout(20):
            while True:
                try:
                    answer = await self.machine.ask(target, method, body, **headers)
                except (OSError, EOFError):
                    await self.daemon.survive()
                    await self.check()
                    continue
                if answer.status != 503:
                    return answer

    async def check(self) -> None:
        """What the new daemon knows is no more than what the machine has said."""
        shown = await self.shown()
        if not self.confirmed and not shown["install"]["ordered"]:
            assert shown["install"]["state"] not in ("installed", "local"), "installed, and nobody said so"

    async def shown(self) -> dict[str, Any]:
        return dict(json.loads((await self.ask(f"/api/v1/machines/{self.machine.name}")).body))

    async def order(self, what: str, body: bytes = b"") -> None:
        answer = await self.ask(f"/api/v1/machines/{self.machine.name}/{what}", "POST", body, Authorization=BEARER)
        assert answer.status == 200, answer.text

    async def boot(self) -> str:
        """From its ROM to where it comes to rest: `disk`, `held`, `failed`, `installed`, `rescue`."""
        boot = ""
        for _ in range(50):
            again = f"&boot={boot}" if boot else ""
            query = f"mac={self.machine.mac}&arch=x86_64&platform=pcbios{again}"
            text = (await self.ask(f"/boot.ipxe?{query}")).text
            found = re.search(r"&boot=([0-9a-f]{16})", text)
            boot = found[1] if found else ""
            if "boots its local disk" in text:
                return "disk"
            if "no more are made" in text:
                return "held"
            if "\nkernel " in text:
                return await self._loaded(text)
        raise AssertionError(f"it never boots: {text}")

    async def _loaded(self, script: str) -> str:
        found = re.search(r"pxed\.report=http://[^/]+(\S+)", script)
        if "profile rescue" in script:
            assert found is not None
            await self._report(found[1], "running")
            return "rescue"
        if found is not None:
            return await self._install(found[1], "")
        url = re.search(r"ignition\.config\.url=http://[^/]+(\S+)", script)
        assert url is not None
        live = await self.ask(url[1])
        assert live.status == 200, live.text
        return await self._install(report_url_of(live.body), files_of(live.body)[SYSTEM_FILE].decode())

    async def _install(self, report: str, system: str) -> str:
        await self._report(report, "installing")
        if self.failing:
            await self._report(report, "failed")
            return "failed"
        own = await self.ask(system) if system else None
        assert own is None or own.status == 200
        self.written += 1
        self.disk = report_url_of(own.body) if own is not None else ""
        self.confirmed += 1
        await self._report(report, "installed")
        return "installed"

    async def _report(self, url: str, stage: str) -> None:
        answer = await self.ask(f"{url}&stage={stage}", "POST", b"why")
        assert answer.status == 200, answer.text


async def installation(world: World) -> None:
    """Installed once; each boot after that is from the disk."""
    assert [await world.boot() for _ in range(3)] == ["installed", "disk", "disk"]
    if world.disk:
        await world._report(world.disk, "running")
    shown = await world.shown()
    assert (world.written, world.confirmed) == (1, 1)
    assert outcomes(shown).count("installed") == 1
    assert shown["install"]["state"] == "local"


async def failures(world: World) -> None:
    """Held after three attempts, and not before."""
    world.failing = True
    rests = [await world.boot()]
    while rests[-1] != "held":
        rests.append(await world.boot())
    shown = await world.shown()
    assert shown["install"]["held"]
    assert outcomes(shown) == ["failed"] * 3
    assert rests.count("failed") == 3 or (world.daemon.deaths and rests.count("failed") == 2)


async def orders(world: World) -> None:
    """What an operator was told is done, once."""
    await world.order("local")
    assert await world.boot() == "disk"
    await world.order("install")
    assert [await world.boot() for _ in range(2)] == ["installed", "disk"]
    await world.order("next", b'{"profile": "rescue"}')
    assert [await world.boot() for _ in range(2)] == ["rescue", "disk"]
    await world.order("reset")
    assert await world.boot() == "installed"
    shown = await world.shown()
    assert (world.written, outcomes(shown).count("installed")) == (2, 2)


def outcomes(shown: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in shown["attempts"]]


Story = Callable[[World], Awaitable[None]]
STORIES: dict[str, tuple[str, str, Story]] = {
    "an installation": ("SQLite", "flat", installation),
    "three failures": ("SQLite", "kick", failures),
    "orders": ("SQLite", "kick", orders),
    "an installation, with PostgreSQL": ("PostgreSQL", "kick", installation),
}


async def lived(daemon: Killing, state: str, name: str, story: Story, at: int, when: str) -> bool:
    """A story with a daemon that dies at one of its writes; whether it came to that."""
    home = daemon.home
    daemon.writes, daemon.deaths = 0, 0
    daemon.port = free_port(1)
    text = INVENTORY.replace("STATE", state).replace("HTTP", str(daemon.port)).replace("TFTP", str(free_port(2)))
    (home / "pxed.yaml").write_text(text)
    mac = re.search(rf'{name}: {{mac: "([^"]+)"', text)
    assert mac is not None
    await daemon.start(at, when)
    await story(World(daemon, Machine(name, mac[1], daemon.port)))
    await daemon.end()
    return bool(daemon.deaths)


@pytest.mark.parametrize(("store", "name", "story"), STORIES.values(), ids=STORIES)
async def test_killed_at_every_write(tmp_path: Path, postgres: Postgres, store: str, name: str, story: Story) -> None:
    async with killing(tmp_path) as daemon:
        for at in range(1, 100):
            died = []
            for when in ("before", "after"):
                daemon.home = tmp_path / f"{at}-{when}"
                daemon.home.mkdir()
                write_configs(daemon.home)
                (daemon.home / "data/images/r").mkdir(parents=True)
                (daemon.home / "data/images/r/vmlinuz").write_bytes(b"kernel")
                state = postgres.place() if store == "PostgreSQL" else "sqlite"
                died.append(await lived(daemon, state, name, story, at, when))
            if not any(died):
                break
    assert at > 6, "the daemon hardly wrote anything"
