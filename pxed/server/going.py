"""A file on its way by HTTP, and the same as plain data for the process that goes on with it."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from pxed.assets.library import Asset
from pxed.assets.mirror.index import Release
from pxed.events import Kind
from pxed.server.callers import Caller
from pxed.server.conditions import Selection
from pxed.server.handover import Parcel, identity
from pxed.server.sendfile import PlainSender, Sending
from pxed.server.underway import Download


@dataclass(frozen=True, slots=True)
class Origin:
    """Which file of which image it is."""

    image: str
    file: str
    release: Release | None = None  # that it is of, where the image is Flatcar's


@dataclass(frozen=True, slots=True)
class Handing:
    """A file to hand out, and what to do about it."""

    asset: Asset
    kind: Kind  # of the event that says it was sent
    digest: str = ""  # SHA-512 in hexadecimal, of a file of the mirror
    origin: Origin | None = None  # of a file that machines boot
    called: str = ""  # as its script calls it

    @property
    def name(self) -> str:
        return self.called or self.asset.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Answering:
    """The connection and the answer that a file belongs to."""

    request: web.BaseRequest
    response: web.StreamResponse

    @property
    def keeps(self) -> bool:
        """Whether the client may ask for more over it, and has not yet."""
        return bool(self.response.keep_alive) and not getattr(self.request.protocol, "has_more", True)


@dataclass(eq=False, slots=True)
class Going:
    """One file on its way."""

    caller: Caller
    handing: Handing
    selection: Selection
    sending: Sending
    download: Download
    answering: Answering | None  # None: another process has begun it
    keeps: bool = False  # as that one said
    left: bool = False  # another process goes on with it

    @property
    def connection(self) -> object | None:
        """aiohttp's."""
        return self.answering.request.protocol if self.answering is not None else None

    @property
    def descriptors(self) -> tuple[int, int] | None:
        """The connection's and the file's, when it could be handed over now."""
        return self.sending.descriptors if isinstance(self.sending, PlainSender) else None

    def parcel(self) -> Parcel | None:
        """It, for a hand-over; None for what cannot be handed over."""
        descriptors = self.descriptors
        if descriptors is None:
            return None
        sock, file = (identity(fd) for fd in descriptors)
        return Parcel("http", descriptors, self._is_open, lambda: self._leave(sock, file))

    def _is_open(self) -> bool:
        return not self.left and self.descriptors is not None

    def _leave(self, sock: str, file: str) -> HttpState | None:
        sending, answering = self.sending, self.answering
        if not self._is_open() or not isinstance(sending, PlainSender):
            return None
        sending.leave()
        self.left = True
        if answering is not None and answering.request.transport is not None:
            answering.request.transport.pause_reading()
        handing, caller, origin = self.handing, self.caller, self.handing.origin
        return HttpState(
            sock,
            file,
            handing.asset,
            handing.kind,
            handing.called,
            handing.digest,
            origin.image if origin else "",
            origin.file if origin else "",
            origin.release.version if origin and origin.release else "",
            caller.address,
            caller.machine,
            caller.mac,
            self.selection,
            sending.sent,
            self.download.began,
            sending.tally.began(),
            answering.keeps if answering is not None else self.keeps,
            self.download.id,
        )


@dataclass(frozen=True, slots=True)
class HttpState:
    """One file on its way, as it is handed over."""

    socket: str  # identities of descriptors
    file: str
    asset: Asset
    kind: Kind
    called: str
    digest: str
    image: str
    image_file: str
    version: str
    address: str
    machine: str
    mac: str
    selection: Selection
    sent: int
    began: float
    retransmitted_before: int
    keeps: bool
    id: int  # of its events

    def __post_init__(self) -> None:
        size = self.selection.count
        if not (0 <= self.selection.start <= self.selection.stop <= self.asset.size and 0 <= self.sent <= size):
            raise ValueError("a transfer cannot be there")
