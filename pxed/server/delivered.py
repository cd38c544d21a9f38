"""Sends an answer and knows whether it has arrived: what works once is used up by an answer that did, not before."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable

from aiohttp import web

from pxed.server.replies import Asked
from pxed.server.tcp import unacknowledged

ARRIVAL_SECONDS = 30.0  # for the last bytes to be acknowledged; a peer that lost power never does
# A peer that breaks off without having read all of it resets the connection, at once: its kernel had taken it only.
RESET_SECONDS = 0.1
_FIRST_LOOK = 0.001
_LOOKS = 0.05
_RESET_LOOKS = 10
# States of tcp(7), as in TCP_INFO: include/net/tcp_states.h
_ESTABLISHED, _CLOSE, _CLOSE_WAIT = 1, 7, 8


async def deliver(asked: Asked, response: web.Response, sent: Callable[[], None], *, watch: bool = True) -> bool:
    """Send it; whether the peer has got all of it. Raises ConnectionError when it breaks off.

    `watch` for a reset: the connection's next request waits for it. Without, acknowledged is arrived.

    `sent` is called when the last byte was acknowledged, or is taken to be lost: before the look for a reset, as what
    the machine does next is told in that time.
    """
    transport = asked.request.transport
    mine = transport.get_extra_info("socket") if transport is not None else None
    if transport is None or mine is None or mine.fileno() < 0:
        raise ConnectionResetError("the client left before it was answered")
    write_through(transport)
    # A descriptor of our own: the peer may close the connection as soon as it has everything.
    with socket.socket(mine.family, mine.type, mine.proto, fileno=os.dup(mine.fileno())) as sock:
        await response.prepare(asked.request)
        await response.write_eof()
        acknowledged = await _acknowledged(sock)
        sent()
        return acknowledged and (not watch or await _not_reset(sock))


def write_through(transport: asyncio.Transport) -> None:
    """Let writing end when all of it has left the transport, and not before."""
    # asyncio's TLS pauses a writer whose buffer has `high` bytes, not more than that: with 0 it pauses, after every
    # other write, one whose bytes have all gone, until the peer says something (sslproto.py, _control_app_writing).
    secure = transport.get_extra_info("sslcontext") is not None
    transport.set_write_buffer_limits(high=1 if secure else 0, low=0)


async def _acknowledged(sock: socket.socket) -> bool:
    deadline, wait = time.monotonic() + ARRIVAL_SECONDS, _FIRST_LOOK
    while _state(sock) != _CLOSE and time.monotonic() < deadline:
        if not unacknowledged(sock):
            return True
        await asyncio.sleep(wait)
        wait = min(_LOOKS, wait * 2)
    return False


async def _not_reset(sock: socket.socket) -> bool:
    for _ in range(_RESET_LOOKS):
        if _state(sock) != _ESTABLISHED:
            break
        await asyncio.sleep(RESET_SECONDS / _RESET_LOOKS)
    return _state(sock) in (_ESTABLISHED, _CLOSE_WAIT)


def _state(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
