"""A release server for tests: the tree over HTTP/1.1 (RFC 9110: GET, HEAD, Range, If-Range), with fault switches.

Raw asyncio, for the faults are below of what a web framework lets one do. It runs in a thread of its own, so that
a test may use it from anything; as a proxy it answers requests for every host out of the tree.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.releases import faults
from tests.releases.answer import Answer, answer_to
from tests.releases.faults import Fault, Request, Rule
from tests.releases.keys import Signer, ThrowAwayKey
from tests.releases.tree import Tree

_SMALL = 64 << 10


class ReleaseServer:
    """`with ReleaseServer(root) as server:` serves root. `requests` are those that were answered so far."""

    def __init__(
        self,
        root: Path,
        *,
        signer: Signer | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tree = Tree(root, signer or ThrowAwayKey.make())
        self.publish = self.tree.publish
        self.requests: list[Request] = []
        self.busy = self.peak = 0  # big bodies that are being sent now, and the most at one time
        self._rules: list[Rule] = []
        self._tls = tls
        self._socket = socket.create_server((host, port))
        self.host, self.port = host, self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="release server")

    @property
    def url(self) -> str:
        """What server.mirror.url is set to."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self.host}:{self.port}/{{channel}}"

    @property
    def signer(self) -> Signer:
        return self.tree.signer

    def save_key(self, path: Path) -> Path:
        """Write the public key to a file, for server.mirror.key."""
        path.write_bytes(self.signer.certificate)
        return path

    def fault(self, suffix: str, fault: Fault, *, after: int = 0, times: int | None = None) -> None:
        """From now on, paths that end so have the fault: for ever, or for so many requests."""
        self._rules.append(Rule(suffix, fault, after, times))

    def clear(self) -> None:
        """No faults from now on; the list of requests begins anew."""
        self._rules.clear()
        self.requests.clear()

    def asked(self, suffix: str) -> list[Request]:
        """The requests for paths that end so."""
        return [request for request in self.requests if request.path.endswith(suffix)]

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def serve_forever(self) -> None:
        """Serve in this thread until the process is ended."""
        self._run()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await _Connection(self, reader, writer).run()
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                pass
            finally:
                connections.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, sock=self._socket, ssl=self._tls)
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' own callbacks

    def take(self, path: str) -> dict[Fault, int]:
        """The faults of a request for this path, each with its `after`; those with `times` are used up by it."""
        found = {}
        for rule in [rule for rule in self._rules if path.endswith(rule.suffix)]:
            found[rule.fault] = rule.after
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    self._rules.remove(rule)
        return found

    def enter(self, size: int) -> None:
        """An answer begins."""
        self.busy += size >= _SMALL
        self.peak = max(self.peak, self.busy)

    def leave(self, size: int) -> None:
        """An answer is sent."""
        self.busy -= size >= _SMALL

    def find(self, path: str) -> Path | None:
        """The file of a request's path, below the root."""
        found = (self.tree.root / path.lstrip("/")).resolve()
        return found if found.is_file() and found.is_relative_to(self.tree.root.resolve()) else None


class _Connection:
    def __init__(self, server: ReleaseServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer

    async def run(self) -> None:
        """Answer requests until one of the sides closes. A request is noted before its answer is sent."""
        while head := await self._head():
            method, target, headers = head
            path = urllib.parse.unquote(urllib.parse.urlsplit(target).path)
            current = self._server.take(path)
            answer = answer_to(path, headers, current, self._server.find)
            broken = next((fault for fault in current if fault in faults.BODY), None)
            sent = 0 if method == "HEAD" else min(answer.size, current[broken]) if broken else answer.size
            self._server.requests.append(Request(method, path, headers, answer.status, sent))
            self._server.enter(sent)
            try:
                await self._send(answer, sent)
                if broken and method != "HEAD":
                    await self._break(broken, answer.size - sent)
                await self._writer.drain()
            finally:
                self._server.leave(sent)
            if answer.headers.get("Connection") == "close":
                return

    async def _head(self) -> tuple[str, str, dict[str, str]] | None:
        try:
            text = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *rest = text.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in rest)
        return method, target, {name.lower(): value.strip() for name, _, value in pairs}

    async def _send(self, answer: Answer, length: int) -> None:
        """The head and the first bytes of the body; small ones in one segment, or the client waits for 40 ms."""
        if answer.body is not None or answer.file is None or length < _SMALL:
            self._writer.write(answer.head() + answer.piece(length))
            return
        self._writer.write(answer.head())
        await self._writer.drain()
        with answer.file.open("rb") as file:
            await asyncio.get_running_loop().sendfile(self._writer.transport, file, answer.start, length)

    async def _break(self, fault: Fault, left: int) -> None:
        await self._writer.drain()
        if fault is Fault.RESET:
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        elif fault is Fault.STALL:
            await self._reader.read()  # until the client gives up
        elif fault is Fault.TRICKLE:
            for _ in range(left):
                self._writer.write(b"?")
                await asyncio.sleep(0.05)
        raise ConnectionAbortedError
