"""Machines ask for their scripts: which boot that is, who gets secrets, and what each course looks like to iPXE."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.boot.decide import Ignore, Offer
from pxed.boot.endpoint import Endpoint
from pxed.events import Kind
from pxed.probe.oracles.clients import bios_rom
from pxed.server.respond import respond
from pxed.status.records import BootRecord, Purpose, State, Token
from tests.server.booting import Machine
from tests.server.httpsite import Site, until
from tests.server.installsite import (
    ASSET,
    INVENTORY,
    SCRIPT_ONLY,
    SERIAL,
    UUID,
    booted,
    installing,
    machine,
    order,
    reload,
    said,
)

HARDWARE = {"serial": SERIAL, "uuid": UUID, "asset": ASSET}
GUARDED = ("once", "token", "reporting", "telling", "packed", "bound", "flat", "kick", "silent", "giving")
FREE = ("open", "bare", "elsewhere")


def tokens(site: Site) -> list[Token]:
    return [write for write in site.keeper.writes if isinstance(write, Token)]


@pytest.mark.parametrize("name", GUARDED)
async def test_a_boot_that_was_not_seen_is_told_to_show_itself_and_changes_nothing(tmp_path: Path, name: str) -> None:
    async with installing(tmp_path) as site:
        before = list(site.keeper.writes)
        first = await machine(site, name).script()
        second = await machine(site, name).script(announced="1")
        assert (first.way, first.boot, second.boot) == ("announce", "", "")
        assert (site.keeper.writes[len(before) :], site.services.machines.boots(name)) == (
            list(site.services.alerts.of(name)),
            (),
        )
    assert said(site) == "unseen"
    assert "does not see this machine's DHCP" in second.text


@pytest.mark.parametrize("announced", [{}, {"announced": "1"}], ids=["at once", "when it shows itself again"])
async def test_a_boot_whose_relay_does_not_count_is_told_which_one_that_is(
    tmp_path: Path, announced: dict[str, str]
) -> None:
    why = "its DHCP came by relay 10.2.0.1, which is not in server.relays"
    async with installing(tmp_path) as site:
        site.services.seen.refuse("once", why, time.time())
        script = await machine(site, "once").script(**announced)
        (alert,) = site.services.alerts.of("once")
        refused = site.bus.of(Kind.REFUSED)[-1]
        _, seen = await booted(site, "once")
        later = await machine(site, "once").script()
    assert (script.way, script.token()) == ("announce", "")
    assert f"echo pxed: once: {why}" in script.text
    assert (alert.what, alert.text) == ("relay", f"127.0.0.1 asks for the script of once, but {why}")
    assert why in refused.text
    assert seen.token(), "the machine's own DHCP counts all the same"
    assert why not in later.text, "and ends what was said of the other"


@pytest.mark.parametrize("name", FREE)
async def test_what_holds_no_secret_is_given_to_whoever_asks(tmp_path: Path, name: str) -> None:
    async with installing(tmp_path) as site:
        script = await machine(site, name).script()
    assert (script.way, script.token(), tokens(site)) == ("load", "", [])


SHOWN = {"config": "once token reporting bound flat", "archive": "packed", "report": "telling kick silent giving"}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind, names in SHOWN.items() for name in names.split()])
async def test_a_boot_that_was_seen_gets_one_secret(tmp_path: Path, name: str, kind: str) -> None:
    async with installing(tmp_path) as site:
        _, script = await booted(site, name)
        assert (script.way, len(script.token(kind)), len(script.boot)) == ("load", 43, 16)
        assert [bool(script.token(other)) for other in SHOWN] == [other == kind for other in SHOWN]
        assert [token.boot for token in tokens(site)] == [script.boot]
        assert script.token(kind) not in repr(site.keeper.writes)


async def test_a_config_made_elsewhere_is_fetched_there_without_a_token(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        script = await machine(site, "elsewhere").script()
    assert "ignition.config.url=http://config.example/x.ign" in script.text


async def test_one_sight_on_the_wire_gives_one_script_with_a_secret(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, first = await booted(site, "once")
        second = await one.script()
    assert (first.way, second.way) == ("load", "announce")


async def test_a_script_that_asks_again_is_the_same_boot_with_a_new_token_and_the_old_one_is_dead(
    tmp_path: Path,
) -> None:
    async with installing(tmp_path) as site:
        one, first = await booted(site, "flat")
        second = await one.script(first.boot)
        assert (second.way, second.boot) == ("load", first.boot)
        assert (await one.config(first.token())).status == 403
        assert (await one.config(second.token())).status == 200
        assert [attempt.number for attempt in site.services.machines.attempts("flat")] == [1]
        assert len(site.services.machines.boots("flat")) == 1


async def test_a_boot_whose_config_was_fetched_is_past_its_script(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        assert (await one.config(script.token())).status == 200
        assert (await one.again(script.token())).status == 403
        assert (await one.script(script.boot)).way == "announce"


async def test_the_id_of_another_boot_is_no_boot(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, first = await booted(site, "once")
        _, second = await booted(site, "once")
        assert first.boot != second.boot
        assert (await one.script(first.boot)).way == "announce"
        assert (await one.script("0" * 16)).way == "announce"


@pytest.mark.parametrize("name", ["once", "flat", "kick", "bare"])
async def test_head_changes_nothing(tmp_path: Path, name: str) -> None:
    async with installing(tmp_path) as site:
        before = len(site.keeper.writes)
        site.services.seen.boot(name, time.time())
        assert (await machine(site, name).script(method="HEAD")).status == 200
        assert (len(site.keeper.writes), site.services.machines.boots(name)) == (before, ())
        assert (await machine(site, name).script()).way == "load"


async def test_with_script_only_a_boot_that_was_not_seen_gets_its_secret(tmp_path: Path) -> None:
    async with installing(tmp_path, text=SCRIPT_ONLY) as site:
        one = machine(site, "once")
        script = await one.script()
        assert (await one.config(script.token())).status == 200


CHECKS = {
    "all as the inventory has it": (HARDWARE, "load"),
    "a serial number with other blanks and case": (HARDWARE | {"serial": SERIAL.lower()}, "load"),
    "another serial number": (HARDWARE | {"serial": "other"}, "serial number"),
    "another UUID": (HARDWARE | {"uuid": UUID[:-1] + "0"}, "UUID"),
    "no UUID": ({"serial": SERIAL, "asset": ASSET}, "UUID"),
    "another asset tag": (HARDWARE | {"asset": "rack 8"}, "asset tag"),
    "no asset tag": ({"serial": SERIAL, "uuid": UUID}, "asset tag"),
}


@pytest.mark.parametrize(("facts", "expected"), CHECKS.values(), ids=CHECKS)
async def test_a_boot_of_other_hardware_gets_no_secret(tmp_path: Path, facts: dict[str, str], expected: str) -> None:
    async with installing(tmp_path) as site:
        _, script = await booted(site, "checked", **facts)
        if expected == "load":
            assert (script.way, len(script.token())) == ("load", 43)
            return
        assert (script.way, script.token(), tokens(site)) == ("wait", "", [])
        assert f"says another {expected}" in script.text
    assert said(site) == "other-hardware"


async def test_an_image_that_installs_itself_gets_the_url_to_report_to_on_its_command_line(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "kick")
        kernel = next(line for line in script.text.splitlines() if line.startswith("kernel "))
        assert "inst.ks=http://config.example/x.ks" in kernel
        assert f"pxed.report=http://127.0.0.1:{site.port}/report/kick?token={script.token('report')}" in kernel
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        _, after = await booted(site, "kick")
    assert after.way == "disk"


async def test_failed_attempts_wait_longer_each_time_and_the_last_one_holds_the_machine(tmp_path: Path) -> None:
    text = INVENTORY.replace(
        "kick: {image: live, boot: install,", "kick: {image: live, boot: install, install: {backoff: 5m},"
    )
    waits = []
    async with installing(tmp_path, text=text) as site:
        for _ in range(3):
            one, script = await booted(site, "kick")
            assert (await one.report(one.report_url(script.token("report")), "failed", "no disk")).status == 200
            standing = site.services.machines.standing("kick")
            assert standing is not None
            waits.append(round(standing.not_before - standing.since) if standing.not_before else 0)
            screen = await one.script(script.boot)
            assert screen.way == "wait"
            site.services.machines._set("kick", replace(standing, not_before=0.0))
        one, held = await booted(site, "kick")
    assert waits == [300, 600, 0]
    assert "attempt 3 failed, no more are made: no disk" in held.text
    assert "held" in said(site)


async def test_after_failure_local_boots_the_disk_of_a_machine_that_could_not_be_installed(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "giving")
        await one.report(one.report_url(script.token("report")), "failed")
        _, after = await booted(site, "giving")
        unseen = await one.script()
    assert (after.way, unseen.way) == ("disk", "disk")


async def test_a_deadline_that_passes_is_a_failed_attempt_and_its_script_asks_into_the_next_one(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "flat")
        await site.services.progress.tick(time.time() + 1799)
        assert not site.services.machines.attempts("flat")[0].ended
        await site.services.progress.tick(time.time() + 1801)
        attempt = site.services.machines.attempts("flat")[0]
        assert (attempt.outcome, attempt.reason) == ("failed", "the installer never reported within 30 minutes")
        assert (await one.script(script.boot)).way == "wait"


async def test_a_machine_that_boots_again_without_a_report_has_failed(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        await booted(site, "flat")
        _, again = await booted(site, "flat")
        attempt = site.services.machines.attempts("flat")[0]
    assert (again.way, again.token()) == ("wait", "")
    assert attempt.reason == "the machine booted again and the installer had not reported"


async def test_a_boot_that_never_reports_is_said_once(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        await booted(site, "telling")
        for seconds in (899, 901, 902):
            await site.services.progress.tick(time.time() + seconds)
    assert said(site) == "no-report"


def detoured(site: Site, name: str) -> Offer | Ignore:
    """What the ROM of a machine gets by DHCP."""
    mac = bytes.fromhex(machine(site, name).mac.replace(":", ""))
    datagram = replace(bios_rom(), mac=mac).discover().payload
    inventory, here = site.live.snapshot.inventory, Endpoint("10.0.0.2", 8080, "eth0")
    return respond(inventory, datagram, 67, ("0.0.0.0", 68), here, site.live.detours).decision


async def test_local_silent_leaves_the_dhcp_of_an_installed_machine_unanswered_and_that_counts_as_its_disk_boot(
    tmp_path: Path,
) -> None:
    async with installing(tmp_path) as site:
        assert isinstance(detoured(site, "silent"), Offer)
        one, script = await booted(site, "silent")
        await one.report(one.report_url(script.token("report")), "installing")
        assert isinstance(detoured(site, "silent"), Offer)
        await one.report(one.report_url(script.token("report")), "installed")
        assert isinstance(detoured(site, "silent"), Ignore)
        site.services.seen.to_disk("silent")
        standing = site.services.machines.standing("silent")
        assert standing is not None
        assert standing.state is State.LOCAL
        assert await order(site, "silent/next", b'{"profile": "rescue"}') == 200
        assert isinstance(detoured(site, "silent"), Offer)
        assert await order(site, "silent/next", b'{"profile": ""}') == 200
        assert isinstance(detoured(site, "silent"), Ignore)
        assert await order(site, "silent/install") == 200
        assert isinstance(detoured(site, "silent"), Offer)


async def test_a_one_shot_boot_is_used_up_by_the_boot_that_loaded_all_of_it(tmp_path: Path) -> None:
    """A download that breaks off does not cost it."""
    async with installing(tmp_path) as site:
        assert await order(site, "bare/next", b'{"profile": "rescue"}') == 200
        one, first = await booted(site, "bare")
        await one.ask("/images/live/vmlinuz")
        _, second = await booted(site, "bare")
        assert "profile rescue" in first.text
        assert "profile rescue" in second.text
        for name in ("vmlinuz", "initrd.img"):
            await one.ask(f"/images/live/{name}")
        await until(lambda: bool((now := site.services.machines.standing("bare")) and now.next_loaded))
        same = await one.script(second.boot)
        assert "profile rescue" in same.text
        _, third = await booted(site, "bare")
        assert (await one.config(second.token(), "bare")).status == 403
    assert "profile bare" in third.text


ORDERS: dict[str, tuple[str, bytes, str]] = {
    "boot the disk": ("flat/local", b"", "boots its local disk"),
    "install it with another profile": ("bare/install", b'{"profile": "flat"}', "profile flat"),
    "boot something once": ("flat/next", b'{"profile": "rescue"}', "profile rescue"),
}


@pytest.mark.parametrize(("target", "body", "words"), ORDERS.values(), ids=ORDERS)
async def test_an_order_changes_what_the_next_boot_gets(tmp_path: Path, target: str, body: bytes, words: str) -> None:
    async with installing(tmp_path) as site:
        name = target.partition("/")[0]
        _, before = await booted(site, name)
        assert words not in before.text
        await order(site, f"{name}/reset")
        assert await order(site, target, body) == 200
        _, after = await booted(site, name)
        assert words in after.text
        assert await order(site, f"{name}/next", b'{"profile": ""}') == 200
        assert await order(site, f"{name}/reset") == 200
        _, reset = await booted(site, name)
    assert words not in reset.text


async def test_an_installed_machine_is_installed_again_by_an_order_only_and_once(tmp_path: Path) -> None:
    async def attempt() -> str:
        one, script = await booted(site, "kick")
        if script.way == "load":
            assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        return script.way

    async with installing(tmp_path) as site:
        assert [await attempt() for _ in range(3)] == ["load", "disk", "disk"]
        assert await order(site, "kick/install") == 200
        assert [await attempt() for _ in range(3)] == ["load", "disk", "disk"]
        shown = json.loads((await site.ask("/api/v1/machines/kick")).body)
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["installed", "installed"]


async def test_a_renamed_machine_keeps_where_it_stands(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "kick")
        await one.report(one.report_url(script.token("report")), "installed")
        text = INVENTORY.replace("  kick: {mac:", "  rack1: {mac:")
        reload(site, tmp_path, text)
        _, after = await booted(site, "rack1")
    assert after.way == "disk"


FAILING: dict[str, Callable[[Site], Awaitable[tuple[Machine, object]]]] = {
    "a memory boot with a secret": lambda site: booted(site, "once"),
    "the first attempt to install": lambda site: booted(site, "flat"),
}


@pytest.mark.parametrize("boot", FAILING.values(), ids=FAILING)
async def test_a_script_whose_state_cannot_be_kept_is_not_given_and_nothing_has_changed(
    tmp_path: Path, boot: Callable[[Site], Awaitable[tuple[Machine, object]]]
) -> None:
    async with installing(tmp_path) as site:
        one, earlier = await boot(site)
        name, machines = one.name, site.services.machines
        known = (machines.standing(name), list(machines.boots(name)), machines.attempts(name))
        site.keeper.failing = True
        _, refused = await boot(site)
        assert (refused.status, "token=" in refused.text) == (503, False)
        assert (machines.standing(name), list(machines.boots(name)), machines.attempts(name)) == known
        site.keeper.failing = False
        assert (await one.config(earlier.token())).status == 200, "the boot before it lost its token"
        assert len(machines.boots(name)) == 1
        assert (await one.script()).way in ("load", "wait"), "it need not show itself again"
    assert isinstance(machines.boots(name)[0], BootRecord)
    assert [token.purpose for token in tokens(site)].count(Purpose.CONFIG) >= 1
