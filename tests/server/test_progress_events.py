"""How far transfers are is told at their start and while they go on, and how those ended that did not arrive."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.server import tftp_sessions, underway
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack
from tests.server import tftp_site
from tests.server.booting import request
from tests.server.httpsite import INVENTORY, LOADER, MAC1, Site, serving, until
from tests.server.mirrored import NEW, VMLINUZ, content, publish
from tests.server.tftp_site import Client

BIG = 48 << 20  # more than the kernel takes for a reader that has stopped


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told as often as the loop looks."""
    for module in (tftp_sessions, underway):
        monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setattr(tftp_sessions, "SWEEP", 0.01)
    monkeypatch.setattr(underway, "LOOKS", 0.01)


async def test_a_tftp_transfer_is_told_at_its_start(tmp_path: Path) -> None:
    async with tftp_site.serving(tmp_path) as site, Client(site) as client:
        site.write("snponly.efi", bytes(3000))
        client.ask("snponly.efi", ("blksize", "1000"))
        assert isinstance(await client.hear(), Oack)
        (event,) = site.progress
    assert (event.machine, event.level, event.text) == ("node1", Level.DEBUG, "snponly.efi: 0 of 3000 bytes by TFTP")
    assert {key: value for key, value in event.data.items() if key not in ("id", "seconds")} == {
        "address": "127.0.0.1", "interface": "lo", "transport": "tftp", "file": "snponly.efi", "stage": "loader",
        "bytes": 0, "due": 3000, "blocks": 0, "heard": False, "retransmits": 0, "blksize": 1000,
        "windowsize": 1,
    }  # fmt: skip


@pytest.mark.usefixtures("often")
async def test_a_tftp_transfer_is_told_while_it_goes_on_and_has_one_id(tmp_path: Path) -> None:
    async with tftp_site.serving(tmp_path) as site, Client(site) as client, Client(site) as other:
        site.write("snponly.efi", bytes(3000))
        other.ask("autoexec.ipxe", ("blksize", "1000"))
        client.ask("snponly.efi", ("blksize", "1000"))
        await client.hear()
        for block in range(3):
            client.send(Ack(block))
            assert isinstance(await client.hear(), Data)
            acknowledged = block * 1000
            await until(lambda done=acknowledged: done in [event.data["bytes"] for event in site.progress])
        last = [event.data for event in site.progress if event.data["bytes"] == 2000][-1]
        ids = {(event.data["file"], event.data["id"], event.data["stage"]) for event in site.progress}
    assert (last["blocks"], last["heard"], last["due"]) == (2, True, 3000)
    assert sorted((file, stage) for file, _, stage in ids) == [("autoexec.ipxe", "other"), ("snponly.efi", "loader")]


async def test_a_tftp_client_that_was_never_heard_is_told_so(tmp_path: Path) -> None:
    async with tftp_site.serving(tmp_path) as site, Client(site) as client:
        site.write("snponly.efi", bytes(3000))
        client.ask("snponly.efi", ("blksize", "1000"))
        await client.hear()
        site.server.close()
        event = await site.ended(Kind.TRANSFER)
    figures = {key: event.data[key] for key in ("heard", "blocks", "bytes", "due", "result", "stage")}
    assert figures == {"heard": False, "blocks": 0, "bytes": 0, "due": 3000, "result": "aborted", "stage": "loader"}


async def test_a_tftp_client_that_breaks_off_tells_how_far_it_came(tmp_path: Path) -> None:
    async with tftp_site.serving(tmp_path) as site, Client(site) as client:
        site.write("snponly.efi", bytes(3000))
        client.ask("snponly.efi", ("blksize", "1000"))
        await client.hear()
        client.send(Ack(0))
        await client.hear()
        client.send(Ack(1))
        await client.hear()
        client.send(Error(ErrorCode.DISK_FULL, "out of memory"))
        event = await site.ended(Kind.TRANSFER)
    figures = {key: event.data[key] for key in ("heard", "blocks", "bytes", "due", "result", "reason")}
    assert figures == {
        "heard": True, "blocks": 1, "bytes": 1000, "due": 3000, "result": "aborted", "reason": "out of memory",
    }  # fmt: skip


async def test_a_tftp_refusal_tells_file_code_and_transport(tmp_path: Path) -> None:
    async with tftp_site.serving(tmp_path) as site, Client(site) as client:
        client.ask("missing.efi")
        await client.hear()
        event = await site.ended(Kind.REFUSED)
    assert event.data == {
        "address": "127.0.0.1", "interface": "lo", "transport": "tftp", "file": "missing.efi",
        "reason": "file not found", "status": 1,
    }  # fmt: skip


async def stopped_reader(site: Site, target: str) -> socket.socket:
    """A client that has read the beginning of an answer and no more."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before it is connected: tcp(7)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", site.port))
    await loop.sock_sendall(sock, request(target))
    assert await loop.sock_recv(sock, 12) == b"HTTP/1.1 200"
    return sock


@pytest.mark.usefixtures("often")
async def test_a_download_is_told_by_what_its_reader_has_and_how_it_broke_off(tmp_path: Path) -> None:
    """What the kernel has taken says little: megabytes wait there for a machine that hangs."""
    async with serving(tmp_path) as site:
        site.clients.learn("127.0.0.1", MAC1)
        with (tmp_path / "data/images/r/initrd.img").open("wb") as file:
            file.truncate(BIG)
        with await stopped_reader(site, "/images/rescue/initrd.img") as sock:
            await until(lambda: len(site.bus.of(Kind.PROGRESS)) > 2)
            first, *_, before = site.bus.of(Kind.PROGRESS)
            loop, read = asyncio.get_running_loop(), 0
            while read < BIG // 4:
                read += len(await loop.sock_recv(sock, 1 << 20))
            seen = len(site.bus.of(Kind.PROGRESS))
            await until(lambda: len(site.bus.of(Kind.PROGRESS)) > seen + 1)
            after = site.bus.of(Kind.PROGRESS)[-1]
        broken = await site.bus.wait_for(Kind.TRANSFER)
    assert (first.machine, first.mac, first.level, first.data["bytes"]) == ("node1", MAC1, Level.DEBUG, 0)
    assert int(str(before.data["bytes"])) < 1 << 20
    assert BIG // 4 - 4096 <= int(str(after.data["bytes"])) < BIG // 2
    assert len({event.data["id"] for event in site.bus.of(Kind.PROGRESS)}) == 1
    assert {key: after.data[key] for key in ("file", "due", "transport", "stage", "address", "heard")} == {
        "file": "initrd.img", "due": BIG, "transport": "http", "stage": "initrd", "address": "127.0.0.1", "heard": True,
    }  # fmt: skip
    assert {key: broken.data[key] for key in ("file", "due", "transport", "stage", "result", "reason")} == {
        "file": "initrd.img", "due": BIG, "transport": "http", "stage": "initrd", "result": "broke-off",
        "reason": "broke off",
    }  # fmt: skip
    assert int(str(after.data["bytes"])) <= int(str(broken.data["bytes"])) < BIG // 2


async def test_a_download_is_told_at_its_start_only_when_it_is_short(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask("/loaders/snponly.efi")
        await site.ask("/loaders/snponly.efi", "HEAD")
        (started,), (whole,) = site.bus.of(Kind.PROGRESS), site.bus.of(Kind.LOADER)
    assert (started.data["bytes"], started.data["due"], started.data["stage"]) == (0, len(LOADER), "loader")
    assert {key: whole.data[key] for key in ("file", "bytes", "due", "transport", "retransmits", "result")} == {
        "file": "snponly.efi", "bytes": len(LOADER), "due": len(LOADER), "transport": "http", "retransmits": 0,
        "result": "complete",
    }  # fmt: skip


async def test_a_mirrored_kernel_is_told_with_its_digest(tmp_path: Path) -> None:
    text = INVENTORY.replace(
        "rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}", "rescue: {flatcar: {channel: stable}}"
    )
    index = publish(tmp_path, NEW)
    async with serving(tmp_path, text=text) as site:
        await site.ask(f"/images/rescue/{VMLINUZ}")
        (event,) = site.bus.of(Kind.KERNEL)
    assert event.data["digest"] == index.releases["stable", "amd64", NEW].files[VMLINUZ].sha512
    assert event.data["bytes"] == len(content(VMLINUZ, NEW))


async def test_a_file_is_told_by_the_name_that_its_script_has(tmp_path: Path) -> None:
    text = INVENTORY.replace("initrd: [r/initrd.img]", 'initrd: ["r/my@initrd.img"]')
    async with serving(tmp_path, text=text) as site:
        (tmp_path / "data/images/r/my@initrd.img").write_bytes(b"another")
        await site.ask(f"/boot.ipxe?mac={MAC1}")
        await site.ask("/images/rescue/vmlinuz")
        await site.ask("/images/rescue/my@initrd.img")
        files = [str(event.data["file"]) for kind in (Kind.KERNEL, Kind.INITRD) for event in site.bus.of(kind)]
        (script,) = site.bus.of(Kind.SCRIPT)
    assert script.data["files"] == " ".join(files) == "vmlinuz my_initrd.img"
