"""/api/v1/fleet with its events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pxed.events import Event, Kind, Level
from pxed.server import api_fleet as module
from pxed.server.fleet import COLUMNS
from pxed.status.boots import Outcome, Stage
from pxed.status.records import Alert
from tests.server.httpsite import INVENTORY, MAC1, MAC2, STRANGER, Site, serving, snapshot
from tests.server.standings import BEARER, Standings, ordering
from tests.server.test_api import Stream
from tests.server.timelines import T, Timelines, boot_of, stuck


async def fleet(site: Site) -> tuple[int, dict[str, dict[str, Any]]]:
    """The version, and the rows by name."""
    answer = json.loads((await site.ask("/api/v1/fleet")).body)
    assert tuple(answer["columns"]) == COLUMNS
    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
    return answer["version"], {row["name"]: row for row in rows}


async def follow(site: Site, after: int | str = "", last: str = "") -> Stream:
    reader, writer = await site.connect()
    header = f"Last-Event-ID: {last}\r\n" if last else ""
    writer.write(f"GET /api/v1/fleet/events?after={after} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    stream = Stream(reader)
    assert (await stream.next_block()).startswith("retry: ")
    return stream


async def next_rows(stream: Stream) -> tuple[int, dict[str, dict[str, Any]], list[str]]:
    """Version, rows by name and the names that are gone, of the next message, which is one of rows."""
    identifier, kind, data = await stream.next_event()
    assert kind == "rows"
    assert int(identifier) == data["version"]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in data["rows"]]
    return data["version"], {row["name"]: row for row in rows}, data["gone"]


async def test_each_machine_is_a_row_listed_ones_first(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of(STRANGER, STRANGER, "b2"))
    tracker.put(boot_of("node2", MAC2))
    async with serving(tmp_path, tracker=tracker) as site:
        _, rows = await fleet(site)
    assert list(rows) == ["node1", "node2", "node3", "node4", STRANGER]
    never = dict.fromkeys(COLUMNS) | {
        "name": "node1",
        "listed": True,
        "macs": [MAC1],
        "profile": "worker",
        "held": False,
    }
    assert rows["node1"] == never
    assert rows["node2"] == never | {
        "name": "node2", "macs": [MAC2], "profile": "rooted", "stage": "kernel", "speaker": "ipxe", "since": T + 5,
        "began": T, "sent": 30_000_000, "due": 60_000_000, "arch": "x86_64-efi", "interface": "eth1", "last": T + 6,
    }  # fmt: skip
    assert (rows[STRANGER]["listed"], rows[STRANGER]["macs"]) == (False, [STRANGER])


async def test_a_row_has_the_cause_and_the_installation(tmp_path: Path) -> None:
    tracker, text = Timelines(), INVENTORY.replace("disk: {boot: local}", "disk: {boot: install, image: rescue}")
    tracker.put(stuck(boot_of("node1", MAC1)))
    async with serving(tmp_path, tracker=tracker, text=text) as site:
        _, rows = await fleet(site)
    assert (rows["node1"]["severity"], rows["node1"]["fault"]) == ("stuck", "tftp-unreached")
    assert rows["node1"]["verdict"] == tracker.boots["node1"][0].finding.cause
    assert rows["node1"]["outcome"] == "stuck"
    assert (rows["node4"]["install"], rows["node4"]["held"]) == ("wanted", False)


async def test_what_opens_a_config_is_not_told_to_all(tmp_path: Path) -> None:
    text = INVENTORY.replace('mac: "52:54:00:00:00:01"', 'mac: "52:54:00:00:00:01", serial: SECRET1')
    text = text.replace('mac: "52:54:00:00:00:02"', 'mac: "52:54:00:00:00:02", serial: OPEN2')
    text = text.replace("ignition_access: open}", "ignition_access: open, ignition_check: serial}", 1)
    async with serving(tmp_path, text=text) as site:
        _, rows = await fleet(site)
    assert (rows["node1"]["serial"], rows["node2"]["serial"]) == (None, "OPEN2")


async def test_a_reader_gets_the_rows_that_change_and_no_others(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        stream = await follow(site, version)
        boot = tracker.put(boot_of("node1", MAC1))
        first, rows, gone = await next_rows(stream)
        assert (first > version, list(rows), gone) == (True, ["node1"], [])
        boot.stage, boot.outcome = Stage.RUNNING, Outcome.RUNNING
        tracker.put(boot)
        second, rows, _ = await next_rows(stream)
        assert (second > first, rows["node1"]["stage"], rows["node1"]["outcome"]) == (True, "running", "running")


async def test_changes_between_two_messages_are_told_once(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        boot = boot_of("node1", MAC1)
        for bytes_sent in range(100):
            boot.spans[-1].bytes = bytes_sent
            tracker.put(boot)
        _, rows, _ = await next_rows(await follow(site, version))
        assert rows["node1"]["sent"] == 99


async def test_a_reader_that_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        stream = await follow(site, version)
        tracker.put(boot_of("node1", MAC1))
        seen, _, _ = await next_rows(stream)
        tracker.put(boot_of("node2", MAC2))
        _, rows, _ = await next_rows(await follow(site, version, last=str(seen)))
        assert list(rows) == ["node2"]


async def test_many_changes_come_in_pieces_that_a_reader_can_resume_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        for number, name in enumerate(("node1", "node2", "node3")):
            tracker.put(boot_of(name, f"52:54:00:00:00:0{number + 1}", name))
        seen, rows, _ = await next_rows(await follow(site, version))
        assert list(rows) == ["node1", "node2"]
        _, rows, _ = await next_rows(await follow(site, seen))
        assert list(rows) == ["node3"]


@pytest.mark.parametrize("after", [1, 10**18])
async def test_a_version_that_is_not_of_this_daemon_means_reading_anew(tmp_path: Path, after: int) -> None:
    async with serving(tmp_path) as site:
        _, kind, _ = await (await follow(site, after)).next_event()
    assert kind == "reset"


async def test_a_reload_and_a_gap_mean_reading_anew(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        stream = await follow(site, version)
        site.live.snapshot = snapshot(tmp_path, site.port, "ignore", INVENTORY.replace("node4", "node5"))
        assert (await stream.next_event())[1] == "reset"
        _, rows = await fleet(site)
        assert list(rows) == ["node1", "node2", "node3", "node5"]
        tracker.version += 9
        tracker.forgets = tracker.version
        assert (await stream.next_event())[1] == "reset"


async def test_a_machine_that_is_known_no_more_is_gone(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.put(boot_of(STRANGER, STRANGER))
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        stream = await follow(site, version)
        boot = tracker.boots.pop(STRANGER)[0]
        tracker.version += 1
        tracker.log.append((tracker.version, boot.machine))
        _, rows, gone = await next_rows(stream)
    assert (rows, gone) == ({}, [STRANGER])


async def test_an_order_and_an_alert_are_told_at_once(tmp_path: Path) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        version, _ = await fleet(site)
        stream = await follow(site, version)
        await site.ask("/api/v1/machines/node1/next", "POST", b'{"profile": "plain"}', Authorization=BEARER)
        _, rows, _ = await next_rows(stream)
        assert rows["node1"]["next"] == "plain"
        standings.all_alerts.insert(0, Alert("a1", T, "node2", MAC2, "10.0.0.9", "replay", "a spent token"))
        site.bus.emit(Event(Kind.ALERT, T, "node2", MAC2, "a spent token", Level.WARNING))
        block = await stream.next_block()
        assert block.startswith("event: alert\n")
        assert json.loads(block.partition("data: ")[2])["text"] == "a spent token"


async def test_a_silent_stream_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.0)
    async with serving(tmp_path) as site:
        stream = await follow(site)
        assert [await stream.next_block() for _ in range(2)] == [":", ":"]


async def test_streams_are_bounded_and_end_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 1)
    async with serving(tmp_path) as site:
        stream = await follow(site)
        assert (await site.ask("/api/v1/fleet/events")).status == 503
        assert (await site.ask("/api/v1/fleet/events", "HEAD")).status == 503
        await site.server.drain(20)
        assert not site.bus.of(Kind.NOTICE)
        with pytest.raises(EOFError):
            await stream.next_event()


async def test_a_reader_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        await follow(site)
        site.streams[-1].transport.abort()
        async with asyncio.timeout(20):
            while site.server.active:
                tracker.put(boot_of("node1", MAC1))
                await asyncio.sleep(0)


async def test_rows_of_invented_macs_are_forgotten_with_them(tmp_path: Path) -> None:
    tracker = Timelines()
    async with serving(tmp_path, tracker=tracker) as site:
        version, _ = await fleet(site)
        for number in range(3000):
            mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            tracker.put(boot_of(mac, mac, mac))
            del tracker.boots[mac]
        assert (await (await follow(site, version)).next_event())[1] == "reset"
