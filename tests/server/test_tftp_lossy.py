"""The server behind a bad link: a relay on loopback loses, doubles and reorders datagrams, both ways, seeded."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pxed.server.tftp import Settings
from pxed.tftp.packet import Rrq
from tests.server.tftp_site import bound, serving
from tests.tftp.reader import Reader


class Relay:
    """Between one client and the server. The client knows the relay only, the server knows the relay's other socket."""

    def __init__(self, server: tuple[str, int], rng: random.Random, *, lose: float, duplicate: float) -> None:
        self.near, self.far = bound(), bound()
        self._server = server  # of the request; then of the transfer
        self._client: tuple[str, int] | None = None
        self._rng = rng
        self._lose = lose
        self._duplicate = duplicate
        self._held: tuple[socket.socket, bytes, tuple[str, int]] | None = None
        for sock in (self.near, self.far):
            sock.setblocking(False)

    def from_client(self) -> None:
        datagram, self._client = self.near.recvfrom(70_000)
        self._pass(self.far, datagram, self._server)

    def from_server(self) -> None:
        datagram, self._server = self.far.recvfrom(70_000)
        assert self._client
        self._pass(self.near, datagram, self._client)

    def _pass(self, sock: socket.socket, datagram: bytes, to: tuple[str, int]) -> None:
        if self._rng.random() < self._lose:
            return
        if self._held is None and self._rng.random() < 0.1:  # overtaken by the next one, whichever way that goes
            self._held = (sock, datagram, to)
            return
        for _ in range(2 if self._rng.random() < self._duplicate else 1):
            sock.sendto(datagram, to)
        if self._held:
            held_sock, held, held_to = self._held
            self._held = None
            held_sock.sendto(held, held_to)


@asynccontextmanager
async def relay(server: tuple[str, int], seed: int) -> AsyncIterator[tuple[str, int]]:
    """The address of a relay to the server that loses and doubles 20 % each."""
    loop = asyncio.get_running_loop()
    link = Relay(server, random.Random(seed), lose=0.2, duplicate=0.2)
    loop.add_reader(link.near, link.from_client)
    loop.add_reader(link.far, link.from_server)
    try:
        yield link.near.getsockname()
    finally:
        for sock in (link.near, link.far):
            loop.remove_reader(sock)
            sock.close()


async def read(server: tuple[str, int], request: Rrq, *, careful: bool) -> bytes:
    """Fetch a file with a client that repeats itself every 50 ms."""
    loop, reader = asyncio.get_running_loop(), Reader(request, careful=careful)
    with bound() as sock:
        sock.setblocking(False)
        sock.connect(server)
        await loop.sock_sendall(sock, reader.start()[0])
        while not reader.done:
            try:
                datagram = await asyncio.wait_for(loop.sock_recv(sock, 70_000), 0.05)
            except TimeoutError:
                answers = reader.again()
            else:
                answers = reader.receive(datagram)
            for answer in answers:
                await loop.sock_sendall(sock, answer)
    return bytes(reader.received)


@pytest.mark.parametrize("careful", [True, False], ids=["told once", "told each time"])
@pytest.mark.parametrize("windowsize", [1, 4, 16])
@pytest.mark.parametrize("seed", range(3))
async def test_the_bytes_arrive_over_a_bad_link(tmp_path: Path, seed: int, windowsize: int, *, careful: bool) -> None:
    options = (("blksize", "1024"), ("windowsize", str(windowsize)))[: 2 if windowsize > 1 else 1]
    async with serving(tmp_path, Settings(first_timeout=0.02)) as site:
        content = site.write("x", os.urandom(40_000))
        async with relay(("127.0.0.1", site.port), seed) as address:
            assert await read(address, Rrq("x", "octet", options), careful=careful) == content
        assert (await site.ended()).data["bytes"] == len(content)
