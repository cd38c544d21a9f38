"""Webhooks against real receivers: signed, in order, tried again, and never in the way of anything else."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pxed.events import Event, Kind, Level, Value
from pxed.inventory.loader import loads
from pxed.server import hookclient
from pxed.server.hookposts import MOST_REMEMBERED, Repeats, name_of
from pxed.server.live import Live, Snapshot
from pxed.server.load import load_snapshot
from pxed.server.webhooks import LONGEST_WISH, MOST_WAITING, TRIES, Webhooks, pause_after, seconds_of
from pxed.status.faults import finding
from pxed.status.wordings import Fault
from tests.inventory.support import problems
from tests.ports import free_port
from tests.server.certificates import authority, signed
from tests.server.httpsite import MAC1, STRANGER, until

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "webhooks.md").read_text()
PXED = Path(sys.executable).with_name("pxed")
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
NOW = 1795000000.0
ALL = ["installing", "installed", "running", "failed", "stuck", "warning", "unknown", "alert"]
Respond = Callable[[int], web.StreamResponse | Awaitable[web.StreamResponse]]


def verified(secret: str, headers: Any, body: bytes) -> bool:
    """The page's own example."""
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    return bool(names["verified"](secret, headers, body))


@dataclass
class Receiver:
    """An HTTP server that keeps what it got. `respond` makes the answer to the n-th request, from 0."""

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    respond: Respond = lambda number: web.Response()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        number = len(self.requests)
        self.requests.append((headers, await request.read()))
        answer = self.respond(number)
        return answer if isinstance(answer, web.StreamResponse) else await answer


@asynccontextmanager
async def receiving(respond: Respond | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    if respond is not None:
        receiver.respond = respond
    server = web.Server(receiver.handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{port}/hook/path-of-its-own?key=of-its-own"
    try:
        yield receiver
    finally:
        listener.close()
        await server.shutdown(0.1)


class Hooks:
    """Webhooks with all that they say; pauses take no time but are kept."""

    def __init__(self, home: Path, *hooks: dict[str, Any]) -> None:
        self.home = home
        self.said: list[Event] = []
        self.pauses: list[float] = []
        self.counts: dict[str, int] = {}
        (home / "secret").write_text(SECRET)
        (home / "secret").chmod(0o600)
        self.live = Live(self.snapshot(*hooks))
        self.hooks = Webhooks(self.live, self.said.append, lambda name: "b" if name else "", self.counts, self.sleep)

    def snapshot(self, *hooks: dict[str, Any]) -> Snapshot:
        given = [{"secret_file": "secret", "events": ALL, **hook} for hook in hooks]
        text = json.dumps({"server": {"webhooks": given}})
        return Snapshot(loads(text, self.home / "pxed.yaml"), None)  # type: ignore[arg-type]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def tell(self, *events: Event) -> None:
        self.hooks.observe(list(events))

    async def idle(self) -> None:
        await until(lambda: self.hooks.waiting == 0)

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.said]


@asynccontextmanager
async def hooks(home: Path, *given: dict[str, Any]) -> AsyncIterator[Hooks]:
    made = Hooks(home, *given)
    try:
        yield made
    finally:
        await made.hooks.close(0.1)


def running(number: int = 0, **data: Value) -> Event:
    return Event(Kind.RUNNING, NOW + number, f"node{number}", MAC1, f"the machine reports: {number}", data=data)


FOUND = finding(Fault.NO_DHCP_SERVER, "offer", NOW, "4 DISCOVERs in 28 s", "no reply was seen", interface="eth1")
STUCK = Event(
    Kind.STUCK, NOW, "node1", MAC1, FOUND.sentence, Level.WARNING,
    {
        "fault": "no-dhcp-server", "severity": "stuck", "stage": "offer", "boot": "9f3c1a2b4d5e", "cause": FOUND.cause,
        "evidence": " | ".join(FOUND.evidence), "remedy": FOUND.remedy,
    },
)  # fmt: skip
NAMES: dict[str, tuple[Event, str | None]] = {
    "a report that it installs": (Event(Kind.INSTALLING, NOW, "a"), "installing"),
    "a report that it is installed": (Event(Kind.INSTALLED, NOW, "a"), "installed"),
    "a report that it runs": (Event(Kind.RUNNING, NOW, "a"), "running"),
    "a report that it failed": (Event(Kind.FAILED, NOW, "a"), "failed"),
    "an attempt without a report": (Event(Kind.STATE, NOW, "a", text="attempt 1 of 3 failed: no report"), "failed"),
    "an attempt that begins": (Event(Kind.STATE, NOW, "a", text="attempt 1 of 3 begins"), None),
    "a boot that is stuck": (STUCK, "stuck"),
    "a boot that may yet go on": (STUCK._replace(data={"severity": "warning"}), "warning"),
    "an alert": (Event(Kind.ALERT, NOW, "a"), "alert"),
    "a stranger": (Event(Kind.IGNORED, NOW, "", STRANGER, data={"reason": "not listed, no group"}), "unknown"),
    "a stranger that is shown a screen": (Event(Kind.HELD, NOW, "", STRANGER), "unknown"),
    "an ordinary DHCP client": (Event(Kind.IGNORED, NOW, "", STRANGER, data={"reason": "not a network boot"}), None),
    "a listed machine that is held": (Event(Kind.HELD, NOW, "a", MAC1), None),
    "an offer": (Event(Kind.OFFER, NOW, "a", MAC1), None),
}


@pytest.mark.parametrize(("event", "name"), NAMES.values(), ids=NAMES)
def test_what_each_event_is_called(event: Event, name: str | None) -> None:
    assert name_of(event) == name


async def test_a_message_is_signed_as_the_page_says_and_has_the_verdict(tmp_path: Path) -> None:
    async with receiving() as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(STUCK)
        await made.idle()
    ((headers, body),) = receiver.requests
    assert re.fullmatch(r"msg_[0-9a-f]{24}", headers["webhook-id"])
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "id": headers["webhook-id"], "event": "stuck", "time": NOW, "machine": "node1", "mac": MAC1,
        "text": FOUND.sentence, "boot": "9f3c1a2b4d5e", "reason": None,
        "verdict": {
            "fault": "no-dhcp-server", "severity": "stuck", "stage": "offer", "cause": FOUND.cause,
            "remedy": FOUND.remedy, "evidence": ["4 DISCOVERs in 28 s", "no reply was seen"],
        },
    }  # fmt: skip
    moment = int(headers["webhook-timestamp"])
    assert verified(SECRET + "\n", headers, body)
    assert not verified("another" * 5, headers, body)
    assert not verified(SECRET, headers, body.replace(b"node1", b"node2"))
    assert not verified(SECRET, headers | {"webhook-timestamp": str(moment - 400)}, body)
    assert made.counts == {"delivered": 1}
    assert made.texts == []


def test_the_message_of_the_page_has_the_fields_of_a_message() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    shown = json.loads(example)
    assert list(shown) == ["id", "event", "time", "machine", "mac", "text", "boot", "reason", "verdict"]
    assert set(shown["verdict"]) == {"fault", "severity", "stage", "cause", "remedy", "evidence"}


async def test_messages_come_in_order_and_each_hook_hears_what_it_wants(tmp_path: Path) -> None:
    async with receiving() as one, receiving() as other:
        given = {"url": one.url}, {"url": other.url, "events": ["installed", "unknown"]}
        async with hooks(tmp_path, *given) as made:
            made.tell(*(running(number) for number in range(20)), Event(Kind.INSTALLED, NOW, "node5", MAC1, "done"))
            await made.idle()
    assert [body["machine"] for body in one.bodies] == [*(f"node{number}" for number in range(20)), "node5"]
    assert [body["event"] for body in other.bodies] == ["installed"]
    assert len({body["id"] for body in one.bodies}) == 21


async def test_what_fails_is_sent_again_with_its_id_and_a_new_signature(tmp_path: Path) -> None:
    def respond(number: int) -> web.Response:
        return web.Response(status=(500, 429, 503, 200, 200)[number])

    async with receiving(respond) as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(running(1), running(2))
        await made.idle()
    assert [body["machine"] for body in receiver.bodies] == ["node1"] * 4 + ["node2"]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 2
    assert all(verified(SECRET, headers, body) for headers, body in receiver.requests)
    assert [0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(made.pauses)] == [True] * 3
    assert made.texts == [
        "webhook 1 (127.0.0.1): it does not take messages: it answered 500; trying again",
        "webhook 1 (127.0.0.1): it takes messages again",
    ]


async def test_it_waits_as_long_as_the_receiver_asks_for(tmp_path: Path) -> None:
    def respond(number: int) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "77"}) if number == 0 else web.Response()

    async with receiving(respond) as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(running())
        await made.idle()
    assert made.pauses == [77.0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("Wed, 18 Nov 2026 11:07:40 GMT", 60), ("Wed, 18 Nov 2026 11:00:00 GMT", 0), ("-1", 0), ("soon", 0),
     ("9" * 5000, LONGEST_WISH), ("", 0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert seconds_of(text, 1795000000.0) == seconds


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 413])
async def test_an_answer_that_no_further_try_changes_is_final_and_no_redirect_is_followed(
    tmp_path: Path, status: int
) -> None:
    async with receiving() as elsewhere:

        def respond(number: int) -> web.Response:
            return web.Response(status=status, headers={"Location": elsewhere.url})

        async with receiving(respond) as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
            made.tell(running(1), running(2))
            await made.idle()
    assert (len(receiver.requests), elsewhere.requests, made.pauses) == (2, [], [])
    assert made.counts == {"refused": 2}
    assert made.texts == [f"webhook 1 (127.0.0.1): it does not take messages: it answered {status}"]


async def test_after_ten_tries_the_next_message_has_its_turn(tmp_path: Path) -> None:
    def respond(number: int) -> web.Response:
        return web.Response(status=500 if number < TRIES else 200)

    async with receiving(respond) as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(running(1), running(2))
        await made.idle()
    assert [body["machine"] for body in receiver.bodies] == ["node1"] * TRIES + ["node2"]
    assert made.counts == {"failed": 1, "delivered": 1}
    assert len(made.pauses) == TRIES - 1
    assert any("gave up after 10 tries to tell of an event (running): it answered 500" in text for text in made.texts)


def test_pauses_grow_to_five_minutes_and_differ() -> None:
    assert all(150 <= pause_after(number) <= 300 for number in (TRIES, 20, 100))
    assert len({pause_after(5) for _ in range(20)}) > 1


async def test_a_hook_that_hangs_delays_no_other(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def hang() -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with receiving(lambda _: hang()) as slow, receiving() as quick:
        async with hooks(tmp_path, {"url": slow.url}, {"url": quick.url}) as made:
            made.tell(*(running(number) for number in range(5)))
            await until(lambda: len(quick.requests) == 5 and made.hooks.waiting == 5)
            assert len(slow.requests) == 1
            release.set()
            await made.idle()
        assert [body["machine"] for body in slow.bodies] == [f"node{number}" for number in range(5)]


async def test_a_full_queue_loses_its_oldest_and_says_so_once(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def hang() -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with receiving(lambda _: hang()) as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(running(0))
        await until(lambda: len(receiver.requests) == 1)
        made.tell(*(running(number) for number in range(1, MOST_WAITING + 11)))
        assert made.hooks.waiting == MOST_WAITING + 1
        release.set()
        await made.idle()
    kept = [body["machine"] for body in receiver.bodies]
    assert kept == ["node0", *(f"node{number}" for number in range(11, MOST_WAITING + 11))]
    assert made.counts == {"dropped": 10, "delivered": MOST_WAITING + 1}
    assert made.texts == [
        f"webhook 1 (127.0.0.1): {MOST_WAITING} messages wait: the oldest are dropped until it takes some",
        "webhook 1 (127.0.0.1): it takes messages again; 10 messages were dropped",
    ]


async def test_nobody_there_and_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, *_: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(hookclient.socket, "getaddrinfo", unknown)
    port = free_port(socket.SOCK_STREAM)
    given = {"url": f"http://127.0.0.1:{port}/"}, {"url": "http://hooks.example.invalid/x"}
    async with hooks(tmp_path, *given) as made:
        made.tell(running())
        await made.idle()
    assert made.counts == {"failed": 2}
    causes = {text.partition("messages: ")[2] for text in made.texts if "does not take" in text}
    assert len(causes) == 2
    assert "its name cannot be looked up: Name or service not known; trying again" in causes


async def test_a_name_is_looked_up(tmp_path: Path) -> None:
    async with (
        receiving() as receiver,
        hooks(tmp_path, {"url": receiver.url.replace("127.0.0.1", "localhost")}) as made,
    ):
        made.tell(running())
        await made.idle()
    assert made.counts == {"delivered": 1}


async def test_https_is_checked_against_the_ca(tmp_path: Path) -> None:
    ca, other = authority(tmp_path), authority(tmp_path, "other")
    pair = signed(ca, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with receiving(tls=context) as receiver:
        async with hooks(tmp_path, {"url": receiver.url, "ca": "ca.pem"}) as made:
            made.tell(running())
            await made.idle()
        assert (made.counts, len(receiver.requests)) == ({"delivered": 1}, 1)
        async with hooks(tmp_path, {"url": receiver.url, "ca": str(other.certificate)}, {"url": receiver.url}) as made:
            made.tell(running())
            await made.idle()
        assert (made.counts, len(receiver.requests)) == ({"failed": 2}, 1)
    assert sum("its certificate is not accepted: " in text for text in made.texts if "does not take" in text) == 2


async def test_a_secret_that_is_not_there_yet_or_changes(tmp_path: Path) -> None:
    async with receiving() as receiver:
        made = Hooks(tmp_path, {"url": receiver.url})
        (tmp_path / "secret").unlink()

        async def sleep(seconds: float) -> None:
            (tmp_path / "secret").write_text("another-secret-of-some-length\n")
            (tmp_path / "secret").chmod(0o600)

        made.hooks._sleep = sleep
        made.tell(running())
        await made.idle()
        await made.hooks.close(1)
    ((headers, body),) = receiver.requests
    assert verified("another-secret-of-some-length", headers, body)
    assert "secret cannot be read: No such file or directory" in made.texts[0]


async def test_a_machine_that_nobody_listed_is_told_of_once_an_hour(tmp_path: Path) -> None:
    def asks(mac: str, seconds: float) -> Event:
        return Event(Kind.IGNORED, NOW + seconds, "", mac, "not listed", data={"reason": "not listed, no group"})

    async with receiving() as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        for seconds in (0, 1, 3599, 3600, 3601):
            made.tell(asks(STRANGER, seconds), Event(Kind.HELD, NOW + seconds, "", STRANGER, "waits"))
        made.tell(asks("02:00:00:00:00:01", 3602))
        await made.idle()
    assert [(body["time"] - NOW, body["mac"], body["machine"]) for body in receiver.bodies] == [
        (0, STRANGER, None), (3600, STRANGER, None), (3602, "02:00:00:00:00:01", None),
    ]  # fmt: skip


async def test_a_failure_and_what_it_did_to_the_installation_are_one_message(tmp_path: Path) -> None:
    data: dict[str, Value] = {"state": "failed", "reason": "disk is gone"}
    events = [
        Event(Kind.STATE, NOW, "node1", MAC1, "held: attempt 3 of 3 failed: disk is gone", Level.WARNING, data),
        Event(Kind.FAILED, NOW + 0.01, "node1", MAC1, "the machine reports: failed: disk is gone"),
        Event(Kind.FAILED, NOW + 900, "node1", MAC1, "the machine reports: failed: again"),
    ]
    async with receiving() as receiver, hooks(tmp_path, {"url": receiver.url}) as made:
        made.tell(*events)
        await made.idle()
    assert [body["time"] for body in receiver.bodies] == [NOW, NOW + 900]
    assert receiver.bodies[0]["reason"] == "disk is gone"


def test_what_was_told_is_remembered_within_a_bound() -> None:
    repeats = Repeats()
    for number in range(MOST_REMEMBERED + 100):
        assert repeats.is_news("unknown", Event(Kind.HELD, NOW, "", f"mac{number}"))
    assert len(repeats) == MOST_REMEMBERED


async def test_a_reload_keeps_what_waits_for_a_hook_that_stays(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def hang() -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with (
        receiving(lambda _: hang()) as stays,
        receiving(lambda _: hang()) as goes,
        receiving() as comes,
        hooks(tmp_path, {"url": goes.url}, {"url": stays.url}) as made,
    ):
        made.tell(running(1), running(2))
        await until(lambda: len(stays.requests) == len(goes.requests) == 1)
        made.live.snapshot = made.snapshot({"url": stays.url}, {"url": comes.url})
        made.tell(running(3))
        release.set()
        await made.idle()
        assert [body["machine"] for body in stays.bodies] == ["node1", "node2", "node3"]
        assert [body["machine"] for body in comes.bodies] == ["node3"]
        assert (len(goes.requests), made.counts) == (1, {"dropped": 2, "delivered": 4})
        made.live.snapshot = made.snapshot()
        made.tell(running(4))
        assert made.hooks.waiting == 0


async def test_at_the_end_what_waits_is_delivered_without_further_pauses(tmp_path: Path) -> None:
    turns: list[float] = []

    def respond(number: int) -> web.Response:
        return web.Response(status=503 if number == 0 else 200)

    async with receiving(respond) as receiver:
        made = Hooks(tmp_path, {"url": receiver.url})

        async def for_ever(seconds: float) -> None:
            turns.append(seconds)
            await asyncio.Event().wait()

        made.hooks._sleep = for_ever
        made.tell(running(1), running(2))
        await until(lambda: bool(turns))
        await made.hooks.close(20)
        made.tell(running(3))
    assert [body["machine"] for body in receiver.bodies] == ["node1", "node1", "node2"]
    assert made.counts == {"delivered": 2}


async def test_at_the_end_what_nobody_takes_is_given_up(tmp_path: Path) -> None:
    async def hang() -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with receiving(lambda _: hang()) as receiver:
        made = Hooks(tmp_path, {"url": receiver.url})
        made.tell(running(1), running(2))
        await until(lambda: bool(receiver.requests))
        await made.hooks.close(0.01)
    assert made.counts == {"dropped": 2}
    assert made.texts == ["2 messages to webhooks could not be delivered before the end"]


async def test_what_the_log_says_has_no_path_and_no_query(tmp_path: Path) -> None:
    async with (
        receiving(lambda _: web.Response(status=500)) as receiver,
        hooks(tmp_path, {"url": receiver.url}) as made,
    ):
        made.tell(running())
        await made.idle()
    assert made.texts
    assert not any("of-its-own" in text or SECRET in text for text in made.texts)
    assert "of-its-own" not in "".join(body.decode() for _, body in receiver.requests)


FAULTS = {
    "url: ftp://a/": 'found "ftp://a/", expected an http or https URL without a user in it',
    "url: https://user:pw@host/": "expected an http or https URL without a user in it",
    "url: 'https://host:99999/'": "expected an http or https URL without a user in it",
    "url: https://a/, events: [instaled]": "expected installing, installed, running",
    "url: https://a/, events: []": "found an empty list, expected at least one event",
    "url: https://a/, events: [stuck, stuck]": "found stuck twice, expected each event once",
    "url: https://a/, event: [stuck]": 'unknown key; did you mean "events"?',
}


@pytest.mark.parametrize(("fields", "sentence"), FAULTS.items(), ids=FAULTS)
def test_a_mistake_is_told_with_its_line(fields: str, sentence: str) -> None:
    (problem,) = problems(f"server:\n  webhooks:\n    - {{secret_file: s, {fields}}}\n")
    assert problem.line == 3
    assert sentence in str(problem)


def test_a_secret_must_be_named_and_hooks_are_few() -> None:
    (problem,) = problems("server:\n  webhooks:\n    - url: https://a/\n")
    assert "secret_file" in str(problem)
    assert "is missing" in str(problem)
    many = "".join(f"    - {{url: 'https://h{number}/', secret_file: s}}\n" for number in range(17))
    (problem,) = problems(f"server:\n  webhooks:\n{many}")
    assert "found 17 webhooks, expected 16 at most" in str(problem)


def test_a_secret_that_cannot_be_used_is_a_warning_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "open").write_text(SECRET)
    (tmp_path / "open").chmod(0o644)
    path = tmp_path / "pxed.yaml"
    path.write_text(
        "server:\n  data_dir: data\n  webhooks:\n  - {url: 'https://a/', secret_file: open}\n"
        "  - {url: 'https://b/', secret_file: none}\n"
    )
    first, second = load_snapshot(path).warnings
    assert [(problem.line, problem.column) for problem in (first, second)] == [(4, 25), (5, 25)]
    assert "others may read or write" in str(first)
    assert "none cannot be read: No such file or directory; until then this webhook is told nothing" in str(second)


async def test_the_daemon_tells_of_a_report_and_delivers_it_before_it_ends(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    port = free_port(socket.SOCK_STREAM)
    async with receiving() as receiver:
        hook = f"{{url: '{receiver.url}', secret_file: secret, events: [running]}}"
        (tmp_path / "pxed.yaml").write_text(
            f"server: {{interfaces: [lo], data_dir: data, dhcp: 'off', http: {{port: {port}}}, webhooks: [{hook}],\n"
            f"  tftp: {{port: {free_port(socket.SOCK_DGRAM)}}}}}\n"
            f"profiles: {{disk: {{boot: local}}}}\nmachines: {{node1: {{mac: '{MAC1}', profile: disk}}}}\n"
        )
        command = [PXED, "serve", "-c", tmp_path / "pxed.yaml", "--log-format", "json"]
        process = await asyncio.to_thread(subprocess.Popen, command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            line = await asyncio.to_thread(process.stderr.readline)
            assert json.loads(line)["kind"] == "ready", line
            url = f"http://127.0.0.1:{port}/report/node1"
            report = urllib.request.Request(url, b'{"stage": "running"}', {"Content-Type": "application/json"})
            await asyncio.to_thread(lambda: urllib.request.urlopen(report, timeout=20).close())
            metrics = f"http://127.0.0.1:{port}/metrics"
            scraped = await asyncio.to_thread(lambda: urllib.request.urlopen(metrics, timeout=20).read().decode())
            process.send_signal(signal.SIGTERM)
            _, log = await asyncio.to_thread(process.communicate, timeout=60)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0, log
    assert [(body["event"], body["machine"]) for body in receiver.bodies] == [("running", "node1")]
    assert "webhook" not in log
    assert {'pxed_machines{state="none"} 1.0', 'pxed_http_responses_total{route="report",status="2xx"} 1.0'} <= set(
        scraped.splitlines()
    )
