"""Boot loaders and images by HTTP: whole, in ranges, resumed, broken off, with curl and on a bare socket."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.server import sendfile as sendfile_module
from tests.server.httpsite import INITRD, KERNEL, LOADER, MAC1, Site, read_answer, serving

VMLINUZ = "/images/rescue/vmlinuz"


async def test_an_image_comes_whole_with_its_size_and_version(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(VMLINUZ)
    assert (answer.status, answer.body) == (200, KERNEL)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["server"] == "pxed"
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["last-modified"].endswith("GMT")


@pytest.mark.parametrize(
    "target", ["/loaders/snponly.efi", "//loaders//snponly.efi", "/x/../loaders/./snponly.efi", "/loaders\\snponly.efi"]
)
async def test_a_loader_comes_from_every_spelling_of_its_path_without_a_redirect(tmp_path: Path, target: str) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(target)
    assert (answer.status, answer.body) == (200, LOADER)
    assert answer.headers["content-type"] == "application/efi"


async def test_uefi_http_boot_asks_head_then_get_over_one_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        for _ in range(2):
            writer.write(b"HEAD /loaders/snponly.efi HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await read_answer(reader, head=True)
            assert (head.status, head.headers["content-length"]) == (200, str(len(LOADER)))
            writer.write(b"GET /loaders/snponly.efi HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await read_answer(reader)).body == LOADER
        assert len(site.bus.of(Kind.LOADER)) == 2, "HEAD is no stage of a boot"


async def test_a_compressed_neighbour_is_never_sent_instead(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/initrd.img.gz").write_bytes(b"not this")
        answer = await site.ask("/images/rescue/initrd.img", Accept_Encoding="gzip, br")
    assert answer.body == INITRD
    assert "content-encoding" not in answer.headers


async def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        (tmp_path / "data/loaders/empty.efi").write_bytes(b"")
        answer = await site.ask("/loaders/empty.efi")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"Range": "bytes=5-9"}, 206, KERNEL[5:10]),
        ({"Range": "bytes=-7"}, 206, KERNEL[-7:]),
        ({"Range": f"bytes={len(KERNEL) - 2}-"}, 206, KERNEL[-2:]),
        ({"Range": "bytes=5-9", "If_Range": '"old"'}, 200, KERNEL),
        ({"range": "bytes=5-9"}, 206, KERNEL[5:10]),
    ],
)
async def test_ranges(tmp_path: Path, headers: dict[str, str], status: int, body: bytes) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(VMLINUZ, **headers)
    assert (answer.status, answer.body) == (status, body)
    assert ("content-range" in answer.headers) == (status == 206)


async def test_a_range_beyond_the_file_says_how_long_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(VMLINUZ, Range=f"bytes={len(KERNEL)}-")
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(KERNEL)}"
    assert str(len(KERNEL)) in answer.text


async def test_who_has_the_file_already_gets_304(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        etag = (await site.ask(VMLINUZ, "HEAD")).headers["etag"]
        again = await site.ask(VMLINUZ, If_None_Match=etag)
        assert (again.status, again.body) == (304, b"")
        assert (await site.ask(VMLINUZ, If_Match='"x"')).status == 412
        os.utime(tmp_path / "data/images/r/vmlinuz", (1, 1))
        assert (await site.ask(VMLINUZ, If_None_Match=etag)).status == 200


@pytest.mark.parametrize(
    ("target", "status", "part"),
    [
        ("/images/none/vmlinuz", 404, "no image 'none'"),
        ("/images/rescue/none", 404, "no file 'none'"),
        ("/images/rescue/../../pxed.yaml", 404, "pxed.yaml"),
        ("/images/gone/gone", 404, "r/gone"),
        ("/images/far/vmlinuz", 404, "http://mirror.example/vmlinuz"),
        ("/loaders/none.efi", 404, "none.efi"),
        ("/loaders/sub", 404, "sub"),
        ("/loaders/out.efi", 403, "symbolic link"),
        ("/loaders/../../node.ign", 400, "climbs"),
    ],
)
async def test_what_is_not_handed_out_is_refused_with_a_sentence(
    tmp_path: Path, target: str, status: int, part: str
) -> None:
    async with serving(tmp_path) as site:
        (tmp_path / "data/loaders/out.efi").symlink_to(tmp_path / "node.ign")
        answer = await site.ask(target)
        assert answer.status == status
        assert part in answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        (event,) = site.bus.of(Kind.REFUSED)
        assert event.data["status"] == status


async def test_an_image_that_is_missing_is_a_warning_of_its_machine(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.clients.learn("127.0.0.1", MAC1)
        await site.ask("/images/gone/gone")
        (event,) = site.bus.of(Kind.REFUSED)
    assert (event.level, event.machine, event.mac) == (Level.WARNING, "node1", MAC1)


async def test_kernel_and_initrd_are_stages_of_the_machine_at_the_address(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.clients.learn("127.0.0.1", MAC1)
        await site.ask(VMLINUZ)
        await site.ask("/images/rescue/initrd.img")
        kernel, initrd = await site.bus.wait_for(Kind.KERNEL), await site.bus.wait_for(Kind.INITRD)
    assert (kernel.machine, kernel.data["bytes"], kernel.data["file"]) == ("node1", len(KERNEL), "vmlinuz")
    assert (initrd.machine, initrd.data["bytes"]) == ("node1", len(INITRD))
    assert f"sent vmlinuz, {len(KERNEL)} bytes in " in kernel.text


async def test_a_download_in_pieces_is_one_stage_at_its_last_byte(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask(VMLINUZ, Range="bytes=1000-")
        assert not site.bus.of(Kind.KERNEL)
        await site.ask(VMLINUZ, Range="bytes=0-999")
        await site.bus.wait_for(Kind.KERNEL)
        assert [event.level for event in site.bus.of(Kind.TRANSFER)] == [Level.DEBUG]


async def test_a_transfer_that_breaks_off_is_a_warning_that_says_how_far_it_came(tmp_path: Path) -> None:
    size = 32 << 20
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/vmlinuz").write_bytes(bytes(size))
        reader, writer = await site.connect()
        writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(1000)
        writer.transport.abort()
        event = await site.bus.wait_for(Kind.TRANSFER)
        assert event.level is Level.WARNING
        assert isinstance(event.data["bytes"], int)
        assert 0 < event.data["bytes"] < size
        assert f"of {size} bytes" in event.text
        assert not site.bus.of(Kind.KERNEL)
        assert (await site.ask("/healthz")).status == 200


async def test_a_file_that_is_cut_short_while_it_is_sent_ends_the_connection(tmp_path: Path) -> None:
    size = 32 << 20
    path = tmp_path / "data/images/r/vmlinuz"
    async with serving(tmp_path) as site:
        path.write_bytes(bytes(size))
        reader, writer = await site.connect()
        writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        os.truncate(path, 100)
        with pytest.raises(OSError):
            while await reader.read(1 << 20):
                pass
            raise OSError("closed in good order")
        assert (await site.bus.wait_for(Kind.TRANSFER)).level is Level.WARNING


async def test_curl_gets_a_hundred_megabytes_unharmed_and_resumes(tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 100
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/vmlinuz").write_bytes(content)
        target = tmp_path / "got"
        target.write_bytes(content[: 60 << 20])
        code, output = await site.curl("-C", "-", "-o", str(target), site.url + VMLINUZ)
        assert (code, output) == (0, b"")
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()
        code, _ = await site.curl("-o", str(target), site.url + VMLINUZ)
        assert code == 0
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()
        assert len(site.bus.of(Kind.KERNEL)) == 1


async def test_curl_s_own_view_of_head_range_and_unnormalised_paths(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        _, head = await site.curl("-I", site.url + VMLINUZ)
        assert f"Content-Length: {len(KERNEL)}".encode() in head
        _, part = await site.curl("-r", "10-19", site.url + VMLINUZ)
        assert part == KERNEL[10:20]
        _, whole = await site.curl("--path-as-is", f"{site.url}//a/../images/./rescue//vmlinuz")
        assert whole == KERNEL
        _, old = await site.curl("--http1.0", site.url + VMLINUZ)
        assert old == KERNEL
        code, _ = await site.curl("-f", f"{site.url}/images/rescue/none")
        assert code == 22


async def test_a_file_system_without_sendfile_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(sendfile_module.os, "sendfile", refuse)
    async with serving(tmp_path) as site:
        assert (await site.ask(VMLINUZ)).body == KERNEL
        assert (await site.ask(VMLINUZ, Range="bytes=7-")).body == KERNEL[7:]


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask(VMLINUZ)
        before = _descriptors()
        for _ in range(20):
            await _ask_and_close(site)
        assert _descriptors() <= before + 1


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _ask_and_close(site: Site) -> None:
    reader, writer = await site.connect()
    writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert (await read_answer(reader)).body == KERNEL
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_the_kernel_is_told_to_end_a_stalled_transfer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_USER_TIMEOUT, shortened: a reader that never reads is dropped and what waited for it is told."""
    monkeypatch.setattr("pxed.server.downloads.STALL_SECONDS", 1.0)
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/vmlinuz").write_bytes(bytes(64 << 20))
        with socket.create_connection(("127.0.0.1", site.port)) as silent:
            silent.sendall(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            event = await site.bus.wait_for(Kind.TRANSFER)
    assert event.level is Level.WARNING
