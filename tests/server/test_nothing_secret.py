"""A daemon that says all it can has written no token and nothing of a config: to no log, API, error body or file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pxed.status.store.store import open_store
from tests.ports import free_port
from tests.server.booting import SYSTEM_FILE, Machine, Script, files_of, report_url_of, token_of
from tests.server.httpsite import Answer, write_files
from tests.server.installsite import ASSET, MARKER, SCRIPT_ONLY, SERIAL, SYSTEM_MARKER, UUID, write_configs
from tests.server.secrets import STORE, Written, answered, leaks, written_files
from tests.server.standings import BEARER, TOKEN

# A daemon that fails with all it knows in the exception, where a machine's name says so.
FAILING = """
import sys
from pathlib import Path
from pxed.cli.serve import run
from pxed.server.guarded import Guarded
config = Guarded.config
def failing(self, asking, raw, token, *, secure):
    made = config(self, asking, raw, token, secure=secure)
    if asking.match.name == "token":
        raise RuntimeError(f"/ignition/token?token={raw}", raw, token)
    return made
Guarded.config = failing
sys.exit(run(Path(sys.argv[1]), sys.argv[2], "debug"))
"""
NAMES = ("once", "flat", "kick", "telling", "token")
API = (
    *("machines", "boots", "alerts", "fleet", "unknown", "mirror", "network"),
    *(f"machines/{name}{page}" for name in NAMES for page in ("", "/boots", "/preview")),
)


@dataclass
class Spy:
    """Knows every secret that was given out, and everything that came back with an error."""

    port: int
    secrets: set[str] = field(default_factory=lambda: {MARKER, SYSTEM_MARKER, TOKEN})
    boots: set[str] = field(default_factory=set)
    refusals: list[Written] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def machine(self, name: str) -> Machine:
        mac = re.search(rf'  {name}: {{mac: "([^"]+)"', SCRIPT_ONLY)
        assert mac is not None
        return Machine(name, mac[1], self.port)

    async def boot(self, name: str, **facts: str) -> tuple[Machine, Script]:
        one = self.machine(name)
        script = await one.script(**facts)
        self.secrets |= {token for kind in ("config", "archive", "report") if (token := script.token(kind))}
        self.boots |= {script.boot} - {""}
        return one, script

    def heard(self, answer: Answer) -> Answer:
        if answer.status >= 400:
            self.refusals.append(Written(answer.text, f"{answer.headers}{answer.text}".encode()))
        return answer

    async def raw(self, request: str) -> None:
        """A request as it is, whatever comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request.encode())
            self.refusals.append(Written(request, await asyncio.wait_for(reader.read(), 20)))
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def daemon(home: Path, log_format: str) -> AsyncIterator[tuple[Spy, asyncio.subprocess.Process]]:
    write_files(home)
    write_configs(home)
    spy = Spy(free_port(1))
    server = f'interfaces: [lo], dhcp: "off", tftp: {{port: {free_port(2)}}}, data_dir: data'
    (home / "pxed.yaml").write_text(SCRIPT_ONLY.replace("PORT", str(spy.port)).replace("data_dir: data", server))
    command = (sys.executable, "-c", FAILING, str(home / "pxed.yaml"), log_format)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=home, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, stderr=-1, limit=1 << 22
    )
    try:
        yield spy, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def boots(spy: Spy) -> None:
    """Configs, initrds and reports as they are meant, and each once more."""
    for name in ("once", "bound", "reporting", "checked", "token"):
        one, script = await spy.boot(name, serial=SERIAL, uuid=UUID, asset=ASSET)
        config = spy.heard(await one.config(script.token()))
        if name == "reporting":
            spy.secrets.add(token_of(report_url_of(config.body)))
            await one.report(report_url_of(config.body), "running", f"curl {report_url_of(config.body)} works")
        spy.heard(await one.again(script.token()))
        await one.script(script.boot)
    one, script = await spy.boot("packed")
    await one.ask(f"/oem/packed.cpio.gz?token={script.token('archive')}")
    spy.heard(await one.ask(f"/oem/packed.cpio.gz?token={script.token('archive')}"))
    one, script = await spy.boot("telling")
    await one.report(one.report_url(script.token("report")), "running")


async def installations(spy: Spy) -> None:
    """One that works and one that fails, whose log has its URLs in it."""
    one, script = await spy.boot("flat")
    live = await one.config(script.token())
    report, system = report_url_of(live.body), files_of(live.body)[SYSTEM_FILE].decode()
    await one.report(report, "installing")
    own = await one.ask(system)
    spy.heard(await one.again(token_of(system)))
    await one.report(report, "installed")
    await one.report(report_url_of(own.body), "running")
    spy.secrets |= {token_of(url) for url in (report, system, report_url_of(own.body))}
    spy.heard(await one.report(report, "failed", f"too late for {report}"))
    one, script = await spy.boot("kick")
    url = one.report_url(script.token("report"))
    await one.report(url, "failed", f"wget: cannot open {url}: no disk; {script.token('report')}")
    spy.heard(await one.report(url, "flying"))


async def attacks(spy: Spy) -> None:
    """Tokens that count, wherever they do not belong."""
    _, script = await spy.boot("bound")
    token, other = script.token(), spy.machine("once")
    for target in (
        f"/ignition/once?token={token}",
        f"/ignition/{token}?token={token}",
        f"/ignition/bound?token={token}&system={token}",
        f"/report/once?token={token}",
        f"/none/{token}",
        f"/images/live/{token}",
        f"/images/{token}/vmlinuz",
        f"/flatcar/stable/amd64-usr/{token}/version.txt",
        f"/boot.ipxe?mac={token}",
        f"/boot.ipxe?mac={other.mac}&serial={token}&asset={token}&boot={token}",
        f"/api/v1/machines/{token}",
        f"/api/v1/boots?machine={token}&limit={token}",
        f"/boot.ipxe?mac=nonsense&boot={script.boot}",
        f"/%zz?token={token}",
    ):
        spy.heard(await other.ask(target))
    spy.heard(await other.report(f"/report/once?token={token}", "installed"))
    spy.heard(await other.ask(f"/api/v1/machines/once/install?token={token}", "POST", Authorization=f"Bearer {token}"))
    spy.heard(await other.ask("/api/v1/machines/once/next", "POST", token.encode(), Authorization=BEARER))
    spy.heard(await other.ask("/api/v1/machines/nobody/reset", "POST", Authorization=BEARER))
    for line in (f"GET /ignition/bound?token={token} X", f"{token} / HTTP/1.1", f"GET / HTTP/1.1\r\nX {token}: y"):
        await spy.raw(f"{line}\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("log_format", ["text", "json", "journal"])
async def test_nothing_that_the_daemon_writes_opens_anything(tmp_path: Path, log_format: str) -> None:
    async with daemon(tmp_path, log_format) as (spy, process):
        assert process.stderr is not None
        lines = []
        while not lines or not re.search(rb"serving \d+ machines", lines[-1]):
            lines.append(await process.stderr.readline())
            assert lines[-1], b"".join(lines).decode()
        for story in (boots, installations, attacks):
            await story(spy)
        paths = [f"/api/v1/{path}" for path in API]
        api = await asyncio.to_thread(lambda: [*answered(spy.url, paths), *answered(spy.url, paths, TOKEN)])
        process.send_signal(signal.SIGTERM)
        lines.append(await process.stderr.read())
    log = Written("the log", b"".join(lines))
    key = open_key(tmp_path / "data")
    said, files = [log, *api, *spy.refusals], list(written_files(tmp_path / "data"))
    assert b"RuntimeError" in log.content, "the daemon that was to fail did not"
    assert len(spy.secrets) > 15
    assert len(spy.refusals) > 20
    assert {STORE[0]} <= {file.name for file in files}
    assert leaks(spy.secrets, [*said, *files]) == []
    assert leaks([key], [*said, *(file for file in files if file.name not in STORE)]) == []
    assert [one.name for one in said for boot in spy.boots if boot.encode() in one.content] == []


def open_key(data_dir: Path) -> str:
    """What all tokens but the first of each boot are made with."""
    store = open_store("sqlite", data_dir, read_only=True)
    try:
        return store.load().settings["token-key"].value
    finally:
        store.close()
