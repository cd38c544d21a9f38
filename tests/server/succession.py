"""A unit with files to fetch, and clients that are slow enough to be met by a restart in the middle of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxed.tftp.packet import Rrq
from tests.ports import free_port
from tests.server.servicemanager import ROOM, ServiceManager, managing
from tests.tftp.reader import Reader

KERNEL = os.urandom(24 << 20)
INITRD = b"initrd" * 5000
SMALL = os.urandom(300_000)  # a loader that is kept in memory
BIG = os.urandom(6 << 20)  # one that is read piece by piece
INVENTORY = """
server:
  interfaces: [{interface}]
  data_dir: data
  dhcp: "off"
  script_only: true
  http: {{port: {http}}}
  tftp: {{port: {tftp}}}
images: {{rescue: {{kernel: vmlinuz, initrd: [initrd.img]}}}}
profiles: {{p: {{image: rescue}}, once: {{image: rescue, ignition: node.ign, report: true}}}}
machines:
  node1: {{mac: "52:54:00:00:00:01", profile: p}}
  node2: {{mac: "52:54:00:00:00:02", profile: once}}
"""


@dataclass
class Unit:
    """pxed under a service manager."""

    manager: ServiceManager
    home: Path
    http: int = 0
    tftp: int = 0
    interface: str = "lo"

    def write(self) -> None:
        text = INVENTORY.format(http=self.http, tftp=self.tftp, interface=self.interface)
        (self.home / "pxed.yaml").write_text(text)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Of all processes so far."""
        lines = self.manager.log.read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if not kind or event["kind"] == kind]

    def event(self, kind: str, word: str = "") -> dict[str, Any]:
        """The first one, which may be still to come."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := [event for event in self.events(kind) if word in event["text"]]:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no {kind} event: {self.manager.log.read_text()[-3000:]}")

    def download(self, target: str, rate: int, *, close: bool = False) -> Download:
        sock = socket.create_connection(("127.0.0.1", self.http), 20)
        return Download(sock, rate).begin(target, close=close)

    def read(self, name: str, pause: float, **options: str) -> TftpRead:
        return TftpRead(self.tftp, name, pause, tuple(options.items()))


@contextlib.contextmanager
def unit(home: Path, room: int = ROOM) -> Iterator[Unit]:
    """One that is not started yet."""
    for name, content in {
        "images/vmlinuz": KERNEL, "images/initrd.img": INITRD, "loaders/small.efi": SMALL, "loaders/big.efi": BIG,
    }.items():  # fmt: skip
        (home / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "data" / name).write_bytes(content)
    (home / "node.ign").write_text('{"ignition": {"version": "3.3.0"}}')
    with managing(home, home / "pxed.yaml", room) as manager:
        served = Unit(manager, home, free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM))
        served.write()
        yield served


class Download:
    """A GET over a connection of its own, read at `rate` bytes a second by a thread."""

    def __init__(self, sock: socket.socket, rate: int) -> None:
        self.sock = sock
        self.rate = rate
        self.body = bytearray()
        self.head = b""
        self.ended = ""

    def begin(self, target: str, *, close: bool = False) -> Download:
        more = "Connection: close\r\n" if close else ""
        self.sock.sendall(f"GET {target} HTTP/1.1\r\nHost: pxed\r\n{more}\r\n".encode())
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def finish(self) -> bytes:
        """All of it."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.ended == "whole", self.ended
        return bytes(self.body)

    def _run(self) -> None:
        try:
            self.ended = self._fetch()
        except OSError as error:
            self.ended = repr(error)

    def _fetch(self) -> str:
        data, length = b"", -1
        while b"\r\n\r\n" not in data:
            data += self._more(4096)
        self.head, _, rest = data.partition(b"\r\n\r\n")
        self.body += rest
        for line in self.head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        began = time.monotonic()
        while len(self.body) < length:
            self.body += self._more(min(65536, length - len(self.body)))
            if self.rate and (ahead := len(self.body) / self.rate - (time.monotonic() - began)) > 0:
                time.sleep(min(ahead, 0.2))
        return "whole"

    def _more(self, size: int) -> bytes:
        data = self.sock.recv(size)
        if not data:
            raise OSError(f"the connection ended after {len(self.body)} bytes")
        return data


class TftpRead:
    """A read by TFTP that waits `pause` seconds before each of its answers, in a thread."""

    def __init__(self, port: int, name: str, pause: float, options: tuple[tuple[str, str], ...] = ()) -> None:
        self.reader = Reader(Rrq(name, "octet", options), careful=True)
        self.peers: set[tuple[str, int]] = set()
        self.gap = 0.0  # the longest silence of the server
        self._server = ("127.0.0.1", port)
        self._pause = pause
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(self.reader.patience)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def finish(self) -> bytes:
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.reader.error is None, self.reader.error
        return bytes(self.reader.received)

    def _run(self) -> None:
        with self._sock as sock:
            self._send(self.reader.start())
            heard = time.monotonic()
            while not self.reader.done and self.reader.error is None and time.monotonic() - heard < 20:
                try:
                    datagram, self._server = sock.recvfrom(65536)
                except TimeoutError:
                    self._send(self.reader.again())
                    continue
                self.gap, heard = max(self.gap, time.monotonic() - heard), time.monotonic()
                self.peers.add(self._server)
                if said := self.reader.receive(datagram):
                    time.sleep(self._pause)
                    self._send(said)

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._sock.sendto(datagram, self._server)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
