"""A reading client without I/O, written from RFC 1350 and RFC 7440 section 4, to stand opposite the transfer.

It acknowledges a full window, the last block, and, when a block comes that it does not expect, the last one in order:
once per gap if it is `careful`, for each such block if it is not (EDK2).
"""

from __future__ import annotations

from pxed.tftp.packet import Ack, Data, Error, Oack, Rrq, decode, encode


class Reader:
    """`received` is the file once `done`. `patience` seconds without progress make it say again what it said last."""

    def __init__(self, request: Rrq, *, rollover: int = 0, patience: float = 1.5, careful: bool = True) -> None:
        self.received = bytearray()
        self.done = False
        self.error: Error | None = None
        self.granted: dict[str, str] = {}
        self.request = request
        self.patience = patience
        self._rollover = rollover
        self._careful = careful
        self._block = 0  # the last in order, not wrapped
        self._in_window = 0
        self._started = False
        self._gap_told = False
        self.said: list[bytes] = []

    def start(self) -> list[bytes]:
        return self._say(encode(self.request))

    def again(self) -> list[bytes]:
        """The timer of a client that hears nothing."""
        return self.said

    def receive(self, datagram: bytes) -> list[bytes]:
        match decode(datagram):
            case Oack(options):
                self.granted = {name.lower(): value for name, value in options}
                return [] if self._block else self._say(encode(Ack(0)))
            case Data(number, data):
                return self._data(number, data)
            case Error() as error:
                self.error = error
        return []

    @property
    def _blksize(self) -> int:
        return int(self.granted.get("blksize", 512))

    @property
    def _window(self) -> int:
        return int(self.granted.get("windowsize", 1))

    def _wire(self, block: int) -> int:
        return (block - 1) % 65535 + 1 if self._rollover and block > 65535 else block % 65536

    def _data(self, number: int, data: bytes) -> list[bytes]:
        if self.done or number != self._wire(self._block + 1):
            return self._unexpected(number)
        self._block += 1
        self._in_window += 1
        self._gap_told = False
        self.received += data
        self.done = len(data) < self._blksize
        return self._acknowledge() if self.done or self._in_window >= self._window else []

    def _unexpected(self, number: int) -> list[bytes]:
        """A block that it has tells a careful reader with windows nothing; a lock-step reader has to confirm it."""
        if self._careful and self._window > 1 and not self.done:
            ahead = 0 < (number - self._wire(self._block)) % 65536 < 32768
            if self._gap_told or not ahead:
                return []
            self._gap_told = True
        return self._acknowledge()

    def _acknowledge(self) -> list[bytes]:
        self._in_window = 0
        return self._say(encode(Ack(self._wire(self._block))))

    def _say(self, datagram: bytes) -> list[bytes]:
        self.said = [datagram]
        return self.said
