"""Any schedule of lost, duplicated and reordered datagrams ends with the exact bytes on the client's side."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.tftp.blocks import Blocks, ChunkCache
from pxed.tftp.negotiate import Agreed, Limits, negotiate
from pxed.tftp.packet import Rrq
from pxed.tftp.transfer import Position, Result, Transfer
from tests.tftp.reader import Reader


@dataclass
class Link:
    """A seeded link between a transfer and a reader, with a clock of its own."""

    rng: random.Random
    lose: float
    duplicate: float
    delay: float
    now: float = 0.0
    sent_to_client: int = 0
    _queue: list[tuple[float, int, str, bytes]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, to: str, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self.sent_to_client += to == "client"
            copies = 2 if self.rng.random() < self.duplicate else 1
            for _ in range(copies):
                if self.rng.random() >= self.lose:
                    arrival = self.now + self.rng.random() * self.delay
                    heapq.heappush(self._queue, (arrival, next(self._order), to, datagram))

    def next_before(self, when: float) -> tuple[str, bytes] | None:
        """The next arrival, if one is before `when`; the clock goes on to it, or to `when`."""
        if self._queue and self._queue[0][0] <= when:
            self.now, _, to, datagram = heapq.heappop(self._queue)
            return to, datagram
        self.now = max(self.now, when)
        return None


def play(
    link: Link, content: bytes, request: Rrq, rollover: int = 0, *, careful: bool = True, moves: float = 0.0
) -> tuple[Reader, Transfer]:
    """Let a reader fetch content over a link until both are done; with this chance another process goes on with the
    transfer after a datagram."""
    reader = Reader(request, rollover=rollover, patience=1.5, careful=careful)
    agreed = negotiate(request, len(content), Limits(rollover=rollover))
    transfer: Transfer | None = None
    link.send("server", reader.start())
    heard = link.now
    for _ in range(400_000):
        deadline = transfer.deadline if transfer else float("inf")
        patience = float("inf") if reader.done else heard + reader.patience
        if min(deadline, patience) == float("inf") and not link._queue:
            break
        arrived = link.next_before(min(deadline, patience))
        if arrived is None:
            if link.now >= deadline and transfer:
                link.send("client", transfer.on_timeout(link.now))
            elif not reader.done:
                heard = link.now
                link.send("server", reader.again())
        elif arrived[0] == "client":
            before = len(reader.received)
            link.send("server", reader.receive(arrived[1]))
            heard = link.now if len(reader.received) > before else heard
        elif transfer is None:
            transfer = Transfer(Blocks(content, "x", agreed.blksize, rollover, ChunkCache()), agreed, link.now)
            link.send("client", transfer.start())
        elif arrived[1][1] == 1:
            link.send("client", transfer.on_repeated_request(link.now))
        else:
            usual = transfer.step(arrived[1], link.now)
            link.send("client", [usual] if usual is not None else transfer.receive(arrived[1], link.now))
        if transfer and moves and not transfer.outcome and link.rng.random() < moves:
            transfer = moved(transfer, content, agreed)
    assert transfer
    return reader, transfer


def moved(transfer: Transfer, content: bytes, agreed: Agreed) -> Transfer:
    """The transfer as another process takes it up: its place was JSON in between."""
    written = json.loads(json.dumps(asdict(transfer.position())))
    blocks = Blocks(content, "x", agreed.blksize, agreed.rollover, ChunkCache())
    other = Transfer.at(Position(**written), blocks, agreed)
    assert other.position() == transfer.position()
    assert (other.deadline, other.blocks, other.acknowledged) == (
        transfer.deadline, transfer.blocks, transfer.acknowledged,
    )  # fmt: skip
    return other


def request(blksize: int, windowsize: int) -> Rrq:
    options = [("blksize", str(blksize))] if blksize != 512 else []
    options += [("windowsize", str(windowsize))] if windowsize > 1 else []
    return Rrq("x", "octet", tuple(options))


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 4000),
    blksize=st.sampled_from([8, 100, 512, 1468]),
    windowsize=st.sampled_from([1, 2, 4, 16, 64]),
    delay=st.sampled_from([0.0, 0.001, 0.3]),
    careful=st.booleans(),
)
def test_at_20_percent_loss_the_bytes_arrive(
    *, seed: int, size: int, blksize: int, windowsize: int, delay: float, careful: bool
) -> None:
    link = Link(random.Random(seed), lose=0.2, duplicate=0.2, delay=delay)
    reader, transfer = play(link, content(size), request(blksize, windowsize), careful=careful)
    assert reader.done
    assert bytes(reader.received) == content(size)
    assert transfer.outcome
    if transfer.heard:  # else both ACKs of a file of one block were lost, and a silent client gets two packets only
        assert transfer.outcome.result is Result.COMPLETE
        assert transfer.outcome.bytes == size


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 4000),
    blksize=st.sampled_from([8, 100, 512]),
    windowsize=st.sampled_from([1, 4, 16]),
    lose=st.sampled_from([0.0, 0.2]),
)
def test_the_bytes_arrive_whichever_processes_send_them(
    *, seed: int, size: int, blksize: int, windowsize: int, lose: float
) -> None:
    link = Link(random.Random(seed), lose=lose, duplicate=lose, delay=lose)
    reader, transfer = play(link, content(size), request(blksize, windowsize), moves=0.3)
    assert reader.done
    assert bytes(reader.received) == content(size)
    assert transfer.outcome
    if not lose:
        assert transfer.outcome.retransmits == 0
        assert transfer.outcome.result is Result.COMPLETE


@given(st.builds(dict, next=st.integers(-2, 9), outstanding=st.integers(-2, 9), before=st.integers(-1, 1)))
def test_a_place_that_no_transfer_can_be_at_is_refused(place: dict[str, int]) -> None:
    """Of a file of four blocks in windows of two."""
    agreed = Agreed(8, 2, options=(("blksize", "8"), ("windowsize", "2")))
    blocks = Blocks(content(31), "x", 8, 0, ChunkCache())
    whole = {"tries": 0, "retransmits": 0, "heard": True, "started": 0.0, "sent": 0.0, "progress": 0.0}
    position = Position(**place, **whole, resend_at=None, round_trip=0.0, first_timeout=1.0)
    try:
        transfer = Transfer.at(position, blocks, agreed)
    except ValueError:
        return
    sent = transfer.on_timeout(100.0)
    assert sent or transfer.outcome, "it can go on"


@pytest.mark.parametrize("windowsize", [1, 4, 16])
@pytest.mark.parametrize("seed", range(5))
def test_duplicates_alone_cause_no_packet(seed: int, windowsize: int) -> None:
    """Every datagram twice, in order: the sorcerer's apprentice would double every block from the first on."""
    link = Link(random.Random(seed), lose=0.0, duplicate=1.0, delay=0.0)
    reader, transfer = play(link, content(8 * 1000), request(8, windowsize))
    assert bytes(reader.received) == content(8 * 1000)
    assert transfer.outcome
    assert transfer.outcome.retransmits == 0
    assert link.sent_to_client == 1002  # the OACK, 1,000 full blocks and an empty one


@pytest.mark.parametrize("careful", [True, False], ids=["told once", "told each time"])
@pytest.mark.parametrize(("windowsize", "factor"), [(1, 1.1), (4, 1.2), (16, 1.5)])
def test_a_loss_costs_a_window_and_not_the_rest_of_the_file(windowsize: int, factor: float, *, careful: bool) -> None:
    link = Link(random.Random(7), lose=0.01, duplicate=0.0, delay=0.0)
    reader, _ = play(link, content(8 * 5000), request(8, windowsize), careful=careful)
    assert bytes(reader.received) == content(8 * 5000)
    assert link.sent_to_client < 5000 * factor


@pytest.mark.parametrize("rollover", [0, 1])
@pytest.mark.parametrize("windowsize", [1, 16])
def test_a_long_file_rolls_over_on_a_bad_link(windowsize: int, rollover: int) -> None:
    link = Link(random.Random(3), lose=0.002, duplicate=0.01, delay=0.0)
    reader, _ = play(link, content(8 * 66_000), request(8, windowsize), rollover)
    assert bytes(reader.received) == content(8 * 66_000)
