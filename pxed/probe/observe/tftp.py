"""TFTP transfers on a wire, block by block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pxed.errors import DecodeError
from pxed.events import Event, Kind, Level, Value
from pxed.probe.capture import Datagram
from pxed.probe.observe.known import Known
from pxed.probe.observe.scripts import is_script, script_events
from pxed.server.tftp_events import printable
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack, Rrq, decode

PORT = 69
MOST_TRANSFERS = 1024
PROGRESS_SECONDS = 2.0
QUIET = 2.0
PLAIN = 512
LARGEST_SCRIPT = 1 << 16
_DATA = b"\0\3"


@dataclass(slots=True)
class _Transfer:
    """One read. Blocks are counted without wrapping."""

    number: int
    file: str
    client: str
    mac: str
    server: str
    began: float
    told: float
    blksize: int = PLAIN
    windowsize: int = 1
    due: int = 0
    sent: int = 0  # the highest block
    acked: int = 0
    last: int = -1  # the number of the last block, -1 not known
    last_size: int = 0
    retransmits: int = 0
    heard: bool = False
    moved: float = 0.0  # when it last acknowledged something, or got something
    head: bytes = b""
    over: bool = False

    @property
    def bytes(self) -> int:
        """Acknowledged ones."""
        if 0 <= self.last <= self.acked:
            return (self.last - 1) * self.blksize + self.last_size
        return self.acked * self.blksize

    def whole(self, number: int, near: int) -> int:
        """The block of a 16-bit number, as the one closest to `near`."""
        base = near - (near & 0xFFFF) + number
        return min((base - 0x10000, base, base + 0x10000), key=lambda one: abs(one - near))


class TftpView:
    """Reads by clients, as events."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._transfers: OrderedDict[tuple[str, int], _Transfer] = OrderedDict()  # by the client's address and port
        self._count = 0

    def wants(self, datagram: Datagram) -> bool:
        """Whether the datagram is TFTP: a request, or of a transfer that is known."""
        if datagram.dport == PORT:
            return True
        ends = ((datagram.src, datagram.sport), (datagram.dst, datagram.dport))
        return any(end in self._transfers for end in ends)

    def packet(self, datagram: Datagram) -> list[Event]:
        """What it tells."""
        transfer = self._transfers.get((datagram.dst, datagram.dport))
        try:
            if transfer is not None:
                return [event for one in _pieces(datagram, transfer) for event in self._from_server(one, transfer)]
            packet = decode(datagram.payload)
        except DecodeError as error:
            text = f"a datagram from {datagram.src}:{datagram.sport} is no TFTP packet: {error}"
            return [Event(Kind.UNDECODABLE, datagram.time, text=text, level=Level.DEBUG)]
        if isinstance(packet, Rrq):
            return self._begin(datagram, packet) if datagram.dport == PORT else []
        transfer = self._transfers.get((datagram.src, datagram.sport))
        return self._from_client(datagram, transfer, packet) if transfer is not None else []

    def tick(self, now: float) -> list[Event]:
        """How far a file is that stands still; and what was sent whole, without its last acknowledgment.

        Some clients leave that out (T8).
        """
        events: list[Event] = []
        for transfer in self._transfers.values():
            if transfer.over or not transfer.heard or now - transfer.moved < QUIET:
                continue
            if transfer.told < transfer.moved and transfer.acked:
                events.append(self._progress(transfer.moved, transfer))
            if 0 < transfer.last <= transfer.sent and transfer.last - transfer.acked <= transfer.windowsize:
                transfer.acked = transfer.last
                events += self._done(transfer.moved, transfer)
        return events

    def _begin(self, datagram: Datagram, request: Rrq) -> list[Event]:
        key = (datagram.src, datagram.sport)
        before = self._transfers.get(key)
        if before is not None and not before.over and before.file == printable(request.filename) and not before.sent:
            return []  # the same request again
        self._count += 1
        mac = self._known.mac_of(datagram.src, datagram.mac)
        self._known.learn(datagram.src, mac)
        transfer = _Transfer(
            self._count, printable(request.filename), datagram.src, mac, datagram.dst, datagram.time, datagram.time
        )
        self._transfers[key] = transfer
        self._transfers.move_to_end(key)
        if len(self._transfers) > MOST_TRANSFERS:
            self._transfers.popitem(last=False)
        return [self._event(Kind.PROGRESS, datagram.time, transfer, f"asks by TFTP for {transfer.file}")]

    def _from_server(self, datagram: Datagram, transfer: _Transfer) -> list[Event]:
        match decode(datagram.payload):
            case Oack(options):
                granted = {name.lower(): value for name, value in options}
                transfer.blksize = _int(granted.get("blksize"), PLAIN)
                transfer.windowsize = _int(granted.get("windowsize"), 1)
                transfer.due = _int(granted.get("tsize"), 0)
            case Data(number, data):
                block, size = transfer.whole(number, transfer.sent), len(data) + datagram.lost
                if block <= transfer.sent:
                    transfer.retransmits += 1
                else:
                    transfer.sent, transfer.moved = block, datagram.time
                    if len(transfer.head) < LARGEST_SCRIPT:
                        transfer.head += data
                if size < transfer.blksize:
                    transfer.last, transfer.last_size = block, size
            case Error(code, message):
                transfer.over = True
                reason = printable(message) or f"error {code}"
                text = f"{transfer.server} refuses {transfer.file}: {reason}"
                return [self._event(Kind.REFUSED, datagram.time, transfer, text, reason=reason, status=code)]
        return []

    def _from_client(self, datagram: Datagram, transfer: _Transfer, packet: object) -> list[Event]:
        if transfer.over:
            return []
        match packet:
            case Ack(number):
                first, transfer.heard, transfer.moved = not transfer.heard, True, datagram.time
                transfer.acked = max(transfer.acked, transfer.whole(number, max(transfer.acked, 0)))
                if 0 < transfer.last <= transfer.acked:
                    return self._done(datagram.time, transfer)
                if first and number == 0:
                    text = f"agrees on blocks of {transfer.blksize} bytes for {transfer.file}"
                    return [self._event(Kind.PROGRESS, datagram.time, transfer, text)]
                if datagram.time - transfer.told >= PROGRESS_SECONDS:
                    return [self._progress(datagram.time, transfer)]
            case Error(code, message):
                return self._broken(datagram.time, transfer, code, message)
        return []

    def _progress(self, when: float, transfer: _Transfer) -> Event:
        transfer.told = when
        return self._event(Kind.PROGRESS, when, transfer, f"has {transfer.bytes} bytes of {transfer.file}")

    def _done(self, when: float, transfer: _Transfer) -> list[Event]:
        transfer.over = True
        took = when - transfer.began
        text = f"has {transfer.file}, {transfer.bytes} bytes in {took:.1f} s"
        if is_script(transfer.head):
            url = f"tftp://{transfer.server}/{transfer.file}"
            return script_events(self._known, when, transfer.mac, transfer.client, url, transfer.head)
        kinds = {"loader": Kind.LOADER, "kernel": Kind.KERNEL, "initrd": Kind.INITRD}
        kind = kinds.get(self._stage(transfer), Kind.TRANSFER)
        return [self._event(kind, when, transfer, text)]

    def _broken(self, when: float, transfer: _Transfer, code: int, message: str) -> list[Event]:
        """EDK2 asks for the size and breaks off (T1)."""
        transfer.over = True
        probed = not transfer.sent and (code == ErrorCode.OPTION_NEGOTIATION or not transfer.acked)
        result = "probed" if probed else "aborted"
        said = (
            f"asks for the size of {transfer.file}" if probed else f"breaks off {transfer.file}: {printable(message)}"
        )
        return [self._event(Kind.TRANSFER, when, transfer, said, result=result, reason=printable(message))]

    def _stage(self, transfer: _Transfer) -> str:
        course = self._known.clients.get(transfer.mac)
        name = transfer.file.rpartition("/")[2]
        if course is not None and name == course.kernel.rpartition("/")[2]:
            return "kernel"
        if course is not None and any(name == one.rpartition("/")[2] for one in course.initrds):
            return "initrd"
        return "other" if name.endswith((".ipxe", ".cfg", ".conf", ".lst")) else "loader"

    def _event(self, kind: Kind, when: float, transfer: _Transfer, text: str, **more: Value) -> Event:
        data: dict[str, Value] = {
            "id": transfer.number,
            "file": transfer.file,
            "bytes": transfer.bytes,
            "due": transfer.due,
            "seconds": round(when - transfer.began, 3),
            "transport": "tftp",
            "stage": self._stage(transfer),
            "address": transfer.client,
            "retransmits": transfer.retransmits,
            "heard": transfer.heard,
            "blksize": transfer.blksize,
            "windowsize": transfer.windowsize,
            "interface": self._known.interface,
            **more,
        }
        level = Level.DEBUG if kind in (Kind.PROGRESS, Kind.TRANSFER) else Level.INFO
        return Event(kind, when, self._known.name(transfer.mac), transfer.mac, text, level, data)


def _pieces(datagram: Datagram, transfer: _Transfer) -> Iterator[Datagram]:
    """A window that the kernel has sent as one (UDP_SEGMENT), as its blocks: captured on the server's host it is one
    datagram, longer than any block."""
    whole, size = datagram.payload, transfer.blksize + 4
    total = len(whole) + datagram.lost
    if total <= size or whole[:2] != _DATA or len(whole) < 4:
        yield datagram
        return
    first = int.from_bytes(whole[2:4], "big")
    for number, at in enumerate(range(0, total, size)):
        kept = whole[at : at + size]
        header = _DATA + ((first + number) & 0xFFFF).to_bytes(2, "big")
        lost = min(size, total - at) - max(len(kept), 4)
        yield replace(datagram, payload=header + kept[4:], lost=max(lost, 0))


def _int(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdigit() else otherwise
