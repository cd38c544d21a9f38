"""A daemon's pages as a test tells them: the rows of the fleet, their changes as a stream, and any other."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COLUMNS = (
    "name", "listed", "macs", "profile", "stage", "speaker", "since", "began", "outcome", "severity", "fault",
    "verdict", "sent", "due", "install", "held", "next", "arch", "interface", "last",
)  # fmt: skip
NEVER: dict[str, Any] = dict.fromkeys(COLUMNS) | {"listed": True, "macs": [], "profile": "worker", "held": False}
T = 1790000000.0
NO_DHCP = "No DHCP server answers on eth1: the firmware has pxed's offer but gets no address (PXE-E51)"
LOADING = {"stage": "kernel", "speaker": "ipxe", "since": T - 5, "began": T - 20, "sent": 30_000_000, "due": 60_000_000}
STUCK = {
    "stage": "offer", "speaker": "rom", "since": T - 300, "began": T - 301, "outcome": "stuck", "severity": "stuck",
    "fault": "no-dhcp-server", "verdict": NO_DHCP,
}  # fmt: skip
RUNNING = {"stage": "running", "speaker": "os", "since": T - 7000, "began": T - 7060, "outcome": "running"}


def row(name: str, *said: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A machine's row."""
    found = NEVER | {"name": name}
    for one in said:
        found |= one
    return found | more


class Daemon:
    """What is served. `pages` has answers by path below /api/v1/."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {one["name"]: one for one in rows}
        self.pages: dict[str, Any] = {}
        self.version = 1
        self.streams = True  # False: the stream is refused
        self.asked: list[str] = []
        self.followed = threading.Semaphore(0)  # one more for each stream that has begun
        self.read = threading.Semaphore(0)  # one more for each reading of all rows
        self._followers: list[queue.SimpleQueue[bytes]] = []
        self.url = ""

    def fleet(self) -> dict[str, Any]:
        rows = [[one[column] for column in COLUMNS] for one in self.rows.values()]
        return {"time": T, "version": self.version, "columns": COLUMNS, "rows": rows}

    def tell(self, *rows: dict[str, Any], gone: tuple[str, ...] = ()) -> None:
        """Rows are other ones from now on."""
        self.rows.update({one["name"]: one for one in rows})
        for name in gone:
            del self.rows[name]
        self.version += 1
        cells = [[one[column] for column in COLUMNS] for one in rows]
        self.say("rows", {"version": self.version, "rows": cells, "gone": list(gone)})

    def say(self, kind: str, data: Any) -> None:
        """A message to everybody who follows."""
        self._put(f"id: {self.version}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode())

    def cut(self) -> None:
        """End every stream."""
        self._put(b"")

    def _put(self, piece: bytes) -> None:
        for follower in self._followers:
            follower.put(piece)

    def follow(self) -> Iterator[bytes]:
        mine: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._followers.append(mine)
        self.followed.release()
        yield b"retry: 1000\n\n:\n\n"
        yield from iter(mine.get, b"")


@contextlib.contextmanager
def serving(*rows: dict[str, Any]) -> Iterator[Daemon]:
    """It is gone afterwards, with all its threads."""
    daemon = Daemon(*rows)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/api/v1/")
            daemon.asked.append(path)
            if path.partition("?")[0] == "fleet/events" and daemon.streams:
                self._stream()
            elif path == "fleet":
                self._answer(200, json.dumps(daemon.fleet()).encode())
                daemon.read.release()
            elif path in daemon.pages:
                self._answer(200, json.dumps(daemon.pages[path]).encode())
            else:
                self._answer(404, f"There is nothing at {path}.\n".encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                for piece in daemon.follow():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    daemon.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield daemon
    finally:
        daemon.cut()
        server.shutdown()
        server.server_close()
        thread.join()
