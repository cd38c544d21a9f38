"""The TFTP server's shell: sockets, clock and events around pxed.tftp.

The sockets of all transfers are in one epoll of their own, whose descriptor is one reader of the asyncio loop: a reader
per transfer costs a handle and a callback for each ACK (measured: half the rate). Its callback never waits.
"""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from pxed.errors import DecodeError
from pxed.events import Emit
from pxed.server.tftp_events import Reporter, Who
from pxed.server.tftp_files import Content, Resolve, TftpClient
from pxed.server.tftp_socket import (
    Arrival,
    Pair,
    Segmenter,
    allow_descriptors,
    answer,
    open_pair,
    prepare_listener,
    receive,
)
from pxed.tftp.admission import Admission, Client
from pxed.tftp.blocks import Blocks, ChunkCache
from pxed.tftp.negotiate import Agreed, Limits, Refusal, is_netascii, negotiate
from pxed.tftp.packet import Error, ErrorCode, Rrq, Wrq, decode, encode
from pxed.tftp.transfer import FIRST_TIMEOUT, Transfer

REQUESTS_AT_ONCE = 32  # per wake-up: ACKs and DHCP get their turn between them
READY_AT_ONCE = 256  # sockets per poll
ROUNDS = 4  # polls per wake-up
EVICTABLE = 1.0  # seconds that a client has for its first ACK when the slots are full
SWEEP = 0.5  # seconds at most between two looks at the deadlines
MAX_ACK = 576  # bytes read of a client's datagram; an ERROR may have a text
BUSY = "too many transfers; try again"
UNKNOWN_TID = encode(Error(ErrorCode.UNKNOWN_TID, "unknown transfer ID"))


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator, or a test, may want different."""

    max_windowsize: int = 64
    max_transfers: int = 1024
    rollover: int = 0
    first_timeout: float = FIRST_TIMEOUT  # seconds


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
        at = self.arrival
        return TftpClient(at.address, at.port, at.local_address, at.ifindex)


class Session:
    """A transfer and its sockets. The bound methods are kept: they run once per block."""

    __slots__ = ("agreed", "content", "noted", "pair", "receive", "recv", "request", "send", "transfer")

    def __init__(self, request: Request, content: Content, agreed: Agreed, transfer: Transfer, pair: Pair) -> None:
        self.request = request
        self.content = content
        self.agreed = agreed
        self.transfer = transfer
        self.pair = pair
        self.noted = False  # whether the admission knows of the first ACK
        self.receive = transfer.receive
        self.recv = pair.client.recv
        self.send = pair.client.send


class TftpServer:
    """Serves reads on the sockets that are attached. All methods belong into the loop's thread."""

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
        self._report = Reporter(emit, who, wall)
        self._resolve = resolve
        self._mtu_of = mtu_of
        self._settings = settings
        self._clock = clock
        descriptors = allow_descriptors(2 * settings.max_transfers + 256)
        self._admission: Admission[Request] = Admission(min(settings.max_transfers, max(1, (descriptors - 256) // 2)))
        self._chunks = ChunkCache()
        self._segmenter = Segmenter()
        self._listeners: list[socket.socket] = []
        self._by_client: dict[Client, Session] = {}
        self._unheard: dict[Client, Session] = {}  # the oldest first
        self._by_fd: dict[int, Session] = {}
        self._by_strangers_fd: dict[int, Session] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._starting = False  # _start_waiting() is scheduled
        self._idle = asyncio.Event()
        self._idle.set()
        self.undecodable = 0
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    @property
    def active(self) -> int:
        """Transfers in progress."""
        return len(self._by_client)

    def attach(self, sock: socket.socket) -> None:
        """Serve a bound UDP socket. It belongs to the server from now on."""
        prepare_listener(sock)
        self._listeners.append(sock)
        self._loop.add_reader(sock.fileno(), self._on_request, sock)

    def stop_accepting(self) -> None:
        """Take no more requests; transfers in progress go on."""
        for sock in self._listeners:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._listeners.clear()
        self._admission.forget_waiting()

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
        now = self._clock()
        for session in list(self._by_client.values()):
            self._send(session, session.transfer.cancel("the server is shutting down", now), now)
            self._settle(session, now)
        if self._timer:
            self._timer.cancel()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    # Requests

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
            client = TftpClient(arrival.address, arrival.port, arrival.local_address, arrival.ifindex)
            self._report.undecodable(client, str(error))
            return
        if isinstance(packet, Wrq):
            request = Request(Rrq(packet.filename, packet.mode), arrival, listener)
            self._refuse(request, Refusal(ErrorCode.ACCESS_VIOLATION, "this server does not take files"))
        elif isinstance(packet, Rrq):
            self._on_read(Request(packet, arrival, listener))

    def _on_read(self, request: Request) -> None:
        now = self._clock()
        session = self._by_client.get(request.key)
        if session and request.packet == session.request.packet and not session.transfer.stalled(now):
            self._send(session, session.transfer.on_repeated_request(now), now)
            return
        if session:
            session.transfer.cancel("the client asked anew", now)  # it gave up the old one, so it is not told
            self._settle(session, now)
        if self._admission.may_start(request.arrival.address) or self._evict(now):
            self._start(request, now)
        elif not self._admission.wait(request.key, request, now):
            self._refuse(request, Refusal(ErrorCode.UNDEFINED, BUSY))
        else:
            self._wake_at(now + SWEEP)

    def _evict(self, now: float) -> bool:
        """Make room by ending the oldest transfer whose client was never heard: perhaps there is none (T13)."""
        if not self._admission.full:
            return False
        session = next(iter(self._unheard.values()), None)
        if session is None or now - session.transfer.started < EVICTABLE:
            return False
        session.transfer.cancel("made room for another client", now)
        self._settle(session, now)
        return True

    def _start(self, request: Request, now: float) -> None:
        try:
            session = self._open(request, now)
        except Refusal as refusal:
            self._refuse(request, refusal)
            return
        except OSError as error:  # out of descriptors or ports; an address that nothing can be sent to
            self._refuse(request, Refusal(ErrorCode.UNDEFINED, f"no socket for the transfer: {error.strerror}"))
            return
        self._by_client[request.key] = self._unheard[request.key] = session
        self._by_fd[session.pair.client.fileno()] = session
        self._by_strangers_fd[session.pair.strangers.fileno()] = session
        self._epoll.register(session.pair.client, select.EPOLLIN)
        self._epoll.register(session.pair.strangers, select.EPOLLIN)
        self._admission.started(request.arrival.address)
        self._idle.clear()
        self._send(session, session.transfer.start(), now)
        self._settle(session, now)
        self._wake_at(session.transfer.deadline)

    def _open(self, request: Request, now: float) -> Session:
        content = self._resolve(request.packet.filename, request.client)
        if is_netascii(request.packet):
            content = content.as_netascii()
        settings, arrival = self._settings, request.arrival
        limits = Limits(self._mtu_of(arrival.ifindex), settings.max_windowsize, settings.rollover)
        agreed = negotiate(request.packet, len(content.buffer), limits)
        blocks = Blocks(content.buffer, content.key, agreed.blksize, agreed.rollover, self._chunks)
        transfer = Transfer(blocks, agreed, now, settings.first_timeout)
        pair = open_pair(arrival.local_address, request.key, agreed.windowsize * (agreed.blksize + 4))
        return Session(request, content, agreed, transfer, pair)

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        answer(request.listener, request.arrival, encode(Error(refusal.code, refusal.message)))
        self._report.refused(request.client, request.packet.filename, refusal.code, refusal.message)

    # Transfers

    def _on_ready(self) -> None:
        """One of the transfers' sockets has something. This is the hot path: see docs/performance.md."""
        poll, find, now = self._poll, self._by_fd.get, self._clock()
        for _ in range(ROUNDS):
            ready = poll(0, READY_AT_ONCE)
            if not ready:
                return
            for fd, _mask in ready:
                session = find(fd)
                if session is None:
                    self._on_stranger(fd)
                    continue
                try:
                    datagram = session.recv(MAX_ACK)
                except BlockingIOError:
                    continue
                except OSError:  # ICMP: nobody listens at the client's port
                    session.transfer.on_refused(now)
                    self._settle(session, now)
                    continue
                packets = session.receive(datagram, now)
                self._send(session, packets, now)
                if not packets or not session.noted:
                    self._settle(session, now)

    def _send(self, session: Session, packets: list[bytes], now: float) -> None:
        """Send what a transfer wants sent. What the host does not take is tried again; it never ends a transfer."""
        try:
            if len(packets) == 1:
                session.send(packets[0])
            elif packets:
                self._segmenter.send(session.pair.client, packets, session.request.arrival.ifindex)
        except ConnectionRefusedError:
            session.transfer.on_refused(now)
        except OSError:
            session.transfer.on_unsent(now)

    def _settle(self, session: Session, now: float) -> None:
        """Take note of a transfer's first ACK, or of its end."""
        transfer, source = session.transfer, session.request.arrival.address
        if transfer.heard and not session.noted:
            session.noted = True
            del self._unheard[session.request.key]
            self._admission.heard(source)
            self._wake_waiting()
        if transfer.outcome is None or self._by_client.get(session.request.key) is not session:
            return
        del self._by_client[session.request.key]
        self._unheard.pop(session.request.key, None)
        del self._by_fd[session.pair.client.fileno()]
        del self._by_strangers_fd[session.pair.strangers.fileno()]
        session.pair.close()  # which takes them out of the epoll
        self._admission.ended(source, heard=session.noted)
        self._report.ended(session.request.client, session.content, session.agreed, transfer.outcome)
        if not self._by_client:
            self._idle.set()
        self._wake_waiting()

    def _on_stranger(self, fd: int) -> None:
        """Somebody else wrote to a transfer's port: tell him, and leave the transfer alone (RFC 1350 section 4)."""
        session = self._by_strangers_fd.get(fd)
        if session is None:
            return
        try:
            datagram, address = session.pair.strangers.recvfrom(MAX_ACK)
            if not isinstance(decode(datagram), Error):
                session.pair.strangers.sendto(UNKNOWN_TID, address)
        except (DecodeError, OSError):
            return

    # Time

    def _wake_at(self, when: float) -> None:
        """Have the deadlines looked at then, or before."""
        if self._timer is None or self._timer.when() > when:
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._sweep)

    def _sweep(self) -> None:
        """Look at every deadline. An ACK only moves its transfer's deadline; no timer is touched for it."""
        self._timer = None
        now = self._clock()
        for session in list(self._by_client.values()):
            if session.transfer.deadline <= now:
                self._send(session, session.transfer.on_timeout(now), now)
            self._settle(session, now)
        for request in self._admission.expired(now):
            self._report.dropped(request.client, request.packet.filename, "too many transfers at once")
        if self._by_client or self._admission.waiting:
            soonest = min((session.transfer.deadline for session in self._by_client.values()), default=now + SWEEP)
            self._wake_at(max(now + 0.01, min(soonest, now + SWEEP)))

    def _wake_waiting(self) -> None:
        """Start the requests that wait and may start now; later, so that no start happens inside of another's end."""
        if self._admission.waiting and not self._starting:
            self._starting = True
            self._loop.call_soon(self._start_waiting)

    def _start_waiting(self) -> None:
        self._starting = False
        now = self._clock()
        while request := self._admission.next():
            self._start(request, now)
