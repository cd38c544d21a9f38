"""One transfer, step by step: datagrams and the time in, datagrams out."""

from __future__ import annotations

import itertools
import math

import pytest

from pxed.errors import PxedError
from pxed.tftp.blocks import Blocks, Buffer, ChunkCache
from pxed.tftp.negotiate import Agreed
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack, Packet, decode, encode
from pxed.tftp.transfer import LAST_TRIES, MAX_BACKOFF, PATIENCE, STRANGER_PATIENCE, Result, Transfer

OPTIONS = (("tsize", "0"),)


class Timeline:
    """A transfer with its clock."""

    def __init__(self, content: Buffer, agreed: Agreed | None = None, first_timeout: float = 1.0) -> None:
        self.now = 100.0
        agreed = agreed or Agreed()
        blocks = Blocks(content, id(content), agreed.blksize, agreed.rollover, ChunkCache())
        self.transfer = Transfer(blocks, agreed, self.now, first_timeout)
        self.first = self.read(self.transfer.start())

    @staticmethod
    def read(datagrams: list[bytes]) -> list[Packet]:
        return [decode(datagram) for datagram in datagrams]

    def say(self, packet: Packet, after: float = 0.01) -> list[Packet]:
        """What the transfer sends for a packet of the client; by step() if that is for it, as the shell does."""
        self.now += after
        datagram = encode(packet)
        usual = self.transfer.step(datagram, self.now)
        return self.read([usual] if usual is not None else self.transfer.receive(datagram, self.now))

    def ack(self, block: int, after: float = 0.01) -> list[Packet]:
        return self.say(Ack(block), after)

    def wait(self) -> list[Packet]:
        """What the transfer sends when its deadline has come."""
        self.now = self.transfer.deadline
        return self.read(self.transfer.on_timeout(self.now))

    @property
    def result(self) -> Result | None:
        return self.transfer.outcome.result if self.transfer.outcome else None


def data(*blocks: int, size: int = 8) -> list[Packet]:
    """Blocks of the file that content() gives."""
    return [Data(block, bytes([block % 251]) * size) for block in blocks]


def content(blocks: int, size: int = 8) -> bytes:
    """`blocks` full blocks, each of one value; an empty one follows on the wire."""
    return b"".join(bytes([block % 251]) * size for block in range(1, blocks + 1))


def windows(blocks: int, windowsize: int) -> Timeline:
    """A windowed transfer after the client's ACK of the OACK."""
    line = Timeline(content(blocks), Agreed(8, windowsize, options=(("windowsize", str(windowsize)),)))
    assert line.ack(0) == data(*range(1, windowsize + 1))
    return line


# How a transfer goes


def test_without_options_block_1_comes_first() -> None:
    line = Timeline(b"abc")
    assert line.first == [Data(1, b"abc")]
    assert line.ack(1) == []
    outcome = line.transfer.outcome
    assert outcome
    assert (outcome.result, outcome.bytes, outcome.blocks, outcome.retransmits) == (Result.COMPLETE, 3, 1, 0)
    assert outcome.seconds == pytest.approx(0.01)


def test_with_options_the_oack_comes_first_and_counts_as_block_0() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    assert line.first == [Oack(OPTIONS)]
    assert line.ack(0) == data(1)
    assert line.ack(1) == data(2)
    assert line.ack(2) == [Data(3, b"")]
    assert line.ack(3) == []
    assert line.result is Result.COMPLETE


def test_an_empty_file_is_one_empty_block() -> None:
    line = Timeline(b"")
    assert line.first == [Data(1, b"")]
    line.ack(1)
    assert line.result is Result.COMPLETE


def test_an_ack_with_padding_behind_it_counts() -> None:
    line = Timeline(content(3), Agreed(8, options=OPTIONS))
    assert line.read(line.transfer.receive(encode(Ack(0)) + bytes(14), line.now)) == data(1)
    assert line.read(line.transfer.receive(encode(Ack(1)) + bytes(14), line.now)) == data(2)
    assert line.ack(2) == data(3)


def test_step_and_receive_send_the_same() -> None:
    lines = [Timeline(content(3000), Agreed(8, options=OPTIONS)) for _ in range(2)]
    for block in range(3001):
        by_receive = lines[1].read(lines[1].transfer.receive(encode(Ack(block)), lines[1].now))
        assert lines[0].ack(block, after=0) == by_receive
    assert lines[0].transfer.deadline == lines[1].transfer.deadline
    assert lines[0].ack(3001, after=0) == []
    assert lines[0].result is Result.COMPLETE


@pytest.mark.parametrize(("rollover", "after"), [(0, 0), (1, 1)])
def test_blocks_go_on_beyond_65535(rollover: int, after: int) -> None:
    line = Timeline(bytes(8 * 65_537), Agreed(8, 1, rollover=rollover, options=OPTIONS))
    for block in range(65_535):
        line.ack(block, after=0)
    assert line.ack(65_535) == [Data(after, bytes(8))]
    assert line.ack(after) == [Data(after + 1, bytes(8))]
    assert line.ack(after + 1) == [Data(after + 2, b"")]
    line.ack(after + 2)
    assert line.result is Result.COMPLETE
    assert line.transfer.outcome
    assert line.transfer.outcome.blocks == 65_538


@pytest.mark.parametrize("rollover", [0, 1])
def test_a_window_may_lie_across_the_rollover(rollover: int) -> None:
    line = Timeline(bytes(8 * 65_560), Agreed(8, 16, rollover=rollover, options=OPTIONS))
    block = 0
    while block + 16 <= 65_520:
        line.ack(block, after=0)
        block += 16
    sent = [packet.block for packet in line.ack(block) if isinstance(packet, Data)]
    assert sent == [65_521 + n for n in range(15)] + [rollover]
    gap = [packet.block for packet in line.ack(65_530) if isinstance(packet, Data)]
    assert gap == [65_531, 65_532, 65_533, 65_534, 65_535] + [rollover + n for n in range(11)]
    assert line.ack(rollover + 10)[:1] == [Data(rollover + 11, bytes(8))]


# Losses


def test_a_lost_oack_is_sent_again() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    assert line.wait() == [Oack(OPTIONS)]
    assert line.ack(0) == data(1)


def test_nothing_is_sent_before_the_deadline() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    line.ack(0)
    assert line.transfer.on_timeout(line.transfer.deadline - 0.001) == []
    assert line.wait() == data(1)


def test_retransmissions_back_off_and_end_after_two_minutes() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    line.ack(0)
    started, times = line.now, []
    while line.result is None:
        if line.wait():
            times.append(line.now - started)
    assert times[:5] == pytest.approx([1, 3, 7, 15, 23])
    assert max(b - a for a, b in itertools.pairwise(times)) <= MAX_BACKOFF
    assert line.result is Result.TIMED_OUT
    assert line.now - started == pytest.approx(PATIENCE)
    assert line.transfer.outcome
    assert line.transfer.outcome.retransmits == len(times)
    assert line.transfer.deadline == math.inf


def test_progress_ends_the_back_off() -> None:
    line = Timeline(content(5), Agreed(8, options=OPTIONS))
    line.ack(0)
    for _ in range(4):
        assert line.wait() == data(1)
    assert line.ack(1) == data(2)
    assert line.transfer.deadline == pytest.approx(line.now + 1)
    assert line.ack(2) == data(3)
    assert line.transfer.deadline == pytest.approx(line.now + 1)


def test_the_clients_timeout_is_honoured() -> None:
    line = Timeline(content(2), Agreed(8, timeout=5, options=(("timeout", "5"),)))
    assert line.transfer.deadline == line.now + 5
    line.ack(0)
    line.wait()
    assert line.transfer.deadline == line.now + 10


def test_a_client_that_asks_for_very_long_timeouts_gets_one_repetition_at_least() -> None:
    line = Timeline(content(2), Agreed(8, timeout=255, options=(("timeout", "255"),)))
    line.ack(0)
    assert line.wait() == data(1)
    line.wait()
    assert line.result is Result.TIMED_OUT


def test_a_client_that_never_says_anything_gets_two_packets() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    sent = len(line.first)
    began = line.now
    while line.result is None:
        sent += len(line.wait())
    assert sent == 2
    assert line.result is Result.TIMED_OUT
    assert line.now - began <= STRANGER_PATIENCE + 1


def test_a_repeated_request_is_answered_at_the_clients_pace() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    assert line.transfer.on_repeated_request(line.now + 0.5) == []
    line.wait()
    for _ in range(20):  # longer than a silent client would be waited for
        assert line.transfer.on_repeated_request(line.now + 0.9) == []
        line.now += 1
        assert line.read(line.transfer.on_repeated_request(line.now)) == [Oack(OPTIONS)]
        assert line.read(line.transfer.on_timeout(line.now)) == []
    assert line.ack(0) == data(1)
    assert line.transfer.on_repeated_request(line.now + 10) == []


# The sorcerer's apprentice


def test_a_duplicate_ack_never_sends_anything() -> None:
    line = Timeline(content(5), Agreed(8, options=OPTIONS))
    assert line.ack(0) == data(1)
    assert line.ack(0) == []
    assert line.ack(1) == data(2)
    for block in (1, 0, 1, 65535, 3, 4, 40000):
        assert line.ack(block) == []
    assert line.ack(2) == data(3)


def test_a_duplicate_ack_does_not_put_off_the_timer() -> None:
    line = Timeline(content(5), Agreed(8, options=OPTIONS))
    line.ack(0)
    deadline = line.transfer.deadline
    line.ack(0)
    assert line.transfer.deadline == deadline


def test_an_ack_that_comes_twice_after_each_block_doubles_nothing() -> None:
    line = Timeline(content(200), Agreed(8, options=OPTIONS))
    sent = sum(len(line.ack(block)) for block in range(201) for _ in range(2))
    assert sent == 201


# Windows


def test_a_window_follows_each_ack() -> None:
    line = windows(6, 4)
    assert line.ack(4) == [*data(5, 6), Data(7, b"")]
    assert line.ack(7) == []
    assert line.result is Result.COMPLETE
    assert line.transfer.outcome
    assert line.transfer.outcome.retransmits == 0


def test_a_gap_goes_back_to_the_first_block_that_is_missing() -> None:
    line = windows(40, 4)
    assert line.ack(2) == data(3, 4, 5, 6)
    assert line.ack(6) == data(7, 8, 9, 10)
    assert line.transfer._retransmits == 2


def test_a_gap_told_many_times_goes_back_once() -> None:
    line = windows(40, 4)
    assert line.ack(1) == data(2, 3, 4, 5)
    assert line.ack(1) == []
    assert line.ack(1) == []
    assert line.ack(5) == data(6, 7, 8, 9)


def test_a_lost_window_is_sent_again_by_the_timer() -> None:
    line = windows(40, 4)
    assert line.wait() == data(1, 2, 3, 4)
    assert line.ack(4) == data(5, 6, 7, 8)


def test_a_repeated_ack_in_a_window_only_brings_the_timer_forward_once() -> None:
    line = windows(40, 4)
    assert line.ack(0) == []
    assert line.transfer.deadline == pytest.approx(line.now - 0.01 + 0.1)
    assert line.wait() == data(1, 2, 3, 4)
    before = line.transfer.deadline
    assert line.ack(0) == []
    assert line.transfer.deadline == before


def test_a_repeated_ack_waits_for_a_distant_client() -> None:
    line = Timeline(content(40), Agreed(8, 4, options=OPTIONS))
    line.ack(0, after=0.2)
    sent = line.now
    line.ack(0)
    assert line.transfer.deadline == pytest.approx(sent + 0.8)


def test_a_needless_repetition_is_not_repeated() -> None:
    """The last two of 1, 2, 3, 4 are late. The reader has 1 and 2, and says so when the timer's 1 comes."""
    line = windows(40, 4)
    assert line.wait() == data(1, 2, 3, 4)
    assert line.ack(2) == data(3, 4, 5, 6)
    assert line.ack(2) == []  # for the timer's 2
    assert line.ack(4) == data(7, 8)  # for the 3 after the timer's 4: it wants 5 to 8, and 5 and 6 are on their way
    assert line.ack(4) == []
    assert line.ack(8) == data(9, 10, 11, 12)


def test_a_loss_after_a_repetition_is_repeated() -> None:
    line = windows(40, 4)
    line.ack(2)
    assert line.ack(3) == data(4, 5, 6, 7)
    assert line.ack(5) == data(6, 7, 8, 9)


def test_an_echo_of_every_ack_doubles_no_window() -> None:
    line = windows(400, 4)
    sent = 4
    for block in range(4, 401, 4):
        sent += len(line.ack(block)) + len(line.ack(block))
    assert sent == 401


def test_an_ack_of_blocks_never_sent_is_ignored() -> None:
    line = windows(40, 4)
    assert line.ack(5) == []
    assert line.ack(4) == data(5, 6, 7, 8)


# Ends


@pytest.mark.parametrize("code", [0, 8])
def test_an_error_after_the_oack_is_a_question_for_the_size(code: int) -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    assert line.say(Error(code, "User aborted the transfer")) == []
    assert line.result is Result.PROBED
    assert line.transfer.deadline == math.inf


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_error_later_ends_quietly(code: int) -> None:
    line = Timeline(content(4), Agreed(8, options=OPTIONS))
    line.ack(0)
    line.ack(1)
    assert line.say(Error(code, "disk full")) == []
    outcome = line.transfer.outcome
    assert outcome
    assert (outcome.result, outcome.blocks, outcome.bytes, outcome.reason) == (Result.ABORTED, 1, 8, "disk full")


def test_nothing_is_sent_after_the_end() -> None:
    line = Timeline(content(2), Agreed(8, options=OPTIONS))
    line.say(Error(0, ""))
    for packet in (Ack(0), Ack(1), Error(0, "")):
        assert line.say(packet) == []
    assert line.transfer.on_timeout(line.now + 1000) == []
    assert line.transfer.on_repeated_request(line.now + 1000) == []
    line.transfer.on_refused(line.now)
    assert line.result is Result.PROBED


def test_the_last_ack_may_stay_away() -> None:
    line = Timeline(content(1), Agreed(8, options=OPTIONS))
    line.ack(0)
    assert line.ack(1) == [Data(2, b"")]
    tries = 0
    while line.result is None:
        tries += len(line.wait())
    assert tries == LAST_TRIES
    assert line.result is Result.COMPLETE
    assert line.transfer.outcome
    assert line.transfer.outcome.bytes == 8


def test_a_client_that_closes_its_port_after_the_last_block_is_done() -> None:
    line = Timeline(content(1), Agreed(8, options=OPTIONS))
    line.ack(0)
    line.ack(1)
    line.transfer.on_refused(line.now)
    assert line.result is Result.COMPLETE


def test_a_client_that_closes_its_port_before_is_gone() -> None:
    line = Timeline(content(9), Agreed(8, options=OPTIONS))
    line.ack(0)
    line.transfer.on_refused(line.now)
    assert line.result is Result.ABORTED


def test_a_file_of_one_block_to_nobody_is_not_complete() -> None:
    line = Timeline(b"abc")
    line.transfer.on_refused(line.now)
    assert line.result is Result.ABORTED


def test_a_cancelled_transfer_tells_the_client() -> None:
    line = Timeline(content(9))
    assert line.read(line.transfer.cancel("the server is shutting down", line.now)) == [
        Error(ErrorCode.UNDEFINED, "the server is shutting down")
    ]
    assert line.result is Result.ABORTED


@pytest.mark.parametrize(
    "datagram", [b"", b"\0", b"\0\4\0", b"\0\7\0\0", b"\xff" * 400, b"\0\3\0\1data", b"\0\6", b"\0\1x\0octet\0"]
)
def test_anything_else_is_ignored(datagram: bytes) -> None:
    line = Timeline(content(4), Agreed(8, options=OPTIONS))
    line.ack(0)
    deadline = line.transfer.deadline
    assert line.transfer.step(datagram, line.now) is None
    assert line.transfer.receive(datagram, line.now) == []
    assert (line.result, line.transfer.deadline) == (None, deadline)
    assert line.ack(1) == data(2)


# The host


def test_what_the_host_could_not_send_is_sent_soon() -> None:
    line = Timeline(content(4), Agreed(8, options=OPTIONS))
    line.ack(0)
    line.transfer.on_unsent(line.now)
    assert line.transfer.deadline <= line.now + 0.05
    assert line.wait() == data(1)
    assert line.ack(1) == data(2)


def test_a_file_that_changes_ends_the_transfer_with_an_error() -> None:
    class Changing:
        def __len__(self) -> int:
            return 8 * 4000

        def __getitem__(self, piece: slice) -> bytes:
            if piece.start:
                raise PxedError("x was changed while being read")
            return bytes(piece.stop - piece.start)

    line, block = Timeline(Changing(), Agreed(8, options=OPTIONS)), 0
    while isinstance((sent := line.ack(block, after=0))[0], Data):
        block += 1
    assert sent == [Error(ErrorCode.UNDEFINED, "x was changed while being read")]
    assert line.result is Result.ABORTED
    assert line.ack(block) == []


def test_a_heard_client_that_is_silent_for_a_timeout_is_stalled() -> None:
    line = Timeline(content(4), Agreed(8, options=OPTIONS))
    assert not line.transfer.stalled(line.now + 50)
    line.ack(0)
    assert not line.transfer.stalled(line.now + 0.5)
    assert line.transfer.stalled(line.now + 1)
    line.wait()
    assert line.transfer.stalled(line.now)
