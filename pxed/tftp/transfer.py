"""One read transfer, without I/O: datagrams and the time in, datagrams out.

RFC 1350 section 2 (lock-step, last block), RFC 1123 section 4.2.3.1 https://www.rfc-editor.org/rfc/rfc1123 (the
sorcerer's apprentice: a duplicate ACK causes no packet), RFC 2347 (the OACK counts as block 0), RFC 7440 (windows).
Who the datagrams come from is the caller's concern: it hands in those of the client only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pxed.errors import DecodeError, PxedError
from pxed.tftp.blocks import Blocks
from pxed.tftp.negotiate import Agreed
from pxed.tftp.packet import Ack, Error, ErrorCode, Oack, decode, encode

FIRST_TIMEOUT = 1.0  # seconds before the first retransmission, unless the client names another (T16)
MAX_BACKOFF = 8  # times the first timeout: 17 tries in two minutes bring a block over a link that loses 20 %
PATIENCE = 120.0  # seconds without progress after which the client is given up (T16)
STRANGER_PATIENCE = 10.0  # seconds for a client that never acknowledged anything: its address may be forged (T13)
LAST_TRIES = 5  # retransmissions of the last block; some clients never acknowledge it (T8)
EARLY_GO_BACK = 0.1  # seconds at least between a window and its repetition for a repeated ACK


class Result(StrEnum):
    """How a transfer ended."""

    COMPLETE = "complete"
    PROBED = "probed"  # the client wanted the options only: EDK2 asks for tsize, then says "User aborted" (T1)
    ABORTED = "aborted"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a transfer. `bytes` and `blocks` are what the client acknowledged; all of it when complete."""

    result: Result
    bytes: int
    blocks: int
    retransmits: int
    seconds: float
    reason: str = ""  # what the client, or this side, said about an abort


@dataclass(frozen=True, slots=True)
class Position:
    """Where a transfer is, as plain data: what goes on with it, with the same file and options, needs no more.

    Blocks are counted from 0 without wrapping; times are of the transfer's clock.
    """

    next: int  # the first block that was not sent
    outstanding: int  # blocks that were sent and not acknowledged
    before: int
    tries: int
    retransmits: int
    heard: bool
    started: float
    sent: float
    progress: float
    resend_at: float | None
    round_trip: float
    first_timeout: float


class Transfer:
    """A read in progress. start() once, step() or receive() for each datagram, on_timeout() when `deadline` has passed.

    Blocks are counted from 0 (the OACK) without wrapping. All times are seconds of one monotonic clock. A datagram that
    is answered is answered at once: what is returned is to be sent to the client, in this order.
    """

    __slots__ = (
        "_acks",
        "_agreed",
        "_all_acked",
        "_at",
        "_before",
        "_blocks",
        "_chunk_first",
        "_first_timeout",
        "_outstanding",
        "_packets",
        "_progress",
        "_resend_at",
        "_retransmits",
        "_round_trip",
        "_sent",
        "_step_end",
        "_tries",
        "heard",
        "outcome",
        "started",
    )

    def __init__(self, blocks: Blocks, agreed: Agreed, now: float, first_timeout: float = FIRST_TIMEOUT) -> None:
        self.heard = False  # whether the client acknowledged anything, so its address is not forged
        self.outcome: Outcome | None = None
        self.started = self._sent = self._progress = now
        self._blocks = blocks
        self._agreed = agreed
        self._first_timeout = float(agreed.timeout or first_timeout)
        self._resend_at: float | None = None  # a deadline other than a timeout after the last packet
        self._tries = 0  # retransmissions since the last progress
        self._retransmits = 0
        self._round_trip = 0.0
        # The chunk at hand, empty at first; block `_chunk_first + _at` is the first that was not sent.
        self._packets: list[bytes] = []
        self._acks: list[bytes] = []
        self._chunk_first = 0
        self._at = 1 if agreed.options else 2
        self._outstanding = 1  # blocks that were sent and not acknowledged
        self._step_end = 0  # step() goes up to here in the chunk
        self._before = 0  # the first block that was not sent before the last repetition; 0: nothing was repeated
        # The ACK of all that is on its way; None: step() has nothing to do.
        self._all_acked: bytes | None = None

    @classmethod
    def at(cls, position: Position, blocks: Blocks, agreed: Agreed) -> Transfer:
        """The transfer that position() was of. Raises ValueError for a place that it cannot be at."""
        first = position.next - position.outstanding
        fits = 1 <= position.outstanding <= max(1, agreed.windowsize) and first >= 0
        if not fits or position.next > blocks.last + 1 or position.before < 0 or position.tries < 0:
            raise ValueError("a transfer cannot be there")
        transfer = cls(blocks, agreed, position.started, position.first_timeout)
        transfer.heard, transfer._sent, transfer._progress = position.heard, position.sent, position.progress
        transfer._resend_at, transfer._round_trip = position.resend_at, position.round_trip
        transfer._tries, transfer._retransmits = position.tries, position.retransmits
        transfer._at, transfer._outstanding, transfer._before = position.next, position.outstanding, position.before
        return transfer

    def position(self) -> Position:
        """Where it is; it has not ended."""
        return Position(
            self._next,
            self._outstanding,
            self._before,
            self._tries,
            self._retransmits,
            self.heard,
            self.started,
            self._sent,
            self._progress,
            self._resend_at,
            self._round_trip,
            self._first_timeout,
        )

    @property
    def deadline(self) -> float:
        """When on_timeout() is due; infinite after the end. A later packet only moves it on."""
        if self.outcome:
            return float("inf")
        return self._sent + self._first_timeout if self._resend_at is None else self._resend_at

    def start(self) -> list[bytes]:
        """The first packet: the OACK, or block 1 when no option was granted."""
        return self._guarded(self._last_sent, self.started)

    def step(self, datagram: bytes, now: float) -> bytes | None:
        """The next block of a lock-step transfer for the ACK that is expected: receive() of the usual case, faster.

        None, and nothing has happened, in every other case: the datagram is then for receive().
        """
        at = self._at
        if datagram != self._all_acked or at >= self._step_end:
            return None
        self._at = at + 1
        self._sent = now
        self._all_acked = self._acks[at]
        return self._packets[at]

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """What to send for a datagram of the client."""
        if self.outcome:
            return []
        try:
            packet = decode(datagram)
        except DecodeError:
            return []
        if isinstance(packet, Ack):
            return self._acknowledged(packet.block, now)
        if isinstance(packet, Error):
            self._client_error(packet, now)
        return []  # an ERROR is never answered by another; anything else is no packet that a reader sends

    def on_timeout(self, now: float) -> list[bytes]:
        """What to send again; nothing before `deadline`."""
        if now < self.deadline:
            return []
        if self._tries == 0:
            self._progress = self._sent
        if self._given_up(now):
            return []
        if not self.heard and self._tries:  # T13: a forged address gets two packets and no more
            self._resend_at = self._progress + self._patience
            return []
        self._tries += 1
        return self._again(now)

    def on_repeated_request(self, now: float) -> list[bytes]:
        """The client asks again, so it does not have the first packet; answered as often as its own timer may run."""
        if self.heard or self.outcome or now - self._sent < self._first_timeout:
            return []
        self._progress = now
        self._tries = max(1, self._tries)
        return self._again(now)

    def on_unsent(self, now: float) -> None:
        """The host could not send what was given to it: try again soon, as if the packets had been lost."""
        self._resend_by(now + EARLY_GO_BACK / 2)

    def on_refused(self, now: float) -> None:
        """The client's host says that nobody listens any more (ICMP port unreachable)."""
        if not self.outcome:
            self._end(Result.COMPLETE if self._all_sent else Result.ABORTED, now, "the client closed its port")

    def cancel(self, reason: str, now: float) -> list[bytes]:
        """End the transfer from this side: the ERROR for the client."""
        self._end(Result.ABORTED, now, reason)
        return [encode(Error(ErrorCode.UNDEFINED, reason))]

    def stalled(self, now: float) -> bool:
        """Whether the client was heard, but not for a whole timeout."""
        return self.heard and now - (self._progress if self._tries else self._sent) >= self._first_timeout

    @property
    def blocks(self) -> int:
        """How many blocks the client has acknowledged; the OACK is none."""
        return max(0, self._base - 1)

    @property
    def acknowledged(self) -> int:
        """Bytes that the client has acknowledged."""
        return min(self._blocks.size, self.blocks * self._agreed.blksize)

    @property
    def retransmits(self) -> int:
        """Packets that were sent again."""
        return self._retransmits

    @property
    def _next(self) -> int:
        """The first block that was not sent."""
        return self._chunk_first + self._at

    @property
    def _base(self) -> int:
        """The first block that is not acknowledged."""
        return self._chunk_first + self._at - self._outstanding

    @property
    def _all_sent(self) -> bool:
        """Whether the client has acknowledged something and was sent all of the rest (T8)."""
        return self.heard and self._next > self._blocks.last

    @property
    def _patience(self) -> float:
        return max(PATIENCE if self.heard else STRANGER_PATIENCE, 2 * self._first_timeout)

    def _acknowledged(self, number: int, now: float) -> list[bytes]:
        acked = self._base - 1
        cycle = 0xFFFF if self._agreed.rollover and acked > 0 else 0x10000
        ahead = (number - self._blocks.wire(acked)) % cycle
        if ahead > self._outstanding:
            return []  # of an earlier round, or never sent
        if ahead:
            return self._guarded(lambda at: self._advance(acked + ahead + 1, at), now)
        if self._agreed.windowsize > 1 and self.heard and not self._tries:
            # Either an echo, or the first block of the window was lost. To resend now would start the sorcerer's
            # apprentice: EDK2 says ACK once for every block that it does not expect. The timer decides, but sooner.
            self._resend_by(self._sent + max(EARLY_GO_BACK, 4 * self._round_trip))
        return []

    def _advance(self, base: int, now: float) -> list[bytes]:
        """Blocks before `base` arrived: the next window. If more was sent, it is sent again (RFC 7440 section 4).

        Except when just that arrived which had been sent before the last repetition: then nothing was lost, and what
        was repeated meets a reader that says ACK for every block it does not expect. To repeat once more would go on
        to the end of the file. The reader gets what its window lacks.
        """
        if not self.heard:
            self.heard = True
            self._round_trip = now - self._sent
        first = self._next if base == self._before else base
        self._before = 0 if base in (self._before, self._next) else self._next
        self._retransmits += self._next - first
        if base > self._blocks.last:
            self._at, self._outstanding = base - self._chunk_first, 0
            self._end(Result.COMPLETE, now)
            return []
        end = min(base + self._agreed.windowsize, self._blocks.last + 1)
        packets = self._blocks.packets(first, end)
        chunk = self._blocks.chunk(end - 1)
        self._packets, self._acks, self._chunk_first = chunk.packets, chunk.acks, chunk.first
        self._at, self._outstanding = end - chunk.first, end - base
        self._step_end = len(chunk.packets) if self._agreed.windowsize == 1 else 0
        self._all_acked = chunk.acks[end - 1 - chunk.first]
        self._tries, self._resend_at, self._sent = 0, None, now
        return packets

    def _last_sent(self, _now: float) -> list[bytes]:
        if self._base == 0:
            return [encode(Oack(self._agreed.options))]
        return self._blocks.packets(self._base, self._next)

    def _again(self, now: float) -> list[bytes]:
        self._sent = now
        delay = self._first_timeout * min(2**self._tries, MAX_BACKOFF)
        self._resend_at = min(now + delay, max(now, self._progress + self._patience))
        self._all_acked = None  # the next ACK takes the long way, which ends the back-off
        self._retransmits += self._outstanding
        return self._guarded(self._last_sent, now)

    def _resend_by(self, when: float) -> None:
        self._resend_at = min(self.deadline, when)
        self._all_acked = None

    def _given_up(self, now: float) -> bool:
        if self._all_sent and self._tries >= LAST_TRIES:
            self._end(Result.COMPLETE, now, "the last block was not acknowledged")
        elif now >= self._progress + self._patience:
            self._end(Result.TIMED_OUT, now, "the client does not answer")
        return self.outcome is not None

    def _client_error(self, error: Error, now: float) -> None:
        probed = self._base == 0 and error.code in (ErrorCode.UNDEFINED, ErrorCode.OPTION_NEGOTIATION)
        self._end(Result.PROBED if probed else Result.ABORTED, now, error.message)

    def _guarded(self, packets: Callable[[float], list[bytes]], now: float) -> list[bytes]:
        """`packets(now)`; the ERROR for the client when the file can no longer be read."""
        try:
            return packets(now)
        except PxedError as error:
            return self.cancel(str(error), now)

    def _end(self, result: Result, now: float, reason: str = "") -> None:
        complete = result is Result.COMPLETE
        blocks = self._blocks.last if complete else self.blocks
        size = self._blocks.size if complete else self.acknowledged
        self.outcome = Outcome(result, size, blocks, self._retransmits, now - self.started, reason)
        self._all_acked = None
