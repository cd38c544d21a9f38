"""The event bus: nothing blocks, nothing grows without a bound, what is lost is said."""

import asyncio
import io
import json
import threading

from pxed.events import Event, Kind, Level
from pxed.server import bus as bus_module
from pxed.server.bus import Bus, LogWriter, as_json, as_text
from pxed.status.journal import Journal

OFFER = Event(
    Kind.OFFER, 1795000000.25, "node1", "52:54:00:00:00:01", "offered snponly.efi", data={"file": "snponly.efi"}
)


class Sink(io.BytesIO):
    """A stream that survives its writer."""

    def close(self) -> None:
        self.kept = self.getvalue()


def make(level: Level = Level.INFO, render=as_text) -> tuple[Bus, Sink]:
    sink = Sink()
    return Bus(Journal(), LogWriter(sink), render, level), sink


def test_a_text_line_has_the_machine_first():
    assert as_text(OFFER) == "2026-11-18T11:06:40.250Z INFO    node1 [52:54:00:00:00:01]: offer: offered snponly.efi"


def test_a_json_line_has_the_events_data():
    assert json.loads(as_json(OFFER)) == {
        "time": 1795000000.25,
        "kind": "offer",
        "level": "info",
        "machine": "node1",
        "mac": "52:54:00:00:00:01",
        "text": "offered snponly.efi",
        "file": "snponly.efi",
    }


def test_a_peer_cannot_forge_log_lines():
    forged = Event(Kind.REFUSED, 0.0, text="no file a\nnode1: running\x1b[2J")
    for render in (as_text, as_json):
        line = render(forged)
        assert "\n" not in line
        assert "\x1b" not in line


async def test_events_reach_log_journal_and_subscribers_in_order():
    bus, sink = make()
    received = []

    async def read() -> None:
        async for event in bus.subscribe():
            received.append(event)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    bus.emit(OFFER)
    bus.defer(lambda text: Event(Kind.SCRIPT, 2.0, "node1", text=text), "later")
    bus.close()
    await reader
    assert [event.kind for event in received] == [Kind.OFFER, Kind.SCRIPT]
    assert bus.journal.events("node1") == tuple(received)
    assert len(sink.getvalue().splitlines()) == 2


async def test_events_below_the_level_are_kept_but_not_written():
    bus, sink = make(Level.WARNING)
    bus.emit(OFFER)
    bus.close()
    assert sink.getvalue() == b""
    assert bus.journal.events("node1") == (OFFER,)


async def test_a_flood_loses_its_oldest_events_and_says_how_many(monkeypatch):
    monkeypatch.setattr(bus_module, "PENDING_EVENTS", 10)
    bus, sink = make()
    for number in range(25):
        bus.emit(Event(Kind.OFFER, float(number), "node1"))
    bus.close()
    assert [event.time for event in bus.journal.events("node1")] == [float(n) for n in range(15, 25)]
    assert b"15 log lines were lost" in sink.getvalue()


async def test_observers_get_each_batch_whole_and_one_that_fails_stops_nothing(caplog):
    bus, sink = make()
    batches = []

    def fails(_events: list[Event]) -> None:
        raise RuntimeError("a bug of the observer")

    bus.observers += [fails, batches.append]
    later = Event(Kind.PROGRESS, 2.0, "node1", level=Level.DEBUG)
    bus.emit(OFFER)
    bus.defer(lambda: later)
    bus.close()
    assert batches == [[OFFER, later]]
    assert len(sink.getvalue().splitlines()) == 1
    assert "a bug of the observer" in caplog.text


async def test_a_subscriber_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr(bus_module, "SUBSCRIBER_EVENTS", 3)
    bus, _sink = make()
    stream = bus.subscribe()
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    for _ in range(10):
        bus.emit(OFFER)
    bus.close()
    assert await first == OFFER
    rest = [event async for event in stream]
    assert len(rest) < 9


async def test_a_blocked_log_reader_does_not_block_emit(monkeypatch):
    monkeypatch.setattr(bus_module, "UNWRITTEN_CHUNKS", 1)
    blocked, go = threading.Event(), threading.Event()

    class Stuck(Sink):
        def write(self, chunk: bytes) -> int:
            blocked.set()
            go.wait()
            return super().write(chunk)

    sink = Stuck()
    bus = Bus(Journal(), LogWriter(sink), as_text)
    bus.emit(OFFER)
    bus._flush()
    blocked.wait()
    for _ in range(5):
        bus.emit(OFFER)
        bus._flush()
    go.set()
    bus.close()
    assert len(bus.journal.events("node1")) == 6
    written = sink.getvalue().count(b"offered")
    assert written < 6
    assert f"{6 - written} log lines were lost".encode() in sink.getvalue()
