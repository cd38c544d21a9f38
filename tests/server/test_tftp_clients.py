"""TFTP clients that we did not write fetch files, and each gets the exact bytes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import tftpy

from tests.server.tftp_site import Site, serving

Command = Callable[[int, str, Path], list[str]]


def atftp(*options: str) -> Command:
    flags = [flag for option in options for flag in ("--option", option)]
    return lambda port, name, to: ["atftp", *flags, "--get", "-r", name, "-l", str(to), "127.0.0.1", str(port)]


def curl(blksize: int, *flags: str, query: str = "") -> Command:
    size = ["--tftp-blksize", str(blksize)]
    return lambda port, name, to: [
        *("curl", "-sS", *size, *flags, "-o", str(to)),
        f"tftp://127.0.0.1:{port}/{name}{query}",
    ]


def hpa(port: int, name: str, to: Path) -> list[str]:
    return ["tftp", "-m", "octet", "127.0.0.1", str(port), "-c", "get", name, str(to)]


def busybox(*flags: str) -> Command:
    return lambda port, name, to: [
        *("busybox", "tftp", *flags, "-g", "-r", name, "-l", str(to), "127.0.0.1", str(port)),
    ]


CLIENTS: dict[str, Command] = {
    "atftp without options": atftp(),
    "atftp with blksize and tsize": atftp("blksize 1468", "tsize"),
    "atftp with a window of 16": atftp("blksize 1468", "windowsize 16"),
    "atftp with a window of 64 and small blocks": atftp("blksize 512", "windowsize 64"),
    "atftp with a timeout": atftp("timeout 3"),
    "curl": curl(512),
    "curl without options": curl(512, "--tftp-no-options"),
    "curl with big blocks": curl(1468),
    "curl with blocks bigger than the MTU": curl(65464),
    "tftp-hpa": hpa,
    "busybox": busybox(),
    "busybox with blksize": busybox("-b", "1468"),
}

SIZES = [0, 1, 512 * 3, 1468 * 4, 65464, 500_001]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as site:
        yield site


async def run(command: list[str]) -> None:
    """Run a client; skip if the host does not have it."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# curl 7.88 takes the tsize 0 of an empty file for an invalid option: "invalid tsize -:0:- value in OACK packet".
FETCHES = {
    f"{name}, {size} bytes": (client, size)
    for name, client in CLIENTS.items()
    for size in SIZES
    if size or not name.startswith("curl") or name == "curl without options"
}


@pytest.mark.parametrize(("client", "size"), FETCHES.values(), ids=FETCHES.keys())
async def test_fetches_the_exact_bytes(site: Site, tmp_path: Path, client: Command, size: int) -> None:
    content = site.write("x.efi", os.urandom(size))
    target = tmp_path / "fetched"
    await run(client(site.port, "x.efi", target))
    assert digest(target.read_bytes() if target.exists() else b"") == digest(content)  # some write no empty file
    event = await site.ended()
    assert (event.data["bytes"], event.data["retransmits"]) == (size, 0)


@pytest.mark.parametrize(
    ("client", "blksize", "windowsize"),
    [
        (atftp("blksize 1024", "windowsize 16"), 1024, 16),
        (atftp("windowsize 1000"), 512, 64),
        (curl(65464), 1468, 1),
        (busybox("-b", "1300"), 1300, 1),
    ],
    ids=["atftp", "atftp asks for more than is granted", "curl asks for more than is granted", "busybox"],
)
async def test_options_are_used_as_granted(
    site: Site, tmp_path: Path, client: Command, blksize: int, windowsize: int
) -> None:
    site.write("x", bytes(20_000))
    await run(client(site.port, "x", tmp_path / "fetched"))
    event = await site.ended()
    assert (event.data["blksize"], event.data["windowsize"]) == (blksize, windowsize)


@pytest.mark.parametrize(
    "client",
    [curl(512), hpa, busybox(), atftp("windowsize 32"), atftp()],
    ids=["curl", "tftp-hpa", "busybox", "atftp with windows", "atftp"],
)
async def test_a_file_of_more_than_65535_blocks_arrives(site: Site, tmp_path: Path, client: Command) -> None:
    content = site.write("long", os.urandom(1 << 20) * 33)  # 67,584 blocks of 512 bytes
    await run(client(site.port, "long", tmp_path / "fetched"))
    assert digest((tmp_path / "fetched").read_bytes()) == digest(content)


async def test_netascii_by_curl(site: Site, tmp_path: Path) -> None:
    site.write("menu", b"one\ntwo\n" * 300)
    await run(curl(512, query=";mode=netascii")(site.port, "menu", tmp_path / "fetched"))
    assert (tmp_path / "fetched").read_bytes() == b"one\r\ntwo\r\n" * 300  # curl leaves the text form as it is


async def test_netascii_by_tftp_hpa(site: Site, tmp_path: Path) -> None:
    content = site.write("menu", b"one\r\ntwo\n\r" * 300)
    command = hpa(site.port, "menu", tmp_path / "fetched")
    command[2] = "netascii"
    await run(command)
    assert (tmp_path / "fetched").read_bytes() == content


async def test_different_clients_at_once(site: Site, tmp_path: Path) -> None:
    contents = {f"file{number}": site.write(f"file{number}", os.urandom(300_000)) for number in range(len(CLIENTS))}
    commands = zip(CLIENTS.values(), contents, strict=True)
    await asyncio.gather(*(run(client(site.port, name, tmp_path / f"got-{name}")) for client, name in commands))
    assert {name: digest((tmp_path / f"got-{name}").read_bytes()) for name in contents} == {
        name: digest(content) for name, content in contents.items()
    }


@pytest.mark.parametrize(
    "options", [{}, {"blksize": 1468}, {"blksize": 1468, "tsize": 0}], ids=["none", "blksize", "tsize"]
)
@pytest.mark.parametrize("size", SIZES)
async def test_tftpy_fetches_the_exact_bytes(site: Site, tmp_path: Path, options: dict[str, int], size: int) -> None:
    content = site.write("x", os.urandom(size))
    client = tftpy.TftpClient("127.0.0.1", site.port, options)
    await asyncio.to_thread(client.download, "x", str(tmp_path / "fetched"))
    assert digest((tmp_path / "fetched").read_bytes()) == digest(content)


async def test_tftpy_is_told_what_is_missing(site: Site, tmp_path: Path) -> None:
    client = tftpy.TftpClient("127.0.0.1", site.port)
    with pytest.raises(tftpy.TftpFileNotFoundError):
        await asyncio.to_thread(client.download, "missing", str(tmp_path / "fetched"))
