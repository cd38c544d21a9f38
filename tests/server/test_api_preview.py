"""/api/v1/machines/NAME/preview: what a machine would get, as `pxed render` has it and as it then gets it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from pxed.cli.render import rendered
from pxed.status.records import Standing, State
from tests.server.httpsite import INVENTORY, MAC1, STRANGER, Site, serving
from tests.server.timelines import Timelines, boot_of

GUARDED = INVENTORY.replace("ignition_access: open", "ignition_access: once")
INSTALLS = INVENTORY.replace("plain: {image: rescue}", "plain: {image: rescue, boot: install}")


async def preview(site: Site, name: str = "node1", query: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = json.loads((await site.ask(f"/api/v1/machines/{name}/preview{query}")).body)
    return shown


@pytest.mark.parametrize("text", [INVENTORY, GUARDED], ids=["open", "with a token"])
@pytest.mark.parametrize(("name", "arch"), [("node1", 0), ("node1", 7), ("node2", 7), ("node4", 7)])
async def test_it_is_what_pxed_render_has(tmp_path: Path, text: str, name: str, arch: int) -> None:
    async with serving(tmp_path, text=text) as site:
        shown = await preview(site, name, f"?arch={arch}")
        (tmp_path / "pxed.yaml").write_text(text.replace("UNKNOWN", "ignore").replace("PORT", str(site.port)))
    script = rendered(name, "script", tmp_path / "pxed.yaml", arch, "127.0.0.1").decode()
    assert (shown["script"], shown["problem"]) == (script, None)
    assert shown["cmdline"] is None or shown["cmdline"] in script
    assert ("token=TOKEN" in script) == (text is GUARDED and name != "node4")


async def test_it_is_what_the_machine_then_gets(tmp_path: Path) -> None:
    async with serving(tmp_path, text=GUARDED) as site:
        shown = await preview(site)
        site.services.seen.boot("node1", time.time())
        given = (await site.ask(f"/boot.ipxe?mac={MAC1}&arch=x86_64&platform=efi")).text
    without = re.sub(r"token=[\w-]{43}", "token=TOKEN", re.sub(r"&boot=[0-9a-f]{16}", "", given))
    assert shown["script"] == without


async def test_it_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, text=GUARDED) as site:
        before = list(site.keeper.writes)
        await preview(site)
        await preview(site, STRANGER)
        assert (site.keeper.writes, site.services.machines.boots(), site.bus.events) == (before, [], [])


async def test_orders_and_the_state_of_an_installation_count(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INSTALLS) as site:
        machines = site.services.machines
        assert (await preview(site, "node3"))["cmdline"]
        machines.keep(Standing("node3", state=State.INSTALLED, since=time.time()))
        assert (await preview(site, "node3"))["cmdline"] is None
        machines.keep(Standing("node3", next_profile="worker"))
        assert (await preview(site, "node3"))["profile"] == "worker"


async def test_the_architecture_is_what_the_machine_said_last(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of("node1", MAC1, arch="arm64-efi"))
    async with serving(tmp_path, tracker=tracker) as site:
        assert (await preview(site))["arch"] == "arm64-efi"
        assert (await preview(site, "node2"))["arch"] == "x86_64-efi"
        assert (await preview(site, "node1", "?arch=0"))["arch"] == "x86-bios"


async def test_urls_are_those_of_the_wire_that_the_machine_is_on(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of("node1", MAC1))
    async with serving(tmp_path, tracker=tracker) as site:
        assert f"http://10.0.0.2:{site.port}/images" in (await preview(site))["script"]
        assert f"http://127.0.0.1:{site.port}/images" in (await preview(site, "node2"))["script"]


async def test_a_machine_that_gets_nothing_is_told_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        shown = await preview(site, STRANGER)
    assert (shown["profile"], shown["cmdline"]) == (None, None)
    assert "unknown is ignore" in shown["problem"]


@pytest.mark.parametrize(("target", "status"), [("nobody/preview", 404), ("node1/preview?arch=x", 400)])
async def test_a_machine_or_number_that_is_none_is_refused(tmp_path: Path, target: str, status: int) -> None:
    async with serving(tmp_path) as site:
        assert (await site.ask(f"/api/v1/machines/{target}")).status == status
