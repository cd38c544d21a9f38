"""Connections: what a bare socket can do to the server, and what it gets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.server import connections as module
from tests.server.httpsite import KERNEL, Site, read_answer, serving


async def exchange(site: Site, sent: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await site.connect()
    writer.write(sent)
    async with asyncio.timeout(20):
        return await reader.read()


async def test_http_1_0_is_answered_and_closed(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await exchange(site, b"GET /images/rescue/vmlinuz HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert body == KERNEL


async def test_http_1_0_may_ask_to_keep_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        for _ in range(2):
            writer.write(b"GET /boot.ipxe HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await read_answer(reader)).headers["connection"] == "keep-alive"


async def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        targets = ["/boot.ipxe", "/images/rescue/vmlinuz", "/none", "/images/rescue/initrd.img", "/healthz"]
        writer.write(b"".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for target in targets))
        answers = [await read_answer(reader) for _ in targets]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert answers[1].body == KERNEL


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
        b"GET / HTTP/9.9x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(200)) + b"\r\n",
    ],
    ids=[
        "garbage",
        "TLS",
        "version",
        "header",
        "negative length",
        "two lengths",
        "long line",
        "long header",
        "headers",
    ],
)
async def test_what_is_no_request_gets_400_in_plain_words_and_is_closed(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path) as site:
        answer = await exchange(site, sent)
        assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
        assert b"Server: pxed\r\n" in answer
        assert b"not an HTTP request" in answer
        (event,) = site.bus.of(Kind.UNDECODABLE)
        assert (event.level, event.data["address"]) == (Level.DEBUG, "127.0.0.1")
        assert event.text.isprintable()
        assert (await site.ask("/healthz")).status == 200


async def test_a_wrong_method_is_told_the_right_ones(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask("/boot.ipxe", "PUT")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        assert (await site.ask("/report/node1")).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/none", 404),
        ("/../x", 400),
        ("/images/none/x", 404),
        ("/a%00b", 400),
        ("/" + "x" * 5000, 414),
        ("/ignition/x", 404),
    ],
)
async def test_every_error_is_one_plain_sentence(tmp_path: Path, target: str, status: int) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(target)
        assert answer.status == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["server"] == "pxed"
        assert answer.text.endswith("\n")
        assert answer.text.count("\n") == 1


async def test_no_answer_is_a_redirect(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for target in ("//boot.ipxe", "/boot.ipxe/", "/api/v1/machines/", "/images", "/./x/../healthz"):
            assert not 300 <= (await site.ask(target)).status < 400


async def test_a_failing_page_is_a_500_that_keeps_the_server_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    async with serving(tmp_path) as site:
        monkeypatch.setattr("pxed.server.bootpages.entry_script", fail)
        answer = await site.ask("/boot.ipxe")
        assert (answer.status, "planted" in answer.text) == (500, False)
        assert "planted" in caplog.text
        assert site.bus.of(Kind.REFUSED)[0].level is Level.WARNING
        assert (await site.ask("/healthz")).status == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "half a request"])
async def test_a_connection_that_asks_nothing_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    async with serving(tmp_path) as site:
        assert await exchange(site, sent) == b""


async def test_headers_that_trickle_do_not_hold_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.2)
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        writer.write(b"GET / HTTP/1.1\r\n")

        async def trickle() -> None:
            for i in range(10_000):
                writer.write(b"X%d: y\r\n" % (i % 10))
                await asyncio.sleep(0.01)

        trickling = asyncio.ensure_future(trickle())
        try:
            async with asyncio.timeout(20):
                assert b"200 OK" not in await _read_all(reader)
        finally:
            trickling.cancel()
            await asyncio.gather(trickling, return_exceptions=True)


async def test_the_number_of_connections_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    async with serving(tmp_path) as site:
        first, second = await site.connect(), await site.connect()
        for reader, writer in (first, second):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await read_answer(reader)).status == 200
        third, _ = await site.connect()
        async with asyncio.timeout(20):
            assert await _read_all(third) == b""
        first[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(first[0])).status == 200


async def test_a_drain_lets_a_download_end_and_takes_no_new_one(tmp_path: Path) -> None:
    size = 64 << 20
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/vmlinuz").write_bytes(bytes(size))
        idle, _ = await site.connect()
        reader, writer = await site.connect()
        writer.write(b"GET /images/rescue/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        draining = asyncio.ensure_future(site.server.drain(20))
        await asyncio.sleep(0)
        with pytest.raises(OSError):
            await site.connect()
        async with asyncio.timeout(20):
            assert await idle.read() == b"", "idle connections are closed"
            assert len(await reader.readexactly(size)) == size
            await draining
        assert not site.bus.of(Kind.NOTICE)


async def test_a_drain_ends_in_bounded_time_and_says_what_it_broke_off(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        (tmp_path / "data/images/r/vmlinuz").write_bytes(bytes(64 << 20))
        reader, writer = await site.connect()
        writer.write(b"GET /images/rescue/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await site.server.drain(0.05)
        assert "1 HTTP transfers" in site.bus.of(Kind.NOTICE)[0].text
        await site.server.close()
        assert (await site.bus.wait_for(Kind.TRANSFER)).level is Level.WARNING
        assert site.server.active == 0


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
