"""docs/reference/api.md: each request of the page gets the answer that stands below it, and each command works."""

from __future__ import annotations

import json
import re
import subprocess
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pxed.events import Event, Kind, Value
from pxed.server.auth import Auth
from pxed.status.records import Alert, Attempt, BootRecord, Standing, State
from tests.server.httpsite import Site, serving
from tests.server.standings import Standings, write_token

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
STRANGER = "02:00:00:00:00:99"
ASKED: dict[str, Value] = {
    "interface": "eth1", "arch": "x86_64-efi", "uuid": "444c4c45510010358053b4c04f564433", "serial": "7CV2",
    "wanted": True,
}  # fmt: skip
REQUESTS = re.findall(r"^```http\nGET (\S+)\n```\n\n```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
T, MAC = 1790000000.0, "52:54:00:00:00:01"
INVENTORY = """
server: {data_dir: data, api_token_file: token, http: {port: PORT}}
images: {flatcar: {flatcar: {channel: stable}}, rescue: {kernel: r/vmlinuz}}
profiles:
  worker: {image: flatcar, boot: install, install: {disk: /dev/sda}}
  rescue: {image: rescue}
machines:
  node1: {mac: "52:54:00:00:00:01", serial: 7CV1, profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: rescue}
"""


def standings() -> Standings:
    """node1 is in its second attempt; node2 was never seen."""
    kept = Standings()
    ways = (MAC, "10.0.0.21")
    first = BootRecord("first", "node1", *ways, T - 2400, "worker", "install", T - 600, "installing", T - 2300)
    second = BootRecord("second", "node1", *ways, T - 90, "worker", "install", T + 1710, "installing", T, "fetching")
    kept.all_boots = [second, first]
    kept.all_attempts = [
        Attempt("node1", "second", 2, T - 90, version="4593.2.5"),
        Attempt("node1", "first", 1, T - 2400, T - 500, "failed", "no report for 30 minutes", "4593.2.5"),
    ]
    row = Standing("node1", state=State.INSTALLING, since=T - 90, attempt=2, deadline=T + 1800, version="4593.2.5")
    kept.rows = {"node1": row}
    text = "GET /ignition/node1 with a spent token was refused"
    kept.all_alerts = [Alert("19f2c6a40f000001", T - 2200, "node1", MAC, "10.0.0.66", "replay", text)]
    kept.stage = lambda name: "installing, attempt 2 of 3" if name == "node1" else ""  # type: ignore[method-assign]
    return kept


@asynccontextmanager
async def site_of_the_page(home: Path, target: str = "") -> AsyncIterator[Site]:
    write_token(home / "token")
    async with serving(home, text=INVENTORY, machines=standings(), auth=Auth()) as site:
        text = "the machine reports: installing: fetching"
        site.bus.emit(Event(Kind.INSTALLING, T, "node1", MAC, text, data={"profile": "worker"}))
        if target == "/api/v1/unknown":
            site.bus.emit(Event(Kind.IGNORED, T - 1000, "", STRANGER, "not listed", data=ASKED))
        yield site


@pytest.mark.parametrize(("target", "answer"), REQUESTS, ids=[target for target, _ in REQUESTS])
async def test_each_request_gets_the_answer_below_it(tmp_path: Path, target: str, answer: str) -> None:
    async with site_of_the_page(tmp_path, target) as site:
        given = await site.ask(target)
    assert json.loads(given.body) == json.loads(answer)


async def test_the_commands_work_one_after_the_other(tmp_path: Path) -> None:
    assert [line.split()[0] for line in COMMANDS] == ["umask", "curl", "curl"]
    async with site_of_the_page(tmp_path) as site:
        (tmp_path / "token").unlink()
        for line in COMMANDS:
            command = line.replace("http://10.0.0.2:8080", site.url)
            done = await to_thread(
                subprocess.run, ["sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            assert "curl" not in line or json.loads(done.stdout)["listed"]
