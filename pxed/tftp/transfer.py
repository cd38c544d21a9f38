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


class Transfer:
    """A read in progress. Call start() once, receive() for each datagram, on_timeout() when `deadline` has passed.

    Blocks are counted from 0 (the OACK) without wrapping. All times are seconds of one monotonic clock. A datagram that
    is answered is answered at once: what is returned is to be sent to the client, in this order.
    """

    __slots__ = (
        "_acks",
        "_agreed",
        "_all_acked",
        "_base",
        "_blocks",
        "_chunk_end",
        "_chunk_first",
        "_first_timeout",
        "_next",
        "_packets",
        "_progress",
        "_retransmits",
        "_round_trip",
        "_sent",
        "_tries",
        "_window",
        "deadline",
        "heard",
        "outcome",
        "started",
    )

    def __init__(self, blocks: Blocks, agreed: Agreed, now: float, first_timeout: float = FIRST_TIMEOUT) -> None:
        self.heard = False  # whether the client acknowledged anything, so its address is not forged
        self.outcome: Outcome | None = None
        self._blocks = blocks
        self._agreed = agreed
        self._window = agreed.windowsize
        self._first_timeout = float(agreed.timeout or first_timeout)
        self._base = 0 if agreed.options else 1  # the first block that is not acknowledged
        self._next = self._base + 1  # the first block that was not sent
        self._tries = 0  # retransmissions since the last progress
        self._retransmits = 0
        self._round_trip = 0.0
        self.started = self._sent = self._progress = now
        self.deadline = now + self._first_timeout
        # The ACK of all that is on its way.
        self._all_acked: bytes | None = encode(Ack(blocks.wire(self._base)))
        # The chunk at hand. Empty at first, which sends the first ACK through _slide().
        self._chunk_first = self._chunk_end = 0
        self._packets: list[bytes] = []
        self._acks: list[bytes] = []

    def start(self) -> list[bytes]:
        """The first packet: the OACK, or block 1 when no option was granted."""
        return self._guarded(self._outstanding, self.started)

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """What to send for a datagram of the client."""
        if datagram != self._all_acked:
            return self._unusual(datagram, now)
        # The usual ACK, for all that was sent: this runs once per block of every lock-step client.
        first = self._next
        end = first + self._window
        if end > self._chunk_end:
            return self._guarded(self._slide, now)
        self._base = first
        self._next = end
        self._tries = 0
        self._sent = now
        self.deadline = now + self._first_timeout
        at = first - self._chunk_first
        end -= self._chunk_first
        self._all_acked = self._acks[end - 1]
        return self._packets[at:end]

    def on_timeout(self, now: float) -> list[bytes]:
        """What to send again; nothing before `deadline`."""
        if now < self.deadline or self.outcome:
            return []
        if self._tries == 0:
            self._progress = self._sent
        if self._given_up(now):
            return []
        if not self.heard and self._tries:  # T13: a forged address gets two packets and no more
            self.deadline = self._progress + self._patience
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
        self.deadline = min(self.deadline, now + EARLY_GO_BACK / 2)

    def on_refused(self, now: float) -> None:
        """The client's host says that nobody listens any more (ICMP port unreachable)."""
        self._end(Result.COMPLETE if self._all_sent else Result.ABORTED, now, "the client closed its port")

    def cancel(self, reason: str, now: float) -> list[bytes]:
        """End the transfer from this side: the ERROR for the client."""
        self._end(Result.ABORTED, now, reason)
        return [encode(Error(ErrorCode.UNDEFINED, reason))]

    def stalled(self, now: float) -> bool:
        """Whether the client was heard, but not for a whole timeout."""
        return self.heard and now - (self._progress if self._tries else self._sent) >= self._first_timeout

    @property
    def _all_sent(self) -> bool:
        """Whether the client has acknowledged something and was sent all of the rest (T8)."""
        return self.heard and self._next > self._blocks.last

    @property
    def _patience(self) -> float:
        return max(PATIENCE if self.heard else STRANGER_PATIENCE, 2 * self._first_timeout)

    def _unusual(self, datagram: bytes, now: float) -> list[bytes]:
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

    def _acknowledged(self, number: int, now: float) -> list[bytes]:
        cycle = 0xFFFF if self._agreed.rollover and self._base > 1 else 0x10000
        ahead = (number - self._blocks.wire(self._base - 1)) % cycle
        block = self._base - 1 + ahead
        if block >= self._next:
            return []  # of an earlier round, or never sent
        if block == self._next - 1:  # an ACK with padding behind it
            return self._guarded(self._slide, now)
        if ahead:
            return self._guarded(lambda at: self._go_back(block + 1, at), now)
        if self._window > 1 and self.heard and not self._tries:
            # Either an echo, or the first block of the window was lost. To resend now would start the sorcerer's
            # apprentice: EDK2 says ACK once for every block that it does not expect. The timer decides, but sooner.
            self.deadline = min(self.deadline, self._sent + max(EARLY_GO_BACK, 4 * self._round_trip))
        return []

    def _slide(self, now: float) -> list[bytes]:
        """All that was sent is acknowledged: the next window."""
        if not self.heard:
            self.heard = True
            self._round_trip = now - self._sent
        self._base = self._next
        if self._base > self._blocks.last:
            self._end(Result.COMPLETE, now)
            return []
        return self._send_window(now)

    def _go_back(self, base: int, now: float) -> list[bytes]:
        """Blocks before `base` arrived, what followed did not (RFC 7440 section 4). Happens once: base only grows."""
        self.heard = True
        self._retransmits += self._next - base
        self._base = base
        return self._send_window(now)

    def _send_window(self, now: float) -> list[bytes]:
        """Start a new round at the first block that is not acknowledged."""
        end = min(self._base + self._window, self._blocks.last + 1)
        packets = self._blocks.packets(self._base, end)
        chunk = self._blocks.chunk(end - 1)
        self._chunk_first, self._chunk_end = chunk.first, chunk.end
        self._packets, self._acks = chunk.packets, chunk.acks
        self._next = end
        self._all_acked = chunk.acks[end - 1 - chunk.first]
        self._tries = 0
        self._sent = now
        self.deadline = now + self._first_timeout
        return packets

    def _outstanding(self, _now: float) -> list[bytes]:
        if self._base == 0:
            return [encode(Oack(self._agreed.options))]
        return self._blocks.packets(self._base, self._next)

    def _again(self, now: float) -> list[bytes]:
        self._sent = now
        delay = self._first_timeout * min(2**self._tries, MAX_BACKOFF)
        self.deadline = min(now + delay, max(now, self._progress + self._patience))
        self._retransmits += self._next - self._base
        return self._guarded(self._outstanding, now)

    def _given_up(self, now: float) -> bool:
        if self._all_sent and self._tries >= LAST_TRIES:
            self._end(Result.COMPLETE, now, "the last block was not acknowledged")
        elif now - self._progress >= self._patience:
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
        blocks = self._blocks.last if complete else max(0, self._base - 1)
        size = self._blocks.size if complete else blocks * self._agreed.blksize
        self.outcome = Outcome(result, size, blocks, self._retransmits, now - self.started, reason)
        self._all_acked = None
        self.deadline = float("inf")
