"""The events of scripts and refusals: nothing else tells the diagnosis what a booted system is to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pxed.events import Kind
from pxed.server.views import boot_id
from tests.server.httpsite import INVENTORY as PLAIN
from tests.server.httpsite import MAC1, MAC2, serving, until
from tests.server.installsite import SCRIPT_ONLY, installing, machine
from tests.server.mirrored import CPIO, NEW, VMLINUZ, publish

FILES = "vmlinuz initrd.img"
WAYS: dict[str, dict[str, Any]] = {
    "open": {"way": "memory", "files": FILES, "config": "url", "first_boot": True, "report": False},
    "bare": {"way": "memory", "files": FILES, "config": "none", "first_boot": False, "config_url": ""},
    "elsewhere": {"config": "elsewhere", "config_url": "http://config.example/x.ign", "first_boot": True},
    "packed": {"config": "embedded", "files": FILES, "config_url": "", "first_boot": True},
    "reporting": {"config": "url", "report": True, "report_within": 900.0},
    "telling": {"config": "none", "report": True},
    "flat": {
        "way": "install", "files": f"{VMLINUZ} {CPIO}", "config": "url", "report": True, "report_within": 1800.0,
        "version": NEW, "image": "flatcar",
    },
    "kick": {"way": "install", "files": FILES, "config": "none", "report": True, "image": "live", "version": ""},
}  # fmt: skip


@pytest.mark.parametrize(("name", "figures"), WAYS.items(), ids=WAYS)
async def test_a_script_tells_what_its_boot_does_next(tmp_path: Path, name: str, figures: dict[str, Any]) -> None:
    async with installing(tmp_path, SCRIPT_ONLY) as site:
        await machine(site, name).script()
        (event,) = site.bus.of(Kind.SCRIPT)
        (record,) = site.services.machines.boots(name)
    assert event.machine == name
    assert {key: event.data[key] for key in figures} == figures
    assert event.data["boot"] == boot_id(record.id)
    assert record.id not in str(event.data)


async def test_a_config_s_url_is_told_without_its_secret(tmp_path: Path) -> None:
    async with installing(tmp_path, SCRIPT_ONLY) as site:
        script = await machine(site, "once").script()
        (event,) = site.bus.of(Kind.SCRIPT)
        assert event.data["config_url"] == f"{site.url}/ignition/once"
    assert script.token("config") not in str(event.data)


async def test_a_local_root_is_told_and_whether_its_first_boot_is_to_come(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask(f"/boot.ipxe?mac={MAC2}")
        await site.ask("/ignition/node2")
        await until(lambda: site.services.first_boots.done("node2", "LABEL=ROOT"))
        await site.ask(f"/boot.ipxe?mac={MAC2}")
        told = [(event.data["root"], event.data["first_boot"]) for event in site.bus.of(Kind.SCRIPT)]
    assert told == [("LABEL=ROOT", True), ("LABEL=ROOT", False)]


async def test_arguments_of_the_operator_are_told_as_the_kernel_reads_them(tmp_path: Path) -> None:
    own = PLAIN.replace(
        "plain: {image: rescue}", "plain: {image: rescue, root: /dev/sda1, args: [root=/dev/sdb1, flatcar.first_boot]}"
    )
    async with serving(tmp_path, text=own) as site:
        await site.ask("/boot.ipxe?mac=52:54:00:00:00:03&platform=efi")
        (event,) = site.bus.of(Kind.SCRIPT)
    assert (event.data["root"], event.data["first_boot"], event.data["platform"]) == ("/dev/sdb1", True, "efi")


async def test_a_boot_of_the_disk_fetches_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask("/boot.ipxe?mac=52:54:00:00:00:04")
        (event,) = site.bus.of(Kind.SCRIPT)
    assert {key: event.data[key] for key in ("way", "files", "image", "config", "report")} == {
        "way": "local", "files": "", "image": "", "config": "none", "report": False,
    }  # fmt: skip


async def test_a_machine_that_cannot_be_booted_is_refused_by_the_script_s_route(tmp_path: Path) -> None:
    text = PLAIN.replace("gone: {kernel: r/gone}", "gone: {flatcar: {channel: beta}}")
    async with serving(tmp_path, text=text.replace("plain: {image: rescue}", "plain: {image: gone}")) as site:
        await site.ask("/boot.ipxe?mac=52:54:00:00:00:03")
        (event,) = site.bus.of(Kind.REFUSED)
    assert (event.machine, event.data["route"], event.data["transport"]) == ("node3", "boot", "http")
    assert event.data["reason"] == "image gone: is not mirrored yet: pxed images list says why"


@pytest.mark.parametrize(
    ("target", "status", "route", "why"),
    [
        ("/images/gone/gone", 404, "image", "missing"),
        ("/images/rescue/other", 404, "image", "missing"),
        ("/loaders/other.efi", 404, "loader", "missing"),
        ("/ignition/node3", 404, "ignition", ""),
        ("/nothing/here", 404, "", ""),
    ],
)
async def test_a_refusal_tells_its_route(tmp_path: Path, target: str, status: int, route: str, why: str) -> None:
    async with serving(tmp_path) as site:
        await site.ask(target)
        (event,) = site.bus.of(Kind.REFUSED)
    figures = {key: event.data[key] for key in ("url", "status", "route", "transport", "why", "address")}
    assert figures == {
        "url": target, "status": status, "route": route, "transport": "http", "why": why, "address": "127.0.0.1",
    }  # fmt: skip


async def test_a_mirrored_file_that_was_changed_is_refused_for_its_digest(tmp_path: Path) -> None:
    text = PLAIN.replace("rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}", "rescue: {flatcar: {channel: stable}}")
    publish(tmp_path, NEW)
    (tmp_path / "data/mirror/stable/amd64-usr" / NEW / VMLINUZ).write_bytes(b"another")
    async with serving(tmp_path, text=text) as site:
        site.clients.learn("127.0.0.1", MAC1)
        await site.ask(f"/images/rescue/{VMLINUZ}")
        await site.ask(f"/images/rescue/{CPIO}?version=1.2.3")
        told = [(event.machine, event.data["why"]) for event in site.bus.of(Kind.REFUSED)]
    assert told == [("node1", "digest"), ("node1", "")]
    assert "digest" in str(site.bus.of(Kind.REFUSED)[0].data["reason"])


async def test_an_image_that_is_still_to_come_is_no_missing_one(tmp_path: Path) -> None:
    text = PLAIN.replace("gone: {kernel: r/gone}", "coming: {flatcar: {channel: beta}}")
    async with serving(tmp_path, text=text) as site:
        await site.ask(f"/images/coming/{VMLINUZ}")
        (event,) = site.bus.of(Kind.REFUSED)
    assert (event.data["status"], event.data["why"]) == (503, "arriving")


@pytest.mark.parametrize(("attempts", "held"), [(2, False), (1, True)], ids=["tried again", "given up"])
async def test_where_an_installation_is_tells_how_often_it_may_fail(tmp_path: Path, attempts: int, held: bool) -> None:
    text = SCRIPT_ONLY.replace(
        "kick: {image: live, boot: install,", f"kick: {{image: live, boot: install, install: {{attempts: {attempts}}},"
    )
    async with installing(tmp_path, text) as site:
        kick = machine(site, "kick")
        script = await kick.script()
        await site.ask(
            f"/report/kick?token={script.token('report')}", "POST", b'{"stage": "failed", "message": "no disk"}'
        )
        events = [event.data for event in site.bus.of(Kind.STATE)]
    assert events[0] == {"state": "wanted", "attempt": 1, "attempts": attempts, "reason": "", "held": False}
    state = "failed" if held else "wanted"
    assert events[-1] == {"state": state, "attempt": 1, "attempts": attempts, "reason": "no disk", "held": held}
