"""The TFTP server's shell: the sockets that requests come to, and who may start a transfer.

Reads only. What a transfer does is in pxed.tftp.transfer, what carries it in tftp_sessions.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from pxed.errors import DecodeError
from pxed.events import Emit
from pxed.server.tftp_events import Reporter, Who
from pxed.server.tftp_files import Resolve, TftpClient
from pxed.server.tftp_sessions import Session, Sessions
from pxed.server.tftp_socket import Arrival, allow_descriptors, answer, open_pair, receive
from pxed.tftp.admission import WAIT, Admission, Client
from pxed.tftp.blocks import Blocks, ChunkCache
from pxed.tftp.negotiate import Limits, Refusal, is_netascii, negotiate
from pxed.tftp.packet import Error, ErrorCode, Rrq, Wrq, decode, encode
from pxed.tftp.transfer import FIRST_TIMEOUT, Transfer

REQUESTS_AT_ONCE = 32  # per wake-up: ACKs and DHCP get their turn between them
OTHER_DESCRIPTORS = 256  # that the daemon needs beside the two of each transfer
EVICTABLE = 1.0  # seconds that a client has for its first ACK when the slots are full


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator, or a test, may want different."""

    max_windowsize: int = 64
    max_transfers: int = 1024
    rollover: int = 0  # the block number after 65535, 0 or 1
    first_timeout: float = FIRST_TIMEOUT  # seconds
    port_range: tuple[int, int] | None = None  # ports to send from; None: any free one


@dataclass(frozen=True, slots=True)
class Request:
    """A read request as it arrived, with the socket to refuse it from."""

    packet: Rrq
    arrival: Arrival
    listener: socket.socket

    @property
    def key(self) -> Client:
        return self.arrival.address, self.arrival.port

    @property
    def client(self) -> TftpClient:
        return _client(self.arrival)


class TftpServer:
    """Serves reads on the sockets that are attached. All methods belong into the loop's thread.

    `mtu_of` gives the MTU of the interface with that index. Closed by close().
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        emit: Emit,
        *,
        resolve: Resolve,
        who: Who,
        mtu_of: Callable[[int], int],
        settings: Settings = Settings(),
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._loop = loop
        self._report = Reporter(emit, who, clock, wall)
        self._resolve = resolve
        self._mtu_of = mtu_of
        self._settings = settings
        self._clock = clock
        descriptors = allow_descriptors(2 * settings.max_transfers + OTHER_DESCRIPTORS)
        slots = min(settings.max_transfers, max(1, (descriptors - OTHER_DESCRIPTORS) // 2))
        self._admission: Admission[Request] = Admission(slots)
        self._sessions = Sessions(loop, clock, self._on_heard, self._report.progress, self._on_ended)
        self._chunks = ChunkCache()
        self._listeners: list[socket.socket] = []
        self._waiting: asyncio.TimerHandle | None = None  # looks after the requests that wait
        self._idle = asyncio.Event()
        self._idle.set()
        self.undecodable = 0  # datagrams

    @property
    def active(self) -> int:
        """Transfers in progress."""
        return len(self._sessions)

    @property
    def sessions(self) -> Sessions:
        """The transfers in progress."""
        return self._sessions

    def attach(self, sock: socket.socket) -> None:
        """Serve a bound socket, prepared by udp.prepare(). It belongs to the server from now on."""
        self._listeners.append(sock)
        self._loop.add_reader(sock.fileno(), self._on_request, sock)

    def detach(self, sock: socket.socket) -> None:
        """Take no more requests from a socket, which is the caller's again; transfers in progress go on."""
        self._listeners.remove(sock)
        self._loop.remove_reader(sock.fileno())

    def resume(self, session: Session) -> None:
        """Go on with a transfer that the process before has handed over."""
        if self._sessions.get(session.key):
            session.pair.close()
            raise ValueError("its client has another transfer")
        self._admission.started(session.client.address)
        if session.noted:
            self._admission.heard(session.client.address)
        self._idle.clear()
        self._sessions.resume(session, self._clock())

    def stop_accepting(self) -> None:
        """Take no more requests; transfers in progress go on."""
        for sock in self._listeners:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._listeners.clear()
        self._admission.forget_waiting()
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    async def drain(self, seconds: float) -> bool:
        """Wait until no transfer is in progress, for so long at most. Whether all ended."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End all transfers with an ERROR and close every socket."""
        self.stop_accepting()
        self._sessions.close("the server is shutting down")

    def _on_request(self, listener: socket.socket) -> None:
        for _ in range(REQUESTS_AT_ONCE):
            arrival = receive(listener)
            if arrival is None:
                return
            # RFC 1123 4.2.3.5: a request to a broadcast address is ignored. Nothing can be sent to port 0.
            if arrival.local_address and arrival.port:
                self._on_arrival(listener, arrival)

    def _on_arrival(self, listener: socket.socket, arrival: Arrival) -> None:
        try:
            packet = decode(arrival.datagram)
        except DecodeError as error:
            self.undecodable += 1
            self._report.undecodable(_client(arrival), str(error))
            return
        if isinstance(packet, Wrq):
            request = Request(Rrq(packet.filename, packet.mode), arrival, listener)
            self._refuse(request, Refusal(ErrorCode.ACCESS_VIOLATION, "this server does not take files"))
        elif isinstance(packet, Rrq):
            self._on_read(Request(packet, arrival, listener))

    def _on_read(self, request: Request) -> None:
        now = self._clock()
        session = self._sessions.get(request.key)
        if session and request.packet == session.request and not session.transfer.stalled(now):
            self._sessions.repeat(session, now)
            return
        if session:  # the client gave up the old one, so it is not told
            self._sessions.cancel(session, "the client asked anew", now, tell=False)
        if self._admission.may_start(request.arrival.address) or self._evict(now):
            self._start(request, now)
        elif self._admission.wait(request.key, request, now):
            self._look_after_waiting(WAIT)
        else:
            self._refuse(request, Refusal(ErrorCode.UNDEFINED, "too many transfers; try again"))

    def _evict(self, now: float) -> bool:
        """Make room by ending the oldest transfer whose client was never heard: perhaps there is none (T13)."""
        session = self._sessions.oldest_unheard() if self._admission.full else None
        if session is None or now - session.transfer.started < EVICTABLE:
            return False
        self._sessions.cancel(session, "made room for another client", now, tell=False)
        return True

    def _start(self, request: Request, now: float) -> None:
        try:
            session = self._open(request, now)
        except Refusal as refusal:
            self._refuse(request, refusal)
        except OSError as error:  # out of descriptors or ports; an address that nothing can be sent to
            self._refuse(request, Refusal(ErrorCode.UNDEFINED, f"no socket for the transfer: {error.strerror}"))
        else:
            self._admission.started(request.arrival.address)
            self._idle.clear()
            self._sessions.add(session, now)

    def _open(self, request: Request, now: float) -> Session:
        rrq, arrival, settings = request.packet, request.arrival, self._settings
        content = self._resolve(rrq.filename, request.client)
        if is_netascii(rrq):
            content = content.as_netascii()
        limits = Limits(self._mtu_of(arrival.ifindex), settings.max_windowsize, settings.rollover)
        agreed = negotiate(rrq, len(content.buffer), limits)
        blocks = Blocks(content.buffer, content.key, agreed.blksize, agreed.rollover, self._chunks)
        transfer = Transfer(blocks, agreed, now, settings.first_timeout)
        window = agreed.windowsize * (agreed.blksize + 4)
        pair = open_pair(arrival.local_address, request.key, window, settings.port_range)
        return Session(request.client, rrq, content, agreed, transfer, pair)

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        answer(request.listener, request.arrival, encode(Error(refusal.code, refusal.message)))
        self._report.refused(request.client, request.packet.filename, refusal.code, refusal.message)

    def _on_heard(self, session: Session) -> None:
        self._admission.heard(session.client.address)
        self._look_after_waiting(0)

    def _on_ended(self, session: Session) -> None:
        self._admission.ended(session.client.address, heard=session.noted)
        self._report.ended(session)
        if not self.active:
            self._idle.set()
        self._look_after_waiting(0)

    def _look_after_waiting(self, seconds: float) -> None:
        """Have _start_waiting() called in so many seconds, or before; never inside of another transfer's end."""
        when = self._loop.time() + seconds
        if not self._admission.waiting or (self._waiting and self._waiting.when() <= when):
            return
        if self._waiting:
            self._waiting.cancel()
        self._waiting = self._loop.call_at(when, self._start_waiting)

    def _start_waiting(self) -> None:
        """Start the requests that wait and may start now; drop those that waited too long."""
        self._waiting = None
        now = self._clock()
        while request := self._admission.next():
            self._start(request, now)
        for request in self._admission.expired(now):
            self._report.dropped(request.client, request.packet.filename, "too many transfers at once")
        self._look_after_waiting(WAIT / 4)


def _client(arrival: Arrival) -> TftpClient:
    return TftpClient(arrival.address, arrival.port, arrival.local_address, arrival.ifindex)
