"""What is known of a machine follows its MACs through changes of the inventory: no rename installs one again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from pxed.boot.endpoint import Endpoint
from pxed.events import Kind
from pxed.server.callers import Caller
from pxed.status.records import BootRecord, FirstBoot, Forget, Purpose, Standing, State, Write
from tests.server.booting import Machine
from tests.server.httpsite import INVENTORY as ROOTED
from tests.server.httpsite import MAC2, serving, until
from tests.server.installsite import INVENTORY, UUID, booted, installing, machine, reload
from tests.server.keeper import Keeper


class Noting(Keeper):
    """Knows what was written together."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[tuple[Write, ...]] = []

    def later(self, *writes: Write) -> None:
        self.together.append(writes)
        super().later(*writes)


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
        [said] = [event for event in site.bus.of(Kind.NOTICE) if event.machine == "kick"]
        assert f"listed with {NEW} now instead of {KICK}" in said.text
        assert "pxed machines reset kick" in said.text
        reload(site, tmp_path, INVENTORY.replace(f'"{KICK}"', f'["{NEW}", "{KICK}"]'))
        assert len([event for event in site.bus.of(Kind.NOTICE) if event.machine == "kick"]) == 1, "one more NIC"


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


async def test_a_machine_that_is_renamed_while_its_config_is_on_the_way_keeps_its_token_and_its_first_boot(
    tmp_path: Path,
) -> None:
    before = INVENTORY.replace("  once: {image: live,", "  once: {image: live, root: LABEL=ROOT,")
    async with installing(tmp_path, before, filler=4 << 20) as site:
        one, script = await booted(site, "once")
        sock = await one.opened(f"/ignition/once?token={script.token()}")
        reload(site, tmp_path, before.replace("  once: {mac", "  rack1: {mac"))
        while await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
            pass
        sock.close()
        await until(lambda: site.services.access.is_spent("rack1", script.boot, Purpose.CONFIG))
        assert {token.machine for token in site.keeper.restarted().contents.tokens.values()} == {"rack1"}
        await until(lambda: site.services.first_boots.done("rack1", "LABEL=ROOT"))
        for _ in range(2):
            assert (await booted(site, "rack1"))[1].way == "load"


async def test_a_report_to_the_name_that_another_machine_has_by_now_is_of_the_one_that_had_it(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        (one, script), (other, foreign) = await booted(site, "kick"), await booted(site, "silent")
        swapped = INVENTORY.replace("  kick: {mac", "  X: {mac").replace("  silent: {mac", "  kick: {mac")
        reload(site, tmp_path, swapped.replace("  X: {mac", "  silent: {mac"))
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        for name, state in (("kick", State.WANTED), ("silent", State.INSTALLED)):
            standing = site.services.machines.standing(name)
            assert standing is not None
            assert (name, standing.state) == (name, state)
        assert (await other.report(other.report_url(foreign.token("report")), "installed")).status == 200
        third, script = await booted(site, "giving")
        token = script.token("report")
        assert (await third.report(f"/report/kick?token={token}", "installed")).status == 403, "it never had that name"


async def test_a_machine_that_is_renamed_while_its_report_arrives_is_heard(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        _, script = await booted(site, "kick")
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        target = f"/report/kick?token={script.token('report')}&stage=installed"
        writer.write(f"POST {target} HTTP/1.1\r\nHost: pxed\r\nContent-Length: 4\r\n\r\ndo".encode())
        await writer.drain()
        await site.ask("/healthz")  # the head was read by then
        reload(site, tmp_path, INVENTORY.replace("  kick: {mac", "  rack1: {mac"))
        writer.write(b"ne")
        assert b" 200 " in await reader.readline()
        writer.close()
        standing = site.services.machines.standing("rack1")
        assert standing is not None
        assert standing.state is State.INSTALLED
        assert site.services.machines.boots("rack1")[0].reported == "installed"


async def test_a_machine_that_is_renamed_while_its_config_is_made_gets_it(tmp_path: Path) -> None:
    renamed = INVENTORY.replace("  reporting: {mac", "  rack1: {mac")
    async with installing(tmp_path) as site:
        _, script = await booted(site, "reporting")
        access = site.services.access
        raw = script.token()
        token = next(token for token in access.of("reporting") if token.purpose is Purpose.CONFIG)
        report, row = access.derive(raw, token, Purpose.REPORT, 60.0, False)
        reload(site, tmp_path, renamed)
        await access.begin(token, Caller("127.0.0.1", Endpoint("127.0.0.1")), row)
        assert {known.machine for known in access.of("rack1")} == {"rack1"}
        assert access.is_for(report, "rack1", frozenset({Purpose.REPORT}))


@pytest.mark.parametrize("number", [f"uuid: {UUID}", "serial: 'S 1'"], ids=["by its UUID", "by its serial number"])
@pytest.mark.parametrize("restarted", [False, True], ids=["while pxed runs", "while pxed was stopped"])
async def test_a_machine_that_is_listed_without_a_mac_is_not_installed_again_by_another_name(
    tmp_path: Path, number: str, restarted: bool
) -> None:
    facts = {"uuid": UUID, "serial": "S 1"}
    own = "".join(line for line in INVENTORY.splitlines(True) if "  checked: {mac" not in line)
    before = f"{own}  bare1: {{{number}, profile: kick}}\n"
    after = before.replace("  bare1: {", "  rack1: {")
    async with installing(tmp_path, before) as site:
        one = Machine("bare1", NEW, site.port)
        site.services.seen.boot("bare1", time.time())
        script = await one.script(**facts)
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        keeper = site.keeper.restarted()
        assert site.bus.of(Kind.STATE)[-1].mac == ""
        if not restarted:
            reload(site, tmp_path, after)
            assert (await one.script(**facts)).way == "disk"
            reload(site, tmp_path, before)
            assert (await one.script(**facts)).way == "disk"
    if restarted:
        async with installing(tmp_path, after, keeper=keeper) as site:
            assert (await Machine("rack1", NEW, site.port).script(**facts)).way == "disk"


async def test_machines_that_are_renamed_are_written_at_once(tmp_path: Path) -> None:
    """A power cut between the end of the old rows and the new ones would have them installed again."""
    async with installing(tmp_path, keeper=Noting()) as site:
        for name in ("kick", "silent"):
            await booted(site, name)
        assert isinstance(site.keeper, Noting)
        site.keeper.together.clear()
        reload(
            site, tmp_path, INVENTORY.replace("  kick: {mac", "  rack1: {mac").replace("  silent: {mac", "  kick: {mac")
        )
        [written] = [writes for writes in site.keeper.together if any(isinstance(w, Standing) for w in writes)]
        assert {write.machine for write in written if isinstance(write, Standing)} == {"rack1", "kick"}
        assert Forget(Standing, ("silent",)) in written


async def test_a_first_boot_of_an_older_pxed_is_found_by_the_mac_that_booted(tmp_path: Path) -> None:
    keeper = Keeper()
    keeper.contents.first_boots["node2"] = FirstBoot("node2", "LABEL=ROOT", 1.0)
    keeper.contents.boots.append(BootRecord("b" * 16, "node2", MAC2, "", 1.0, "rooted", "memory"))
    renamed = ROOTED.replace("  node2: {mac", "  rack2: {mac")
    async with serving(tmp_path, text=renamed, keeper=keeper) as site:
        assert "first_boot=1" not in (await site.ask(f"/boot.ipxe?mac={MAC2}")).text


@pytest.mark.parametrize("former", ["a", "rack1"], ids=["its own former name", "that of another one, which it gets"])
async def test_boots_that_the_store_still_has_by_a_former_name_take_nothing_from_a_machine(
    tmp_path: Path, former: str
) -> None:
    mac = KICK if former == "a" else SILENT
    keeper = Keeper()
    keeper.contents.boots.append(BootRecord("a" * 16, former, mac, "", 1.0, "kick", "local", ended=2.0))
    keeper.contents.boots.append(BootRecord("b" * 16, "kick", KICK, "", 3.0, "kick", "local"))
    keeper.contents.standings["kick"] = Standing("kick", (KICK,), State.LOCAL)
    keeper.contents.standings["silent"] = Standing("silent", (SILENT,), State.LOCAL)
    async with installing(tmp_path, INVENTORY.replace("  kick: {mac", "  rack1: {mac"), keeper) as site:
        assert (await booted(site, "rack1"))[1].way == "disk"
        assert (await booted(site, "silent"))[1].way == "disk"


async def test_first_boots_of_an_older_pxed_learn_their_macs_from_the_inventory(tmp_path: Path) -> None:
    keeper = Keeper()
    keeper.contents.first_boots["node2"] = FirstBoot("node2", "LABEL=ROOT", 1.0)
    async with serving(tmp_path, text=ROOTED, keeper=keeper) as site:
        assert site.keeper.restarted().contents.first_boots["node2"].macs == (MAC2,)
