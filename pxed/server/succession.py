"""One process of pxed after the other, on a restart under systemd: what the old one leaves, the new one takes up.

The old one serves as before while short transfers end. Then it takes no more requests (they wait in the listening
sockets, pxed.server.kept), puts the transfers' descriptors into systemd's store, waits for what nobody can go on with
(HTTPS, answers that are made), and last writes down where each transfer is. No transfer is ever served by two.

It cannot tell a restart from a stop: both are SIGTERM. After a stop systemd closes what was left, which ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

from pxed.events import Emit, Event, Kind, Level
from pxed.server import tftp_handover
from pxed.server.fdstore import FdStore
from pxed.server.going import HttpState
from pxed.server.handover import HandoverError, Incoming, Outgoing, Parcel
from pxed.server.http import HttpServer
from pxed.server.tftp import TftpServer

GRACE_SECONDS = 1.0  # for transfers to end by themselves, while everything is served
ANSWER_SECONDS = 3.0  # for the last answers that are made; nothing is served any more
_LOOK = 0.02


class Memory(Protocol):
    """What the process knows that is in no store."""

    def written(self) -> Mapping[str, object]: ...
    def read(self, context: Callable[[str], Any]) -> None: ...


class Succession:
    """Both sides of it, for one process."""

    def __init__(
        self, store: FdStore, incoming: Incoming, tftp: TftpServer, http: HttpServer, memory: Memory, emit: Emit
    ) -> None:
        self._store = store
        self._incoming = incoming
        self._tftp = tftp
        self._http = http
        self._memory = memory
        self._emit = emit

    def take_up(self) -> None:
        """Go on with what the process before has left, before anything is asked anew."""
        with contextlib.closing(self._incoming) as incoming:
            try:
                if not incoming.read():
                    return
            except HandoverError as error:
                self._notice(f"what the process before handed over is lost: {error}", Level.WARNING)
                return
            self._memory.read(incoming.context)
            tftp, lost = tftp_handover.resume(self._tftp, incoming)
            http, lost_too = self._resume_downloads(incoming)
        if tftp or http:
            self._notice(f"goes on with {_count(tftp, http)} of the process before")
        if lost + lost_too:
            self._notice(f"{lost + lost_too} transfers of the process before could not be taken up", Level.WARNING)

    def _resume_downloads(self, incoming: Incoming) -> tuple[int, int]:
        states, lost = incoming.states("http", HttpState)
        resumed = 0
        for state in states:
            sock, file = incoming.take_socket(state.socket), incoming.take_file(state.file)
            if sock is None or file is None:
                incoming.give_back(sock, file)
                lost += 1
                continue
            self._http.resume(state, sock, file)
            resumed += 1
        return resumed, lost

    async def end(self, stop_serving: Callable[[], None], hurry: asyncio.Event, seconds: float) -> bool:
        """Let what is under way end, in so many seconds, or hand it over; whether the next process can go on with it.

        Without a systemd that keeps descriptors for this unit, nothing new is taken from here on.
        """
        outgoing, end = Outgoing(self._store), time.monotonic() + seconds
        hands_over = outgoing.open()
        what = "are left to the next process, if there is one" if hands_over else "may end"
        text = f"{_count(self._tftp.active, self._http.active)} under way {what}"
        self._emit(Event(Kind.STOPPING, time.time(), text=text))
        if hands_over:
            await _unless(hurry, self._settle(end))
            stop_serving()
            await _unless(hurry, self._drain(min(end, time.monotonic() + ANSWER_SECONDS)))
            await self._hand_over(outgoing, end, hurry)
        else:
            outgoing.abandon()
            stop_serving()
            await _unless(hurry, asyncio.gather(self._tftp.drain(seconds), self._http.drain(seconds)))
        return hands_over

    async def _settle(self, end: float) -> None:
        """Let short transfers end, and what cannot be handed over. Meanwhile all is served but HTTPS."""
        self._http.stop_secure()
        grace, staying = time.monotonic() + GRACE_SECONDS, self._http.staying
        while self._tftp.active or self._http.active:
            now = time.monotonic()
            if now > end or (now > grace and not staying & self._http.staying):
                return
            await asyncio.sleep(_LOOK)

    async def _drain(self, end: float) -> None:
        """Let end what cannot be handed over and was asked for since, on connections that were just accepted too."""
        await asyncio.sleep(_LOOK)
        while self._http.staying and time.monotonic() < end:  # noqa: ASYNC110 -- of many things, once a process
            await asyncio.sleep(_LOOK)

    async def _hand_over(self, outgoing: Outgoing, end: float, hurry: asyncio.Event) -> None:
        """Leave the transfers to the next process; those that find no room have until `end`."""
        counts, parcels, taken = {"tftp": 0, "http": 0}, list[Parcel](), list[Parcel]()
        try:
            with contextlib.closing(tftp_handover.Contents()) as contents:
                parcels = tftp_handover.parcels(self._tftp, contents) + self._downloads()
                taken = outgoing.offer(parcels)
                await _unless(hurry, _ended(set(parcels) - set(taken), end))
                counts = outgoing.finish(taken, self._memory.written())
        except OSError as error:  # out of descriptors or memory
            self._notice(f"cannot hand over what is under way: {error.strerror}", Level.WARNING)
        left = sum(one.is_open() for one in parcels) + len(self._http.staying)
        if sum(counts.values()):
            self._notice(f"left {_count(counts['tftp'], counts['http'])} to the next process")
        if left:
            self._notice(f"{left} transfers are broken off: nobody can go on with them", Level.WARNING)

    def _downloads(self) -> list[Parcel]:
        parcels: list[Parcel] = []
        for going in self._http.downloads.going:
            with contextlib.suppress(OSError):
                if (parcel := going.parcel()) is not None:
                    parcels.append(parcel)
        return parcels

    def _notice(self, text: str, level: Level = Level.INFO) -> None:
        self._emit(Event(Kind.NOTICE, time.time(), text=text, level=level))


def _count(tftp: int, http: int) -> str:
    return f"{tftp} TFTP and {http} HTTP transfers"


async def _ended(parcels: Collection[Parcel], end: float) -> None:
    while any(parcel.is_open() for parcel in parcels) and time.monotonic() < end:  # noqa: ASYNC110 -- as above
        await asyncio.sleep(_LOOK)


async def _unless(hurry: asyncio.Event, work: Awaitable[object]) -> None:
    """Until it is done, or a second signal comes."""
    working, hurried = asyncio.ensure_future(work), asyncio.ensure_future(hurry.wait())
    await asyncio.wait((working, hurried), return_when=asyncio.FIRST_COMPLETED)
    for future in (working, hurried):
        future.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await future
