"""What is known of a machine follows its MACs through changes of the inventory: no rename installs one again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pxed.status.records import FirstBoot
from tests.server.httpsite import INVENTORY as ROOTED
from tests.server.httpsite import MAC2, serving
from tests.server.installsite import INVENTORY, booted, installing, machine, reload
from tests.server.keeper import Keeper

KICK, SILENT, NEW = "52:54:00:00:01:0c", "52:54:00:00:01:0d", "52:54:00:00:01:99"


async def test_a_mac_that_moves_to_another_name_and_back_during_an_attempt_is_not_installed_again(
    tmp_path: Path,
) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "kick")
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        reload(site, tmp_path, INVENTORY.replace(SILENT, "X").replace(KICK, NEW).replace("X", KICK))
        assert (await booted(site, "silent"))[1].way == "disk"
        assert (await booted(site, "kick"))[1].way == "load", "another machine has that name now"
        reload(site, tmp_path, INVENTORY)
        assert (await booted(site, "kick"))[1].way == "disk"
        kept = site.keeper.restarted().contents.standings
        assert {name: standing.macs for name, standing in kept.items()} == {"kick": (KICK,), NEW: (NEW,)}


async def test_a_machine_with_a_new_nic_keeps_where_it_stands(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "kick")
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        reload(site, tmp_path, INVENTORY.replace(KICK, NEW))
        assert (await booted(site, "kick"))[1].way == "disk"


@pytest.mark.parametrize("install", [True, False], ids=["that was being installed", "that booted from memory"])
async def test_a_machine_that_was_removed_is_listed_once_and_shown_by_its_mac(tmp_path: Path, install: bool) -> None:
    name = "kick" if install else "once"
    async with installing(tmp_path) as site:
        await booted(site, name)
        mac = machine(site, name).mac
        reload(site, tmp_path, "".join(line for line in INVENTORY.splitlines(True) if f"  {name}: {{mac" not in line))
        listed = json.loads((await site.ask("/api/v1/machines")).body)["machines"]
        assert [view["name"] for view in listed if not view["listed"]] == [mac]
        shown = json.loads((await site.ask(f"/api/v1/machines/{mac}")).body)
        assert [boot["machine"] for boot in shown["boots"]] == [mac]
        assert shown["events"], "what was heard of it is still there"


@pytest.mark.parametrize("restarted", [False, True], ids=["while pxed runs", "while pxed was stopped"])
async def test_a_renamed_machine_has_no_second_first_boot_on_its_root(tmp_path: Path, restarted: bool) -> None:
    renamed = ROOTED.replace("  node2: {mac", "  rack2: {mac")
    async with serving(tmp_path, text=ROOTED, keeper=Keeper()) as site:
        await site.ask("/report/node2", "POST", b'{"stage": "running"}')
        keeper = site.keeper.restarted()
        assert keeper.contents.first_boots["node2"].macs == (MAC2,)
        if not restarted:
            reload(site, tmp_path, renamed)
            assert "first_boot=1" not in (await site.ask(f"/boot.ipxe?mac={MAC2}")).text
    if restarted:
        async with serving(tmp_path, text=renamed, keeper=keeper) as site:
            script = (await site.ask(f"/boot.ipxe?mac={MAC2}")).text
            assert "root=LABEL=ROOT" in script
            assert "first_boot=1" not in script


async def test_first_boots_of_an_older_pxed_learn_their_macs_from_the_inventory(tmp_path: Path) -> None:
    keeper = Keeper()
    keeper.contents.first_boots["node2"] = FirstBoot("node2", "LABEL=ROOT", 1.0)
    async with serving(tmp_path, text=ROOTED, keeper=keeper) as site:
        assert site.keeper.restarted().contents.first_boots["node2"].macs == (MAC2,)
