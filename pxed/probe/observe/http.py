"""HTTP on a wire, as far as machines boot by it: requests, statuses, and how much of a body was acknowledged.

Segments are not put together: a request and the head of its answer begin a segment each, and what of the body has
arrived is told by the client's acknowledgments (RFC 9293 3.8). The beginning of a body is kept where it follows in
order, for scripts.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from pxed.events import Event, Kind, Level, Value
from pxed.probe.capture import Segment
from pxed.probe.observe.known import Known
from pxed.probe.observe.scripts import is_script, script_events
from pxed.server.tftp_events import printable

MOST_CONNECTIONS = 2048
PROGRESS_SECONDS = 2.0
LARGEST_BODY = 1 << 16  # that is kept
LARGEST_HEAD = 1 << 14
LAST_WINDOW = 1 << 18  # bytes that iPXE may leave unacknowledged
QUIET = 2.0  # seconds without a further acknowledgment
_REQUEST = re.compile(rb"(GET|HEAD|POST) (\S{1,4000}) HTTP/1\.[01]\r\n")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d{1,15})", re.IGNORECASE)
_HOST = re.compile(rb"\r\nhost:\s*([^\r\n]{1,300})", re.IGNORECASE)
# File names where no script was seen that tells.
_KERNEL = re.compile(r"vmlinu|bzimage|kernel", re.IGNORECASE)
_INITRD = re.compile(r"initr|cpio", re.IGNORECASE)
FIN, SYN, RST = 1, 2, 4
_REPORTS = {
    "installing": Kind.INSTALLING,
    "running": Kind.RUNNING,
    "installed": Kind.INSTALLED,
    "failed": Kind.FAILED,
}


@dataclass(slots=True)
class _Exchange:
    """One request on a connection, and its answer."""

    number: int
    method: str
    url: str
    stage: str
    began: float
    told: float
    body: bytes = b""  # of the request, then of the answer
    status: int = 0
    due: int = -1  # bytes of the answer's body, -1 not known
    start: int = -1  # the sequence number of its first byte
    kept: int = 0  # the sequence number after what is kept of it
    head: bytes = b""  # of an answer whose head is not whole yet
    acked: int = 0
    sent: int = 0  # bytes of the body that the server has sent
    moved: float = 0.0  # when the client last acknowledged some
    over: bool = False
    cut: bool = False  # the capture has not all of what is kept


@dataclass(slots=True)
class _Connection:
    client: str
    port: int
    server: str
    sport: int
    mac: str
    exchange: _Exchange | None = None
    asking: bytes = b""  # a request line that is not whole yet


class HttpView:
    """Requests of machines that boot, as events."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._connections: OrderedDict[tuple[str, int, str, int], _Connection] = OrderedDict()
        self._count = 0

    def packet(self, segment: Segment) -> list[Event]:
        """What it tells."""
        up = self._connections.get((segment.src, segment.sport, segment.dst, segment.dport))
        if up is None and segment.payload and _REQUEST.match(segment.payload):
            up = self._connect(segment)
        if up is not None:
            return self._from_client(segment, up)
        down = self._connections.get((segment.dst, segment.dport, segment.src, segment.sport))
        return self._from_server(segment, down) if down is not None else []

    def _connect(self, segment: Segment) -> _Connection | None:
        """Of machines that boot, and to the boot server: nobody else's."""
        known = self._known
        if not known.boots(segment.src) and segment.dst != known.server:
            return None
        mac = known.mac_of(segment.src, segment.mac)
        key = (segment.src, segment.sport, segment.dst, segment.dport)
        connection = self._connections[key] = _Connection(*key, mac)
        if len(self._connections) > MOST_CONNECTIONS:
            self._connections.popitem(last=False)
        return connection

    def tick(self, now: float) -> list[Event]:
        """How far a file is that stands still; and what was sent whole, acknowledged but for its end.

        UEFI's iPXE leaves its last acknowledgments out: the kernel has started.
        """
        events: list[Event] = []
        for connection in self._connections.values():
            exchange = connection.exchange
            if exchange is None or exchange.over or not exchange.acked or now - exchange.moved < QUIET:
                continue
            if exchange.told < exchange.moved:
                events.append(self._progress(exchange.moved, connection, exchange))
            if 0 < exchange.due <= exchange.sent and exchange.due - exchange.acked <= LAST_WINDOW:
                exchange.acked = exchange.due
                events += self._done(exchange.moved, connection, exchange)
        return events

    # From the client

    def _from_client(self, segment: Segment, connection: _Connection) -> list[Event]:
        events = self._acknowledged(segment, connection)
        if segment.payload:
            events += self._asked(segment, connection)
        if segment.flags & (FIN | RST):
            events += self._ended(segment, connection)
        return events

    def _asked(self, segment: Segment, connection: _Connection) -> list[Event]:
        found = _REQUEST.match(segment.payload)
        exchange = connection.exchange
        if found is None:
            if exchange is not None and not exchange.status:
                exchange.body = (exchange.body + segment.payload)[:LARGEST_BODY]
            return []
        if exchange is not None and not exchange.over and not exchange.status:
            return []  # the same segment again
        host = _HOST.search(segment.payload)
        where = host[1].decode("latin-1").strip() if host else f"{connection.server}:{connection.sport}"
        path = found[2].decode("latin-1")
        url = printable(path if "://" in path else f"http://{where}{path}")
        self._count += 1
        method = found[1].decode()
        stage = self._stage(method, url, connection.mac)
        exchange = connection.exchange = _Exchange(self._count, method, url, stage, segment.time, segment.time)
        exchange.body = segment.payload.partition(b"\r\n\r\n")[2]
        text = f"asks {connection.server} for {method} {urlsplit(url).path}"
        return [self._event(Kind.PROGRESS if method == "GET" else Kind.NOTICE, segment.time, connection, text)]

    def _acknowledged(self, segment: Segment, connection: _Connection) -> list[Event]:
        exchange = connection.exchange
        if exchange is None or exchange.over or exchange.start < 0 or not segment.flags & 0x10:
            return []
        got = (segment.acknowledged - exchange.start) & 0xFFFFFFFF
        if got >= 1 << 31:
            return []
        got = got if exchange.due < 0 else min(got, exchange.due)
        if got > exchange.acked:
            exchange.acked, exchange.moved = got, segment.time
        if 0 <= exchange.due <= exchange.acked:
            return self._done(segment.time, connection, exchange)
        if segment.time - exchange.told >= PROGRESS_SECONDS:
            return [self._progress(segment.time, connection, exchange)]
        return []

    def _progress(self, when: float, connection: _Connection, exchange: _Exchange) -> Event:
        exchange.told = when
        text = f"has {exchange.acked} bytes of {_name(exchange.url)}"
        return self._event(Kind.PROGRESS, when, connection, text)

    def _ended(self, segment: Segment, connection: _Connection) -> list[Event]:
        exchange = connection.exchange
        self._connections.pop((connection.client, connection.port, connection.server, connection.sport), None)
        if exchange is None or exchange.over or not exchange.status:
            return []
        exchange.over = True
        if exchange.due < 0 and not segment.flags & RST:
            return self._done(segment.time, connection, exchange)
        text = f"breaks off {_name(exchange.url)} after {exchange.acked} bytes"
        more: dict[str, Value] = {"result": "broke-off", "reason": "the machine ended the connection"}
        return [self._event(Kind.TRANSFER, segment.time, connection, text, **more)]

    # From the server

    def _from_server(self, segment: Segment, connection: _Connection) -> list[Event]:
        exchange = connection.exchange
        if exchange is None or exchange.over or not segment.size:
            return []
        if not exchange.status or exchange.head:
            return self._answer_begins(segment, connection, exchange)
        _note_sent(exchange, segment)
        if segment.sequence == exchange.kept and len(exchange.body) < LARGEST_BODY:
            exchange.body += segment.payload
            exchange.cut |= bool(segment.lost)
            exchange.kept = (segment.sequence + segment.size) & 0xFFFFFFFF
        return []

    def _answer_begins(self, segment: Segment, connection: _Connection, exchange: _Exchange) -> list[Event]:
        head = exchange.head + segment.payload
        found = _STATUS.match(head)
        if found is None or int(found[1]) < 200:
            return []
        exchange.status = int(found[1])
        top, end, body = head.partition(b"\r\n\r\n")
        if not end:
            exchange.head = head[:LARGEST_HEAD]
            return []
        before = len(exchange.head)
        exchange.head = b""
        length = _LENGTH.search(top)
        bodiless = exchange.method == "HEAD" or exchange.status in (204, 304)
        exchange.due = 0 if bodiless else int(length[1]) if length else -1
        exchange.start = (segment.sequence + len(top) + len(end) - before) & 0xFFFFFFFF
        if exchange.method != "POST":
            exchange.body, exchange.cut = body, bool(segment.lost)
        exchange.kept = (segment.sequence + segment.size) & 0xFFFFFFFF
        _note_sent(exchange, segment)
        if exchange.status < 300:
            return []
        exchange.over = True
        return [self._refused(segment.time, connection, exchange, body)]

    def _done(self, when: float, connection: _Connection, exchange: _Exchange) -> list[Event]:
        exchange.over = True
        if exchange.method == "HEAD":
            return []
        took = when - exchange.began
        text = f"has {_name(exchange.url)}, {exchange.acked} bytes in {took:.1f} s"
        if exchange.method == "POST":
            return self._reported(when, connection, exchange)
        if is_script(exchange.body) and exchange.cut:
            told = f"has a script, {_name(exchange.url)}, of which the capture kept a part only"
            return [self._event(Kind.NOTICE, when, connection, told)]
        if is_script(exchange.body):
            return script_events(self._known, when, connection.mac, connection.client, exchange.url, exchange.body)
        kinds = {"loader": Kind.LOADER, "kernel": Kind.KERNEL, "initrd": Kind.INITRD, "ignition": Kind.IGNITION}
        return [self._event(kinds.get(exchange.stage, Kind.TRANSFER), when, connection, text)]

    def _reported(self, when: float, connection: _Connection, exchange: _Exchange) -> list[Event]:
        """{"stage": "running", "message": ...}"""
        try:
            said = json.loads(exchange.body)
            kind = _REPORTS[said["stage"]]
        except (ValueError, KeyError, TypeError):
            return []
        reason = printable(str(said.get("message", ""))[:300])
        return [self._event(kind, when, connection, f"reports {kind}", reason=reason, profile="")]

    def _refused(self, when: float, connection: _Connection, exchange: _Exchange, body: bytes) -> Event:
        said = body.split(b"\n", 1)[0][:200].decode("latin-1")
        reason = f"HTTP {exchange.status}" + (f": {said}" if said.isprintable() and not said.startswith("<") else "")
        routes = {"kernel": "image", "initrd": "image", "loader": "loader", "ignition": "ignition"}
        url = exchange.url.partition("?")[0]
        text = f"is refused {url}: {reason}"
        more: dict[str, Value] = {"url": url, "reason": reason, "status": exchange.status}
        return self._event(Kind.REFUSED, when, connection, text, route=routes.get(exchange.stage, "boot"), **more)

    def _stage(self, method: str, url: str, mac: str) -> str:
        course = self._known.clients.get(mac)
        name, path = _name(url), urlsplit(url).path
        if method == "POST" or "/report/" in path:
            return "report"
        if course is not None:
            if course.config and url.partition("?")[0] == course.config.partition("?")[0]:
                return "ignition"
            if name and name == _name(course.kernel):
                return "kernel"
            if name and any(name == _name(one) for one in course.initrds):
                return "initrd"
            if course.file and name == _name(course.file):
                return "loader" if not name.endswith(".ipxe") else "script"
        if path.startswith("/ignition/"):
            return "ignition"
        if path.endswith(".efi"):
            return "loader"
        return "kernel" if _KERNEL.search(name) else "initrd" if _INITRD.search(name) else "other"

    def _event(self, kind: Kind, when: float, connection: _Connection, text: str, **more: Value) -> Event:
        exchange = connection.exchange
        assert exchange is not None  # noqa: S101 -- only called with one
        data: dict[str, Value] = {
            "id": exchange.number,
            "file": _name(exchange.url),
            "bytes": exchange.acked,
            "due": max(exchange.due, 0),
            "seconds": round(when - exchange.began, 3),
            "transport": "http",
            "stage": exchange.stage,
            "address": connection.client,
            "retransmits": 0,
            "heard": exchange.acked > 0,
            "interface": self._known.interface,
            **more,
        }
        quiet = kind in (Kind.PROGRESS, Kind.TRANSFER, Kind.NOTICE)
        mac = connection.mac
        return Event(kind, when, self._known.name(mac), mac, text, Level.DEBUG if quiet else Level.INFO, data)


def _note_sent(exchange: _Exchange, segment: Segment) -> None:
    end = (segment.sequence + segment.size - exchange.start) & 0xFFFFFFFF
    if end < 1 << 31:
        exchange.sent = max(exchange.sent, end)


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
