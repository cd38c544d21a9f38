"""The syslog receiver, with util-linux's logger as the client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pxed.events import Event, Kind, Level
from pxed.inventory.loader import loads
from pxed.server import syslog, udp
from pxed.server.interfaces import Interfaces
from pxed.server.sockets import open_all
from pxed.server.syslog import SyslogServer
from tests.ports import free_port
from tests.server.httpsite import until

MAC = "52:54:00:00:00:01"


@dataclass
class Site:
    port: int
    events: list[Event] = field(default_factory=list)
    now: float = 0.0

    async def logger(self, *words: str) -> None:
        """util-linux's own client."""
        argv = ("logger", "--server", "127.0.0.1", "--udp", "--port", str(self.port), *words)
        process = await asyncio.create_subprocess_exec(*argv)
        assert await process.wait() == 0

    async def send(self, *lines: bytes, source: str = "127.0.0.1") -> None:
        """Lines of one source, until the last was read: it is told by its own words."""
        seen = len(self.events)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            for line in lines:
                sock.sendto(line, ("127.0.0.1", self.port))
        await until(lambda: len(self.events) > seen)


def who(address: str) -> tuple[str, str]:
    return ("node1", MAC) if address == "127.0.0.1" else ("", "")


@asynccontextmanager
async def receiving() -> AsyncIterator[Site]:
    interfaces = Interfaces(loads("server: {interfaces: lo}", Path("/pxed.yaml")).server)
    interfaces.refresh()
    sock = udp.bind(0, None, "127.0.0.1")
    site = Site(sock.getsockname()[1])
    server = SyslogServer(interfaces, site.events.append, who, lambda: site.now)
    server.attach(sock)
    try:
        yield site
    finally:
        server.close()


FORMS = {"RFC 5424": "--rfc5424", "RFC 3164": "--rfc3164"}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_line_of_a_real_client_is_the_machines(form: str) -> None:
    async with receiving() as site:
        await site.logger(
            form, "--tag", "ignition", "--priority", "daemon.err", "--id=77", "failed to fetch config: \x1b"
        )
        await until(lambda: bool(site.events))
        (event,) = site.events
    assert (event.kind, event.level, event.machine, event.mac) == (Kind.SYSLOG, Level.DEBUG, "node1", MAC)
    assert event.text == "failed to fetch config: \\x1b"
    assert event.data == {
        "address": "127.0.0.1", "interface": "lo", "facility": "daemon", "severity": "err", "tag": "ignition",
    }  # fmt: skip


async def test_a_line_of_nobody_we_know_is_told_without_a_machine() -> None:
    async with receiving() as site:
        await site.send(b"<14>x: hello", source="127.0.0.9")
        (event,) = site.events
    assert (event.machine, event.mac, event.text, event.data["address"]) == ("", "", "hello", "127.0.0.9")


async def test_a_source_that_floods_loses_lines_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "PER_SECOND", 3)
    async with receiving() as site:
        await site.send(*(f"<14>x: {number}".encode() for number in range(8)))
        await site.send(b"<14>x: another", source="127.0.0.9")  # which comes after all of those
        site.now = 1.0
        await site.send(b"<14>x: later")
    assert [event.text for event in site.events] == ["0", "1", "2", "another", "later"]
    assert [event.data.get("dropped") for event in site.events] == [None] * 4 + [5]


async def test_all_sources_together_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "IN_ALL_PER_SECOND", 2)
    async with receiving() as site:
        for last in range(2, 6):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((f"127.0.0.{last}", 0))
                sock.sendto(b"<14>x: %d" % last, ("127.0.0.1", site.port))
        await until(lambda: len(site.events) == 2)
        site.now = 1.0
        await site.send(b"<14>x: later")
    assert [event.text for event in site.events] == ["2", "3", "later"]


async def test_the_sources_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "MOST_SOURCES", 2)
    monkeypatch.setattr(syslog, "PER_SECOND", 1)
    async with receiving() as site:
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2"):
            await site.send(b"<14>x: 1", source=source)  # the first is forgotten by then, and has its allowance again
    assert len(site.events) == 4


@pytest.mark.parametrize(("setting", "port"), [("off", None), ("on", 514), ("{port: 5514}", 5514), ("{}", 514)])
def test_the_setting(setting: str, port: int | None) -> None:
    found = loads(f"server: {{syslog: {setting}}}", Path("/pxed.yaml")).server.syslog
    assert (found.port if found is not None else None) == port


@pytest.mark.parametrize("setting", ["maybe", "514", "{port: 0}", "{port: 5514, tcp: true}"])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(Exception, match=r"server\.syslog"):
        loads(f"server: {{syslog: {setting}}}", Path("/pxed.yaml"))


def test_its_socket_is_opened_with_the_others() -> None:
    port, http, tftp = (free_port(kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_DGRAM))
    text = f"server: {{dhcp: off, syslog: {{port: {port}}}, http: {{port: {http}}}, tftp: {{port: {tftp}}}}}"
    sockets = open_all(loads(text, Path("/pxed.yaml")).server, {})
    try:
        assert [sock.getsockname() for sock in sockets.syslog] == [("0.0.0.0", port)]
        assert sockets.rivals == []
    finally:
        sockets.close()
