"""/api/v1/events, /healthz and the index page."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pxed import __version__
from pxed.events import Event, Kind, Level
from pxed.server import api as module
from tests.server.httpsite import MAC1, STRANGER, Site, serving


def event(machine: str = "node1", mac: str = MAC1, at: float | None = None, **fields: Any) -> Event:
    kind = fields.pop("kind", Kind.SCRIPT)
    return Event(kind, time.time() if at is None else at, machine, mac, fields.pop("text", "text"), **fields)


class Stream:
    """A reader of server-sent events (HTML Living Standard 9.2), out of the chunks that HTTP/1.1 needs here."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._text = ""

    async def next_block(self) -> str:
        """The next block between empty lines."""
        async with asyncio.timeout(20):
            while "\n\n" not in self._text:
                size = int(await self._reader.readline(), 16)
                if size == 0:
                    raise EOFError
                self._text += (await self._reader.readexactly(size + 2))[:-2].decode()
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def next_event(self) -> tuple[str, str, dict[str, Any]]:
        """Id, name and data of the next event."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self.next_block()).split("\n") if ": " in line)
            if "data" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])


async def subscribe(site: Site, query: str = "", last: str = "") -> Stream:
    reader, writer = await site.connect()
    header = f"Last-Event-ID: {last}\r\n" if last else ""
    writer.write(f"GET /api/v1/events{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    stream = Stream(reader)
    assert (await stream.next_block()).startswith("retry: ")
    return stream


async def test_health_counts_machines_and_loads(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        health = json.loads((await site.ask("/healthz")).body)
    assert (health["status"], health["machines"], health["generation"]) == ("ok", 4, 1)
    assert (health["version"], health["failing"]) == (__version__, None)


async def test_health_says_that_the_store_fails_and_since_when_and_not_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.keeper.failing = True
        answer = await site.ask("/healthz")
        assert (await site.ask("/healthz", "HEAD")).status == 503
    health = json.loads(answer.body)
    assert (answer.status, health["status"], health["machines"]) == (503, "failing", 4)
    assert (health["failing"]["what"], health["failing"]["since"]) == ("state store", 1790000000.0)
    assert "the log says what is wrong" in health["failing"]["text"]
    assert "full" not in answer.text


async def test_the_index_leads_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask("/")
        assert answer.headers["content-type"].startswith("text/html")
        for target in (
            "/healthz",
            "/api/v1/machines",
            "/api/v1/boots",
            "/api/v1/alerts",
            "/api/v1/events",
            "/api/v1/fleet",
        ):
            assert f'href="{target}"' in answer.text
            assert (await site.ask(target, "HEAD")).status == 200


async def test_events_are_streamed_as_they_happen(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        stream = await subscribe(site)
        site.bus.emit(event(text="one", at=1.5, data={"bytes": 7}))
        site.bus.emit(event(text="unseen", level=Level.DEBUG))
        site.bus.emit(event(text="two\nlines", kind=Kind.KERNEL, at=2.5))
        assert await stream.next_event() == (
            "1.500000",
            "script",
            {
                "time": 1.5,
                "kind": "script",
                "level": "info",
                "machine": "node1",
                "mac": MAC1,
                "text": "one",
                "bytes": 7,
            },
        )
        identifier, name, data = await stream.next_event()
        assert (identifier, name, data["text"]) == ("2.500000", "kernel", "two\nlines")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?machine=node1", ["of node1", "end"]),
        (f"?machine={MAC1}", ["of node1", "end"]),
        (f"?machine={STRANGER}", ["of a stranger"]),
        ("?level=debug", ["of node1", "of node2", "of a stranger", "debug", "warning", "end"]),
        ("?level=warning", ["warning"]),
        ("", ["of node1", "of node2", "of a stranger", "warning", "end"]),
    ],
)
async def test_a_stream_can_be_for_one_machine_or_level(tmp_path: Path, query: str, expected: list[str]) -> None:
    async with serving(tmp_path) as site:
        stream = await subscribe(site, query)
        site.bus.emit(event(text="of node1"))
        site.bus.emit(event("node2", "", text="of node2"))
        site.bus.emit(event("", STRANGER, text="of a stranger"))
        site.bus.emit(event("node2", "", text="debug", level=Level.DEBUG))
        site.bus.emit(event("node2", "", text="warning", level=Level.WARNING))
        site.bus.emit(event(text="end"))
        assert [(await stream.next_event())[2]["text"] for _ in expected] == expected


async def test_a_reader_that_comes_back_gets_what_it_missed_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for at in (1.0, 2.0, 3.0):
            site.bus.emit(event(text=f"at {at}", at=at))
        stream = await subscribe(site, last="1.000000")
        site.bus.emit(event(text="at 4.0", at=4.0))
        assert [(await stream.next_event())[0] for _ in range(3)] == ["2.000000", "3.000000", "4.000000"]


async def test_a_replay_is_bounded_to_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLAY", 2)
    async with serving(tmp_path) as site:
        for at in (1.0, 2.0, 3.0):
            site.bus.emit(event(at=at))
        stream = await subscribe(site, "?after=0")
        assert [(await stream.next_event())[0] for _ in range(2)] == ["2.000000", "3.000000"]


async def test_a_silent_stream_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.02)
    async with serving(tmp_path) as site:
        stream = await subscribe(site)
        assert [await stream.next_block() for _ in range(2)] == [":", ":"]


@pytest.mark.parametrize(("query", "status"), [("?level=loud", 400), ("?machine=nobody", 404)])
async def test_a_filter_that_is_none_is_refused(tmp_path: Path, query: str, status: int) -> None:
    async with serving(tmp_path) as site:
        assert (await site.ask(f"/api/v1/events{query}")).status == status


async def test_streams_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 1)
    async with serving(tmp_path) as site:
        await subscribe(site)
        assert (await site.ask("/api/v1/events")).status == 503


async def test_a_reader_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await subscribe(site)
        assert site.bus.subscribers == 1
        site.streams[-1].transport.abort()
        async with asyncio.timeout(20):
            while site.bus.subscribers or site.server.active:
                site.bus.emit(event())
                await asyncio.sleep(0)


async def test_a_reader_that_is_too_slow_is_let_go(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        stream = await subscribe(site)
        site.bus.cut()
        with pytest.raises(EOFError):
            await stream.next_event()


async def test_a_drain_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        stream = await subscribe(site)
        await site.server.drain(20)
        assert not site.bus.of(Kind.NOTICE)
        with pytest.raises(EOFError):
            await stream.next_event()
