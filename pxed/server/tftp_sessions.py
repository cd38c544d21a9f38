"""The transfers in progress: their sockets, their deadlines, and the hot path.

The sockets of all transfers are in one epoll of their own, whose descriptor is one reader of the asyncio loop: a reader
per transfer costs a handle and a callback for each ACK (measured: half the rate). Its callback never waits.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

from pxed.errors import DecodeError
from pxed.server.tftp_files import Content, TftpClient
from pxed.server.tftp_socket import Pair, Segmenter
from pxed.server.transfers import EVERY, number
from pxed.tftp.admission import Client
from pxed.tftp.negotiate import Agreed
from pxed.tftp.packet import Error, ErrorCode, Rrq, decode, encode
from pxed.tftp.transfer import Transfer

READY_AT_ONCE = 512  # sockets served per wake-up, 3 ms: the loop has others to serve
SPINS = 40  # polls for the next ACK, 0.5 us each (measured, one lock-step client: 50 MB/s without, 58 with)
SPIN_PAUSE = 64  # wake-ups without, after one that looked in vain
SWEEP = 0.5  # seconds at most between two looks at the deadlines
MAX_ACK = 400  # bytes read of a client's datagram; an ERROR has a text. Above 479, CPython asks malloc for them
UNKNOWN_TID = encode(Error(ErrorCode.UNKNOWN_TID, "unknown transfer ID"))


class Session:
    """A transfer, who asked for it and how, and its sockets. The bound methods are kept: they run once per block."""

    __slots__ = (
        "agreed", "client", "content", "id", "noted", "pair", "recv", "request", "send", "step", "told", "transfer",
    )  # fmt: skip

    def __init__(
        self, client: TftpClient, request: Rrq, content: Content, agreed: Agreed, transfer: Transfer, pair: Pair
    ) -> None:
        self.client = client
        self.request = request
        self.content = content
        self.agreed = agreed
        self.transfer = transfer
        self.pair = pair
        self.noted = False  # whether the first ACK was told
        self.id = number()
        self.told = transfer.started  # when it was last told how far it is
        self.step = transfer.step
        self.recv = pair.client.recv
        self.send = pair.client.send

    @property
    def key(self) -> Client:
        return self.client.address, self.client.port


class Sessions:
    """All transfers in progress, by client. Tells of the first ACK of each, how far it is, and of its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        on_heard: Callable[[Session], None],
        on_progress: Callable[[Session], None],
        on_ended: Callable[[Session], None],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._on_heard = on_heard
        self._on_progress = on_progress
        self._on_ended = on_ended
        self._by_client: dict[Client, Session] = {}
        self._unheard: dict[Client, Session] = {}  # the oldest first
        self._by_fd: dict[int, Session] = {}
        self._by_strangers_fd: dict[int, Session] = {}
        self._segmenter = Segmenter()
        self._timer: asyncio.TimerHandle | None = None
        self._no_spins = 0  # wake-ups until _on_ready() may look for the next ACK again
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    def __len__(self) -> int:
        return len(self._by_client)

    def get(self, client: Client) -> Session | None:
        return self._by_client.get(client)

    def oldest_unheard(self) -> Session | None:
        """The transfer that waits longest for its client's first ACK."""
        return next(iter(self._unheard.values()), None)

    def all(self) -> list[Session]:
        return list(self._by_client.values())

    def add(self, session: Session, now: float) -> None:
        """Start a transfer."""
        self._unheard[session.key] = session
        self._enter(session)
        self._on_progress(session)
        self._send(session, session.transfer.start(), now)
        self._settle(session)
        self._wake_at(min(session.transfer.deadline, now + SWEEP))

    def resume(self, session: Session, now: float) -> None:
        """Go on with a transfer of the process before: what its client has said meanwhile waits in the socket."""
        if not session.noted:
            self._unheard[session.key] = session
        self._enter(session)
        self._on_progress(session)
        self._wake_at(min(session.transfer.deadline, now + SWEEP))

    def leave(self, session: Session) -> None:
        """Have no more to do with a transfer, which another process goes on with."""
        self._forget(session)

    def _enter(self, session: Session) -> None:
        self._by_client[session.key] = session
        self._by_fd[session.pair.client.fileno()] = session
        self._by_strangers_fd[session.pair.strangers.fileno()] = session
        # Edge-triggered: a level-triggered epoll asks each socket once more after it was served.
        self._epoll.register(session.pair.client, select.EPOLLIN | select.EPOLLET)
        self._epoll.register(session.pair.strangers, select.EPOLLIN)

    def _forget(self, session: Session) -> None:
        del self._by_client[session.key]
        self._unheard.pop(session.key, None)
        del self._by_fd[session.pair.client.fileno()]
        del self._by_strangers_fd[session.pair.strangers.fileno()]
        for sock in (session.pair.client, session.pair.strangers):
            self._epoll.unregister(sock)  # closing takes them out only if nobody else, as systemd, has them open
        session.pair.close()

    def repeat(self, session: Session, now: float) -> None:
        """The client asked once more for what it is being sent."""
        self._send(session, session.transfer.on_repeated_request(now), now)

    def cancel(self, session: Session, reason: str, now: float, *, tell: bool = True) -> None:
        """End a transfer, with an ERROR to the client if it is told."""
        packets = session.transfer.cancel(reason, now)
        if tell:
            self._send(session, packets, now)
        self._settle(session)

    def close(self, reason: str) -> None:
        """End all transfers."""
        now = self._clock()
        for session in list(self._by_client.values()):
            self.cancel(session, reason, now)
        if self._timer:
            self._timer.cancel()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    # Datagrams

    def _on_ready(self) -> None:
        """Some of the sockets have something.

        A client in the next rack answers within the time that the way through the loop takes, so the next ACK is looked
        for a few times; when none came, that is left be for a while.
        """
        left, batches = READY_AT_ONCE, 0
        limit = spins = 0 if self._no_spins else SPINS
        while left > 0:
            ready = self._epoll.poll(0, left)
            if ready:
                left -= len(ready)
                batches += 1
                spins = limit
                self._on_batch(ready)
            elif spins:
                spins -= 1
            else:
                break
        if limit and batches < 2:
            self._no_spins = SPIN_PAUSE
        elif self._no_spins:
            self._no_spins -= 1

    def _on_batch(self, ready: list[tuple[int, int]]) -> None:
        """Answer each socket once. The hot path: once per block of every client (docs/explanation/performance.md)."""
        find, now = self._by_fd.get, self._clock()
        for fd, _mask in ready:
            session = find(fd)
            if session is None:
                self._on_stranger(fd)
                continue
            try:
                datagram = session.recv(MAX_ACK)
            except OSError as error:
                self._on_unread(session, error, now)
                continue
            packet = session.step(datagram, now)
            if packet is None:
                self._on_datagram(session, datagram, now)
                continue
            try:
                session.send(packet)
            except OSError as error:
                self._on_unsent(session, error, now)

    def _on_datagram(self, session: Session, datagram: bytes, now: float) -> None:
        """Anything but the usual ACK. Reads on until something is to be sent: an arrival is told only once."""
        packets = session.transfer.receive(datagram, now)
        self._send(session, packets, now)
        self._settle(session)
        if not packets:
            self._read_on(session, now)

    def _read_on(self, session: Session, now: float) -> None:
        """Read until something is to be sent or nothing is left."""
        packets: list[bytes] = []
        while not packets and not session.transfer.outcome:
            try:
                datagram = session.recv(MAX_ACK)
            except OSError as error:
                self._on_unread(session, error, now)
                return
            packets = session.transfer.receive(datagram, now)
        self._send(session, packets, now)
        self._settle(session)

    def _on_stranger(self, fd: int) -> None:
        """Somebody else wrote to a transfer's port: tell him, and leave the transfer alone (RFC 1350 section 4, T7)."""
        session = self._by_strangers_fd.get(fd)
        if session is None:
            return
        try:
            datagram, address = session.pair.strangers.recvfrom(MAX_ACK)
            if not isinstance(decode(datagram), Error):
                session.pair.strangers.sendto(UNKNOWN_TID, address)
        except (DecodeError, OSError):
            return

    def _send(self, session: Session, packets: list[bytes], now: float) -> None:
        try:
            if len(packets) == 1:
                session.send(packets[0])
            elif packets:
                self._segmenter.send(session.pair.client, packets, session.client.ifindex)
        except OSError as error:
            self._on_unsent(session, error, now)

    def _on_unread(self, session: Session, error: OSError, now: float) -> None:
        if not isinstance(error, BlockingIOError):  # ICMP: nobody listens at the client's port
            session.transfer.on_refused(now)
            self._settle(session)

    def _on_unsent(self, session: Session, error: OSError, now: float) -> None:
        """What the host does not take (EAGAIN, ENOBUFS, no route for now) is tried again: it ends no transfer."""
        if isinstance(error, ConnectionRefusedError):
            session.transfer.on_refused(now)
            self._settle(session)
        else:
            session.transfer.on_unsent(now)
            self._wake_at(session.transfer.deadline)

    def _settle(self, session: Session) -> None:
        """Take note of a transfer's first ACK, and of its end."""
        if session.transfer.heard and not session.noted:
            session.noted = True
            del self._unheard[session.key]
            self._on_heard(session)
        if session.transfer.outcome is None or self._by_client.get(session.key) is not session:
            return
        self._forget(session)
        self._on_ended(session)

    # Deadlines

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
                self._read_on(session, now)
            if session.transfer.deadline <= now:
                self._send(session, session.transfer.on_timeout(now), now)
                self._settle(session)
            if now - session.told >= EVERY and not session.transfer.outcome:
                session.told = now
                self._on_progress(session)
        if self._by_client:
            soonest = min(session.transfer.deadline for session in self._by_client.values())
            self._wake_at(max(now + 0.01, min(soonest, now + SWEEP)))
