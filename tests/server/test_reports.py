"""Reports by HTTP: each stage of a boot and of an installation, who may report, what a failing store leaves alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pxed.events import Kind
from pxed.status.records import State, Token, Write
from tests.server.booting import SYSTEM_FILE, Machine, Script, files_of, report_url_of, token_of
from tests.server.httpsite import Site, until
from tests.server.installsite import MARKER, SYSTEM_MARKER, booted, installing, machine, order, said
from tests.server.keeper import Keeper


def state(site: Site, name: str) -> State | None:
    standing = site.services.machines.standing(name)
    return standing.state if standing is not None else None


def hashes(site: Site) -> set[str]:
    """Of all tokens that were ever kept."""
    return {write.hash for write in site.keeper.writes if isinstance(write, Token)}


async def reporting(site: Site, name: str) -> tuple[Machine, Script, str]:
    """A machine whose boot was seen, its script, and where it reports."""
    one, script = await booted(site, name)
    return one, script, one.report_url(script.token("report"))


async def installer(site: Site) -> tuple[Machine, str, str]:
    """The machine `flat` in its installer: where it reports, and where the installed system's config is."""
    one, script = await booted(site, "flat")
    config = await one.config(script.token())
    assert config.status == 200
    return one, report_url_of(config.body), files_of(config.body)[SYSTEM_FILE].decode()


async def test_a_whole_installation_from_the_first_script_to_the_disk(tmp_path: Path) -> None:
    """Only the machine's own report moves it on, never a file that it fetched."""
    async with installing(tmp_path) as site:
        one, script = await booted(site, "flat")
        config = await one.config(script.token())
        report, system = report_url_of(config.body), files_of(config.body)[SYSTEM_FILE].decode()
        assert SYSTEM_MARKER.encode() not in config.body
        assert state(site, "flat") is State.WANTED
        assert (await one.report(report, "installing")).status == 200
        assert state(site, "flat") is State.INSTALLING
        own = await one.ask(system)
        assert SYSTEM_MARKER.encode() in own.body
        assert (await one.again(token_of(system))).status == 403
        assert state(site, "flat") is State.INSTALLING
        assert (await one.report(report, "installed")).status == 200
        assert state(site, "flat") is State.INSTALLED
        assert (await one.report(report_url_of(own.body), "running")).status == 200
        assert state(site, "flat") is State.LOCAL
        _, disk = await booted(site, "flat")
        assert disk.way == "disk"
        assert (await one.report(report_url_of(own.body), "running")).status == 200, "it reports at each of its boots"
        assert (await one.report(report, "installing")).status == 403, "the installer's boot is over"
        assert [attempt.outcome for attempt in site.services.machines.attempts("flat")] == ["installed"]


STAGES = {
    "installing": (["installing"], State.INSTALLING),
    "installing twice": (["installing", "installing"], State.INSTALLING),
    "installed": (["installing", "installed"], State.INSTALLED),
    "installed twice": (["installing", "installed", "installed"], State.INSTALLED),
    "installed at once": (["installed"], State.INSTALLED),
    "failed": (["installing", "failed"], State.WANTED),
    "failed twice": (["installing", "failed", "failed"], State.WANTED),
    "alive after all": (["installing", "failed", "installing"], State.INSTALLING),
    "running says nothing of an installation": (["running"], State.WANTED),
}


@pytest.mark.parametrize(("stages", "after"), STAGES.values(), ids=STAGES)
async def test_a_report_moves_the_installation_on(tmp_path: Path, stages: list[str], after: State) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        assert [(await one.report(url, stage, "why")).status for stage in stages] == [200] * len(stages)
        assert state(site, "kick") is after
        assert len(site.services.machines.attempts("kick")) == 1
        boot = site.services.machines.boots("kick")[0]
    assert (boot.reported, boot.message) == (stages[-1], "why")


async def test_failed_after_installed_is_not_counted(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        assert (await one.report(url, "installed")).status == 200
        assert (await one.report(url, "failed")).status == 409
        assert state(site, "kick") is State.INSTALLED


WRONG = {
    "no token": "/report/kick?a=b",
    "an empty token": "/report/kick?token=",
    "a token that was never given out": f"/report/kick?token={'A' * 43}",
    "a token that is too long": f"/report/kick?token={'A' * 2000}",
    "the token of another machine": "/report/kick?token=OTHER",
    "its token at another machine": "/report/silent?token=OWN",
    "no token of a boot that is to report": "/report/telling?a=b",
}


@pytest.mark.parametrize("url", WRONG.values(), ids=WRONG)
async def test_a_report_without_its_token_is_refused_and_said(tmp_path: Path, url: str) -> None:
    async with installing(tmp_path) as site:
        one, script, _ = await reporting(site, "kick")
        _, other, _ = await reporting(site, "silent")
        url = url.replace("OTHER", other.token("report")).replace("OWN", script.token("report"))
        before = [state(site, name) for name in ("kick", "silent", "telling")]
        answer = await one.report(url, "installed")
        assert answer.status == 403
        assert [state(site, name) for name in ("kick", "silent", "telling")] == before
    assert said(site) in ("no-token", "wrong-token", "foreign-token")
    assert not site.bus.of(Kind.INSTALLED)


async def test_the_config_s_token_reports_nothing(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "flat")
        assert (await one.report(one.report_url(script.token()), "installed")).status == 403
        assert state(site, "flat") is State.WANTED


async def test_a_report_of_an_earlier_boot_is_refused(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _, first = await reporting(site, "kick")
        await reporting(site, "kick")
        assert (await one.report(first, "installed")).status == 403
        assert state(site, "kick") is State.WANTED


async def test_a_resident_report_after_the_machine_is_to_be_installed_again_is_not_counted(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, report, system = await installer(site)
        resident = report_url_of((await one.ask(system)).body)
        await one.report(report, "installed")
        assert await order(site, "flat/install") == 200
        assert (await one.report(resident, "running")).status == 403
        assert state(site, "flat") is State.WANTED


async def test_a_report_whose_boot_is_over_while_its_token_counts_is_outdated(tmp_path: Path) -> None:
    """A machine that an operator sends to its disk in the middle of an attempt, then lets install anew."""
    async with installing(tmp_path) as site:
        one, report, system = await installer(site)
        resident = report_url_of((await one.ask(system)).body)
        await one.report(report, "failed", "no network")
        standing = site.services.machines.standing("flat")
        assert standing is not None
        await order(site, "flat/local")
        assert state(site, "flat") is State.LOCAL
        _, again = await booted(site, "flat")
        assert again.way == "disk"
        answer = await one.report(resident, "failed")
    assert answer.status == 409
    assert "Not counted" in answer.text


MEMORY = {
    "a config that carries the token": "reporting",
    "a command line that carries it": "telling",
}


@pytest.mark.parametrize("name", MEMORY.values(), ids=MEMORY)
async def test_a_boot_from_memory_reports_that_it_runs(tmp_path: Path, name: str) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, name)
        if name == "reporting":
            config = await one.config(script.token())
            assert MARKER.encode() in config.body
            url = report_url_of(config.body)
        else:
            url = one.report_url(script.token("report"))
        answer = await one.ask(
            url, "POST", b'{"stage": "running", "message": "up\\u001b[2J"}', Content_Type="application/json"
        )
        assert answer.status == 200
        boot = site.services.machines.boots(name)[0]
    assert (boot.reported, boot.message) == ("running", "up?[2J")
    assert site.bus.of(Kind.RUNNING)


async def test_a_config_that_is_fetched_again_after_a_break_carries_the_same_tokens(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "reporting")
        before = hashes(site)
        (await one.opened(f"/ignition/reporting?token={script.token()}")).close()
        minted = hashes(site) - before
        answer = await one.again(script.token())
        assert (answer.status, len(minted), hashes(site) - before) == (200, 1, minted)
        assert (await one.report(report_url_of(answer.body), "running")).status == 200


async def test_a_machine_that_nothing_guards_reports_without_a_token(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _ = await booted(site, "bare")
        assert (await one.ask("/report/bare", "POST", b'{"stage": "running"}')).status == 200
        assert site.services.machines.boots("bare")[0].reported == "running"


BAD = {
    "no JSON": (b"running", "application/json", 400),
    "another stage": (b'{"stage": "flying"}', "application/json", 400),
    "a list": (b"[]", "application/json", 400),
    "a message that is a number": (b'{"stage": "running", "message": 1}', "application/json", 400),
    "more than 64 KiB": (b'{"stage": "running", "message": "' + b"x" * 70000 + b'"}', "application/json", 413),
}


@pytest.mark.parametrize(("body", "kind", "status"), BAD.values(), ids=BAD)
async def test_a_report_that_says_nothing_changes_nothing(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        before = list(site.keeper.writes)
        assert (await one.ask(url, "POST", body, Content_Type=kind)).status == status
        assert site.keeper.writes == before


async def test_a_report_that_cannot_be_kept_is_asked_for_again_and_has_changed_nothing(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        machines = site.services.machines
        known = (machines.standing("kick"), list(machines.boots("kick")), machines.attempts("kick"))
        site.keeper.failing = True
        for stage in ("installing", "installed", "failed"):
            refused = await one.report(url, stage)
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            assert (machines.standing("kick"), list(machines.boots("kick")), machines.attempts("kick")) == known
        assert not site.bus.of(Kind.INSTALLED)
        site.keeper.failing = False
        assert (await one.report(url, "installed")).status == 200
    assert len(site.bus.of(Kind.INSTALLED)) == 1


async def test_an_order_that_cannot_be_kept_leaves_a_boot_its_tokens(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        site.keeper.failing = True
        assert await order(site, "kick/reset") == 503
        site.keeper.failing = False
        assert (await one.report(url, "installed")).status == 200


class Slow(Keeper):
    """A keeper whose commits take until they are let go, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[asyncio.Future[None]] = []
        self.slow = False

    async def commit(self, *writes: Write) -> None:
        if self.slow:
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            await future
        await super().commit(*writes)


async def test_a_report_that_is_repeated_while_the_first_is_being_kept_is_not_told_that_all_is_well(
    tmp_path: Path,
) -> None:
    """The first one fails in the end: had the second one been taken, the machine would be installed again."""
    keeper = Slow()
    async with installing(tmp_path, keeper=keeper) as site:
        one, _, url = await reporting(site, "kick")
        keeper.slow = True
        first = asyncio.create_task(one.report(url, "installed"))
        await until(lambda: bool(keeper.waiting))
        second = await one.report(url, "installed")
        keeper.slow, keeper.failing = False, True
        keeper.waiting[0].set_result(None)
        assert [(await first).status, second.status] == [503, 503]
        keeper.failing = False
        assert state(site, "kick") is State.WANTED
        assert (await one.report(url, "installed")).status == 200
        standings = [write for write in keeper.writes if getattr(write, "state", None) is State.INSTALLED]
    assert len(standings) == 1


async def test_the_api_shows_the_stage_and_message_of_the_last_report(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, _, url = await reporting(site, "kick")
        await one.report(url, "failed", "no disk\nat all")
        shown = json.loads((await site.ask("/api/v1/machines/kick")).body)
    assert shown["attempts"][0]["reason"] == "no disk | at all"
    assert shown["summary"].startswith("attempt 1 of 3 failed: no disk | at all")
    assert machine(site, "kick").name == "kick"
