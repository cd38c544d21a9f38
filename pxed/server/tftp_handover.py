"""TFTP transfers from one process of pxed to the next: the client's socket, the bytes that are sent, the position.

A client notices nothing but a pause: its next ACK waits in the socket.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable
from dataclasses import dataclass

from pxed.assets.library import WHOLE, Asset, PiecewiseFile
from pxed.errors import DecodeError
from pxed.events import Kind
from pxed.server.handover import Incoming, Parcel, identity
from pxed.server.tftp import TftpServer
from pxed.server.tftp_events import printable
from pxed.server.tftp_files import Content, TftpClient
from pxed.server.tftp_sessions import Session
from pxed.server.tftp_socket import rejoin
from pxed.server.transfers import go_on_after
from pxed.tftp.blocks import Blocks, Buffer, ChunkCache
from pxed.tftp.negotiate import Agreed
from pxed.tftp.packet import Rrq, decode, encode
from pxed.tftp.transfer import Position, Transfer


@dataclass(frozen=True, slots=True)
class TftpState:
    """One transfer, as it is handed over."""

    socket: str  # identities of descriptors
    file: str
    asset: Asset | None  # a file that is read in pieces; None: the file has the content
    name: str
    kind: Kind
    client: TftpClient
    request: str  # the datagram, in hexadecimal
    agreed: Agreed
    position: Position
    noted: bool
    id: int  # of its events


class Contents:
    """Descriptors of what is sent, one for each content however many get it."""

    def __init__(self) -> None:
        self._fds: dict[Hashable, int] = {}

    def fd(self, content: Content) -> int:
        """The file itself, or a memfd of what is in memory. Raises OSError."""
        if isinstance(content.buffer, PiecewiseFile):
            return content.buffer.fileno()
        fd = self._fds.get(content.key)
        if fd is None:
            fd = self._fds[content.key] = os.memfd_create("pxed-content")
            view = memoryview(content.buffer[:])
            while view:
                view = view[os.write(fd, view) :]
        return fd

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()


def parcels(server: TftpServer, contents: Contents) -> list[Parcel]:
    """The transfers in progress."""
    found: list[Parcel] = []
    for session in server.sessions.all():
        with contextlib.suppress(OSError):  # no memory for a copy of the content: it is not handed over
            fd = contents.fd(session.content)
            found.append(_parcel(server, session, fd))
    return found


def _parcel(server: TftpServer, session: Session, file: int) -> Parcel:
    sock = session.pair.client
    socket_name, file_name = identity(sock.fileno()), identity(file)

    def is_open() -> bool:
        return session.transfer.outcome is None and server.sessions.get(session.key) is session

    def leave() -> TftpState | None:
        if not is_open():
            return None
        state = _state(session, socket_name, file_name)
        server.sessions.leave(session)
        return state

    return Parcel("tftp", (sock.fileno(), file), is_open, leave)


def _state(session: Session, socket_name: str, file_name: str) -> TftpState:
    content = session.content
    return TftpState(
        socket_name,
        file_name,
        content.buffer.asset if isinstance(content.buffer, PiecewiseFile) else None,
        printable(content.name),
        content.kind,
        session.client,
        encode(session.request).hex(),
        session.agreed,
        session.transfer.position(),
        session.noted,
        session.id,
    )


def resume(server: TftpServer, incoming: Incoming) -> tuple[int, int]:
    """Go on with what was handed over; how many transfers that are, and how many were lost."""
    states, lost = incoming.states("tftp", TftpState)
    buffers: dict[str, Buffer] = {}
    chunks, resumed = ChunkCache(), 0
    for state in states:
        try:
            session = _session(state, incoming, buffers, chunks)
            server.resume(session)
        except (OSError, ValueError, DecodeError):
            lost += 1
        else:
            resumed += 1
    return resumed, lost


def _session(state: TftpState, incoming: Incoming, buffers: dict[str, Buffer], chunks: ChunkCache) -> Session:
    """Raises OSError, ValueError or DecodeError for what cannot go on."""
    request = decode(bytes.fromhex(state.request))
    if not isinstance(request, Rrq):
        raise ValueError("its request is none")
    if state.file not in buffers:
        buffers[state.file] = _buffer(state, incoming)
    buffer = buffers[state.file]
    content = Content(state.name, buffer, ("handed over", state.file), state.kind)
    blocks = Blocks(buffer, content.key, state.agreed.blksize, state.agreed.rollover, chunks)
    transfer = Transfer.at(state.position, blocks, state.agreed)
    sock = incoming.take_socket(state.socket)
    if sock is None:
        raise ValueError("its socket is not there")
    session = Session(state.client, request, content, state.agreed, transfer, rejoin(sock))
    session.noted, session.id = state.noted, state.id
    go_on_after(state.id)
    return session


def _buffer(state: TftpState, incoming: Incoming) -> Buffer:
    fd = incoming.take_file(state.file)
    if fd is None:
        raise ValueError("its file is not there")
    if state.asset is not None:
        return PiecewiseFile(state.asset, fd)
    try:
        return os.pread(fd, min(os.fstat(fd).st_size, 2 * WHOLE), 0)  # twice: netascii may double it
    finally:
        os.close(fd)
