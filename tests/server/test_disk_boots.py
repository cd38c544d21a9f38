"""Machines that boot their disks: whether the installed system reports, why they do, and under which name."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from pxed.events import Kind
from pxed.server.orders import OrderError
from pxed.status.records import Standing, State, Write
from tests.server.booting import SYSTEM_FILE, Machine, files_of, report_url_of
from tests.server.httpsite import Site
from tests.server.installsite import INVENTORY, booted, installing, order, reload, said
from tests.server.keeper import Keeper


async def installed(site: Site) -> str:
    """The machine flat, installed; where its system reports."""
    one, script = await booted(site, "flat")
    config = (await one.config(script.token())).body
    system = files_of(config)[SYSTEM_FILE].decode()
    resident = report_url_of((await one.ask(system)).body)
    assert (await one.report(report_url_of(config), "installed")).status == 200
    return resident


async def test_a_boot_from_the_disk_is_shown_with_the_report_of_its_system(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        resident = await installed(site)
        one, _ = await booted(site, "flat")
        assert site.services.machines.boots("flat")[0].deadline > time.time()
        assert (await one.report(resident, "running", "Linux")).status == 200
        newest, before = site.services.machines.boots("flat")
        assert (newest.way, newest.reported, newest.message) == ("local", "running", "Linux")
        assert (before.way, before.reported) == ("install", "installed")


async def test_an_installed_system_that_does_not_report_is_shown_as_such(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        await installed(site)
        await booted(site, "flat")
        await site.services.progress.tick(site.services.machines.boots("flat")[0].deadline)
        assert said(site) == "no-report"


async def test_no_report_is_awaited_of_a_disk_that_pxed_did_not_write(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        await site.services.operators.local("flat")
        await booted(site, "flat")
        assert [boot.deadline for boot in site.services.machines.boots("flat")] == [0.0]


async def test_a_machine_that_boots_its_disk_after_failures_is_not_said_to_be_held(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "giving")
        assert (await one.report(one.report_url(script.token("report")), "failed", "no disk")).status == 200
        stage = site.services.machines.stage("giving")
        assert stage.startswith("boots its disk since ")
        assert stage.endswith("attempt 1 failed: no disk")
        assert said(site) == "failed"
        texts = [event.text for event in site.bus.of(Kind.STATE)]
        assert "boots its disk all the same: attempt 1 of 1 failed: no disk" in texts


class Slow(Keeper):
    """Lets others go on while it writes."""

    async def commit(self, *writes: Write) -> None:
        await asyncio.sleep(0)
        await super().commit(*writes)


async def test_deadlines_are_noticed_though_an_order_comes_in_between(tmp_path: Path) -> None:
    async with installing(tmp_path, keeper=Slow()) as site:
        for name in ("kick", "silent"):
            await booted(site, name)
        orders = (site.services.operators.reset(name) for name in ("kick", "silent"))
        ended, *results = await asyncio.gather(
            site.services.progress.tick(time.time() + 1e6), *orders, return_exceptions=True
        )
        assert ended is None
        assert sum(isinstance(result, OrderError) for result in results) == 1, "the one whose attempt has just failed"


async def test_a_machine_that_a_group_installed_boots_its_disk_when_it_is_listed(tmp_path: Path) -> None:
    mac = "52:54:00:00:01:1f"
    grouped = f"{INVENTORY}groups: [{{match: {{mac: '{mac}'}}, profile: kick}}]\n"
    listed = INVENTORY.replace("machines:\n", f'machines:\n  adopted: {{mac: "{mac}", profile: kick}}\n')
    async with installing(tmp_path, grouped) as site:
        one = Machine(mac, mac, site.port)
        site.services.seen.boot(mac, time.time())
        assert (await one.report(one.report_url((await one.script()).token("report")), "installed")).status == 200
        reload(site, tmp_path, listed)
        _, script = await booted(site, "adopted")
    assert script.way == "disk"


async def test_a_machine_that_is_not_listed_is_shown_and_can_be_reset_after_a_restart(tmp_path: Path) -> None:
    mac = "52:54:00:00:01:1f"
    keeper = Keeper()
    keeper.contents.standings[mac] = Standing(mac, (mac,), State.FAILED, boot="b" * 16, attempt=3, reason="no disk")
    async with installing(tmp_path, keeper=keeper) as site:
        shown = json.loads((await site.ask("/api/v1/machines")).body)["machines"]
        assert [view["install"]["state"] for view in shown if view["name"] == mac] == ["failed"]
        assert await order(site, f"{mac}/reset") == 200
        assert site.services.machines.standing(mac) is None


@pytest.mark.parametrize("platform", ["pcbios", "efi"])
async def test_a_machine_that_a_group_chose_by_its_architecture_is_known_by_its_boots(
    tmp_path: Path, platform: str
) -> None:
    mac, profile = "52:54:00:00:01:1f", {"pcbios": "kick", "efi": "giving"}[platform]
    groups = "[{match: {arch: x86-bios}, profile: kick}, {match: {arch: x86_64-efi}, profile: giving}]"
    async with installing(tmp_path, f"{INVENTORY}groups: {groups}\n") as site:
        one = Machine(mac, mac, site.port)
        assert await order(site, f"{mac}/install") == 404, "nothing says yet which group it is of"
        site.services.seen.boot(mac, time.time())
        script = await one.script(platform=platform)
        assert (
            await one.report(f"/report/{mac}?token={script.token('report')}&arch=x86-bios", "installing")
        ).status == 200
        shown = json.loads((await site.ask(f"/api/v1/machines/{mac}")).body)
        assert (shown["profile"], shown["summary"][:10]) == (profile, "installing")
        assert await order(site, f"{mac}/local") == 200


async def test_a_group_for_all_does_not_hide_the_one_that_chose_a_machine_by_its_architecture(tmp_path: Path) -> None:
    mac = "52:54:00:00:01:1f"
    groups = "[{match: {arch: x86-bios}, profile: kick}, {match: {mac: '*'}, profile: bare}]"
    async with installing(tmp_path, f"{INVENTORY}groups: {groups}\n") as site:
        site.services.seen.boot(mac, time.time())
        assert (await Machine(mac, mac, site.port).script()).token("report")
        shown = json.loads((await site.ask(f"/api/v1/machines/{mac}")).body)
        assert (shown["profile"], shown["summary"][:20]) == ("kick", "booted for attempt 1")
        assert await order(site, f"{mac}/reset") == 200
        assert await order(site, f"{mac}/install") == 200


async def test_machines_whose_names_are_swapped_keep_what_their_disks_hold(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "kick")
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        kick, silent = "52:54:00:00:01:0c", "52:54:00:00:01:0d"
        reload(site, tmp_path, INVENTORY.replace(kick, "X").replace(silent, kick).replace("X", silent))
        assert [(await booted(site, name))[1].way for name in ("kick", "silent")] == ["load", "disk"]
        after = site.keeper.restarted().contents.standings
        assert {name: standing.macs for name, standing in after.items()} == {"kick": (silent,), "silent": (kick,)}
