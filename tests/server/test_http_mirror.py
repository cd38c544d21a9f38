"""Mirrored releases by HTTP: by image, in the server's own layout, while they arrive, when a file was touched."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.status.records import Booted
from tests.server.httpsite import MAC1, MAC2, Site, serving
from tests.server.mirrored import CPIO, INSTALL, NEW, OLD, VMLINUZ, content, publish

INVENTORY = """
server: {data_dir: data, http: {port: PORT}}
images:
  flatcar: {flatcar: {channel: stable, CANARY}}
  coming: {flatcar: {channel: beta}}
profiles:
  worker: {image: flatcar}
  future: {image: coming}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: worker}
  node3: {mac: "52:54:00:00:00:03", profile: future}
"""
PLAIN = INVENTORY.replace(", CANARY", "")
STAGED = INVENTORY.replace("CANARY", "canary: [node2]")


def at(home: Path, name: str = CPIO, version: str = NEW) -> Path:
    return home / "data/mirror/stable/amd64-usr" / version / name


async def script(site: Site, mac: str) -> str:
    return (await site.ask(f"/boot.ipxe?mac={mac}")).text


async def test_the_script_names_the_version_so_that_kernel_and_initrd_are_of_one_release(tmp_path: Path) -> None:
    publish(tmp_path, OLD, NEW)
    async with serving(tmp_path, text=PLAIN) as site:
        lines = (await script(site, MAC1)).splitlines()
    assert any(f"/images/flatcar/{VMLINUZ}?version={NEW} " in line and "initrd=" + CPIO in line for line in lines)
    assert any(line.startswith("initrd ") and f"/images/flatcar/{CPIO}?version={NEW}" in line for line in lines)


async def test_an_image_s_files_are_those_of_the_version_that_the_machine_boots(tmp_path: Path) -> None:
    publish(tmp_path, OLD, NEW)
    async with serving(tmp_path, text=PLAIN) as site:
        newest = await site.ask(f"/images/flatcar/{VMLINUZ}")
        older = await site.ask(f"/images/flatcar/{VMLINUZ}?version={OLD}")
        gone = await site.ask(f"/images/flatcar/{VMLINUZ}?version=1.2.3")
    assert (newest.body, older.body) == (content(VMLINUZ, NEW), content(VMLINUZ, OLD))
    assert gone.status == 404
    assert "ask for the boot script again" in gone.text


async def test_a_canary_boots_the_new_version_and_everybody_else_the_promoted_one(tmp_path: Path) -> None:
    publish(tmp_path, OLD, NEW, promoted=OLD)
    async with serving(tmp_path, text=STAGED) as site:
        assert f"version={OLD}" in await script(site, MAC1)
        assert f"version={NEW}" in await script(site, MAC2)
        told = await site.ask("/flatcar/stable/amd64-usr/current/version.txt")
    assert told.text == f"FLATCAR_VERSION={OLD}\n", "update engines of other machines must not announce a reboot"


async def test_flatcar_install_finds_what_it_asks_for(tmp_path: Path) -> None:
    """flatcar-install -b: version.txt, then wget --spider (HEAD) of the image and its signature, then both."""
    publish(tmp_path, NEW)
    base = "/flatcar/stable/amd64-usr"
    async with serving(tmp_path, text=PLAIN) as site:
        told = await site.ask(f"{base}/current/version.txt")
        head = await site.ask(f"{base}/{NEW}/{INSTALL}", "HEAD")
        signature = await site.ask(f"{base}/{NEW}/{VMLINUZ}.sig")
        part = await site.ask(f"{base}/current/{INSTALL}", Range="bytes=0-3")
    assert told.text == f"FLATCAR_VERSION={NEW}\n"
    assert (head.status, head.headers["content-length"]) == (200, str(len(content(INSTALL, NEW))))
    assert signature.body == content(f"{VMLINUZ}.sig", NEW)
    assert (part.status, part.body) == (206, content(INSTALL, NEW)[:4])


@pytest.mark.parametrize(
    "path",
    [
        "/flatcar/stable/amd64-usr/4593.2.9/version.txt",
        "/flatcar/stable/amd64/current/version.txt",
        "/flatcar/alpha/amd64-usr/current/version.txt",
        "/flatcar/stable/amd64-usr/current/index.json",
        "/flatcar/stable/amd64-usr/current/../../../index.json",
        "/flatcar/stable/amd64-usr/current",
    ],
)
async def test_what_is_not_verified_is_not_there(tmp_path: Path, path: str) -> None:
    publish(tmp_path, NEW)
    (tmp_path / "data/mirror/stable/amd64-usr" / NEW / "index.json").write_text("{}")
    async with serving(tmp_path, text=PLAIN) as site:
        assert (await site.ask(path)).status == 404


@pytest.mark.parametrize(
    "path", [f"/images/coming/{VMLINUZ}", "/flatcar/beta/amd64-usr/current/version.txt"], ids=["image", "mirror"]
)
async def test_a_version_that_is_still_arriving_is_asked_for_again(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, text=PLAIN) as site:
        answer = await site.ask(path)
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert "coming" in answer.text


async def test_a_machine_whose_release_is_still_arriving_is_told_so_on_its_screen(tmp_path: Path) -> None:
    async with serving(tmp_path, text=PLAIN) as site:
        text = await script(site, "52:54:00:00:00:03")
    assert "image coming: is not mirrored yet" in text
    assert "kernel" not in text
    assert "chain" in text


@pytest.mark.parametrize(
    ("query", "boots"),
    [
        ("arch=x86_64&platform=efi", True),
        ("arch=i386&platform=pcbios", True),
        ("arch=arm64&platform=efi", False),
        ("arch=something&platform=new", True),
        ("", True),
    ],
    ids=["UEFI", "BIOS", "ARM", "what is not known", "a machine that does not say"],
)
async def test_a_release_for_another_cpu_is_not_started(tmp_path: Path, query: str, boots: bool) -> None:
    publish(tmp_path, NEW)
    async with serving(tmp_path, text=PLAIN) as site:
        text = (await site.ask(f"/boot.ipxe?mac={MAC1}&{query}")).text
    assert (VMLINUZ in text) is boots
    assert ("image flatcar: is for amd64, this machine is arm64-efi" in text) is not boots


async def test_a_file_that_was_only_touched_is_hashed_again_and_served(tmp_path: Path) -> None:
    publish(tmp_path, NEW)
    os.utime(at(tmp_path), (1, 1))
    async with serving(tmp_path, text=PLAIN) as site:
        answers = await asyncio.gather(*[site.ask(f"/images/flatcar/{CPIO}") for _ in range(4)])
    assert {answer.body for answer in answers} == {content(CPIO, NEW)}


async def test_a_file_with_another_content_is_refused_and_an_alert_is_raised_once(tmp_path: Path) -> None:
    publish(tmp_path, NEW)
    damaged = bytearray(content(CPIO, NEW))
    damaged[4000] ^= 1
    at(tmp_path).write_bytes(damaged)
    async with serving(tmp_path, text=PLAIN) as site:
        answers = [await site.ask(f"/images/flatcar/{CPIO}") for _ in range(3)]
        kernel = await site.ask(f"/images/flatcar/{VMLINUZ}")
        alerts = [event for event in site.bus.of(Kind.NOTICE) if event.level is Level.WARNING]
    assert {answer.status for answer in answers} == {503}
    assert "its digest (SHA-512) differs" in answers[-1].text
    assert "retry-after" in answers[-1].headers
    assert kernel.status == 200
    assert [NEW in alert.text and CPIO in alert.text for alert in alerts] == [True]


async def test_a_repaired_file_is_served_again(tmp_path: Path) -> None:
    publish(tmp_path, NEW)
    at(tmp_path).write_bytes(b"damaged")
    async with serving(tmp_path, text=PLAIN) as site:
        assert (await site.ask(f"/images/flatcar/{CPIO}")).status == 503
        at(tmp_path).write_bytes(content(CPIO, NEW))
        assert (await site.ask(f"/images/flatcar/{CPIO}")).status == 200


async def test_a_file_that_is_gone_is_refused_and_an_alert_is_raised_once(tmp_path: Path) -> None:
    publish(tmp_path, NEW)
    at(tmp_path).unlink()
    async with serving(tmp_path, text=PLAIN) as site:
        for _ in range(2):
            answer = await site.ask(f"/images/flatcar/{CPIO}")
        alerts = [event.text for event in site.bus.of(Kind.NOTICE)]
    assert answer.status == 503
    assert answer.text.startswith(f"{CPIO} of {NEW} is gone from ")
    assert [CPIO in alert for alert in alerts] == [True]


async def test_a_version_on_its_way_is_asked_for_again_by_its_number(tmp_path: Path) -> None:
    async with serving(tmp_path, text=PLAIN, arriving=lambda image: f"{NEW} is arriving, 37%") as site:
        coming = await site.ask(f"/flatcar/stable/amd64-usr/{NEW}/version.txt")
        other = await site.ask(f"/flatcar/stable/amd64-usr/{OLD}/version.txt")
        screen = await script(site, MAC1)
    assert (coming.status, other.status) == (503, 404)
    assert "4593.2.5 is arriving, 37%" in coming.text
    assert "image flatcar: 4593.2.5 is arriving, 37%" in screen


async def test_a_link_out_of_the_mirror_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, NEW)
    (tmp_path / "secret").write_bytes(content(CPIO, NEW))
    at(tmp_path).unlink()
    at(tmp_path).symlink_to(tmp_path / "secret")
    async with serving(tmp_path, text=PLAIN) as site:
        assert (await site.ask(f"/images/flatcar/{CPIO}")).status == 403


async def test_what_a_machine_last_booted_is_recorded_with_its_digests(tmp_path: Path) -> None:
    index = publish(tmp_path, NEW)
    async with serving(tmp_path, text=PLAIN) as site:
        await script(site, MAC1)  # says whose address this is
        for name in (VMLINUZ, CPIO):
            await site.ask(f"/images/flatcar/{name}?version={NEW}")
        await site.bus.wait_for(Kind.INITRD)
        (boot,) = [row for row in site.keeper.writes if isinstance(row, Booted)]
    files = index.releases["stable", "amd64", NEW].files
    assert (boot.machine, boot.image, boot.version) == ("node1", "flatcar", NEW)
    assert (boot.kernel, boot.initrd) == (files[VMLINUZ].sha512, files[CPIO].sha512)
