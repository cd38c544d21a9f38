"""What a boot of a machine with `boot: install` gets, over HTTP, where more than one thing is so at a time."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from pxed.status.records import Standing, State, Token
from tests.server.httpsite import MAC1, MAC2, Site, serving, snapshot
from tests.server.keeper import Keeper

INVENTORY = """
server: {data_dir: data, script_only: true, http: {port: PORT}}
images:
  other: {kernel: r/vmlinuz, initrd: [r/initrd.img]}
  flatcar: {flatcar: {channel: stable}}
profiles:
  other: {image: other, boot: install, install: {backoff: 1s, attempts: 2}}
  flatcar: {image: flatcar, boot: install, install: {disk: smallest}}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: other}
  node2: {mac: "52:54:00:00:00:02", profile: flatcar}
"""


async def script(site: Site, mac: str = MAC1, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return (await site.ask(f"/boot.ipxe?mac={mac}{query}")).text


def boot_of(text: str) -> str:
    (boot,) = set(re.findall(r"&boot=([0-9a-f]{16})", text))
    return boot


async def report(site: Site, text: str, stage: str) -> int:
    (url,) = re.findall(r"pxed\.report=http://[^/]*(\S+)", text)
    return (await site.ask(f"{url}&stage={stage}", "POST", b"no disk", Content_Type="text/plain")).status


async def test_an_attempt_can_begin_in_the_boot_that_waited_for_it(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        assert await report(site, await script(site), "failed") == 200
        waiting = await script(site)
        assert "attempt 1 failed: no disk" in waiting
        standing = site.services.machines.standing("node1")
        assert standing is not None
        await _wait_until(standing.not_before)
        second = await script(site, boot=boot_of(waiting))
        assert "kernel --name vmlinuz" in second
        assert boot_of(second) == boot_of(waiting), "it is the same boot"
        assert await report(site, second, "installed") == 200
        after = site.services.machines.standing("node1")
        assert after is not None
        assert (after.state, after.attempt) == (State.INSTALLED, 2)


async def test_a_machine_that_is_held_says_why_and_asks_again_as_the_same_boot(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        assert await report(site, await script(site), "failed") == 200
        assert "failed" in await script(site)  # a new boot during the back-off
        standing = site.services.machines.standing("node1")
        assert standing is not None
        await _wait_until(standing.not_before)
        assert await report(site, await script(site), "failed") == 200
        held = await script(site)
        assert "attempt 2 failed, no more are made: no disk" in held
        assert boot_of(await script(site, boot=boot_of(held))) == boot_of(held)
        assert [alert.what for alert in site.services.alerts.of("node1")] == ["held"]


@pytest.mark.parametrize("state", [State.INSTALLED, State.LOCAL])
async def test_an_installed_machine_boots_its_disk_though_its_image_is_not_mirrored(
    tmp_path: Path, state: State
) -> None:
    keeper = Keeper()
    keeper.contents.standings["node2"] = Standing("node2", ("52:54:00:00:00:02",), state, boot="b" * 16, attempt=1)
    async with serving(tmp_path, text=INVENTORY, keeper=keeper) as site:
        assert "sanboot" in await script(site, "52:54:00:00:00:02")


async def test_no_attempt_begins_before_there_is_something_to_install(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        assert "not mirrored yet" in await script(site, "52:54:00:00:00:02")
        assert site.services.machines.standing("node2") is None
        assert not site.services.machines.attempts("node2")


async def test_a_machine_that_is_renamed_while_it_installs_still_reports(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        text = await script(site)
        assert await report(site, text, "installing") == 200
        renamed = INVENTORY.replace("node1:", "rack7:")
        site.live.snapshot = snapshot(tmp_path, site.port, "ignore", renamed)
        site.services.machines.reconsider()
        assert await report(site, text, "installed") == 200
        standing = site.services.machines.standing("rack7")
        assert standing is not None
        assert standing.state is State.INSTALLED
        assert site.services.machines.standing("node1") is None
        assert [(a.machine, a.outcome) for a in site.services.machines.attempts("rack7")] == [("rack7", "installed")]
        assert "sanboot" in await script(site)
        moved = [write for write in site.keeper.writes if isinstance(write, Token) and write.machine == "rack7"]
        assert moved, "its tokens are durable under the new name"


async def test_a_reset_machine_has_its_first_boot_before_it_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask("/report/node2", "POST", b'{"stage": "running"}')
        assert "flatcar.first_boot=1" not in await script(site, MAC2)
        await site.services.operators.reset("node2")
        assert "flatcar.first_boot=1" in await script(site, MAC2)


async def _wait_until(when: float) -> None:
    """The back-off is of the clock on the wall."""
    while time.time() < when:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
