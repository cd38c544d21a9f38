"""Read one file by TFTP as a client: tftpy for the lock step of RFC 1350, a reader of windows (RFC 7440) beside it.

tftpy knows no windowsize, so what asks for more than one block at a time is read here. tftpy is imported by the first
read. What goes wrong is a value: which error, how much had come, and whether the server was heard at all.
"""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pxed.errors import DecodeError
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack, Rrq, decode, encode

PORT = 69
PLAIN = 512  # RFC 1350's block


@dataclass(slots=True)
class Sink:
    """Where a file goes: its size, digest and first bytes are kept, the rest only if `write` takes it."""

    write_to: Callable[[bytes], object] | None = None
    size: int = 0
    head: bytes = b""
    digest: Any = field(default_factory=hashlib.sha256)

    name = "sink"  # tftpy asks a file for its name

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        if len(self.head) < _HEAD:
            self.head += data[: _HEAD - len(self.head)]
        self.digest.update(data)
        self.size += len(data)
        if self.write_to is not None:
            self.write_to(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to close: the file is the caller's."""


_HEAD = 1 << 20  # of a loader: its headers, and where iPXE has its name


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one read. `error`: "" for a whole file; `code`: the server's, -1 for none of its."""

    file: str
    size: int
    seconds: float
    sha256: str
    head: bytes = b""
    options: dict[str, str] = field(default_factory=dict)  # what the server granted
    error: str = ""
    code: int = -1
    heard: bool = True  # the server answered at all
    status: int = 0  # HTTP

    @property
    def ok(self) -> bool:
        """The whole file is here."""
        return not self.error


def read(
    server: str,
    file: str,
    *,
    blksize: int = 1456,
    windowsize: int = 1,
    timeout: float = 1.0,
    retries: int = 5,
    port: int = PORT,
    write_to: Callable[[bytes], object] | None = None,
) -> Fetched:
    """Read `file` of `server`. `timeout`: seconds until it asks again; `retries`: how often."""
    sink = Sink(write_to)
    began = time.monotonic()
    reading = _windows if windowsize > 1 else _lock_step
    about = _About()
    try:
        reading(server, port, file, blksize, windowsize, timeout, retries, sink, about)
    except _TftpError as error:
        about.error, about.code = str(error), error.code
    except OSError as error:
        about.error = error.strerror or str(error)
    seconds = time.monotonic() - began
    heard = about.heard or sink.size > 0
    return Fetched(
        file, sink.size, seconds, sink.digest.hexdigest(), sink.head, about.options, about.error, about.code, heard
    )


def probed(server: str, file: str, timeout: float = 2.0, retries: int = 3, port: int = PORT) -> Fetched:
    """As EDK2 begins: ask for the size and break off (ERROR 8)."""
    request = Rrq(file, "octet", (("tsize", "0"),))
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        for _ in range(retries):
            sock.sendto(encode(request), (server, port))
            try:
                datagram, peer = sock.recvfrom(65535)
            except TimeoutError:
                continue
            answer = decode(datagram)
            if isinstance(answer, Error):
                return Fetched(file, 0, time.monotonic() - began, "", error=answer.message, code=answer.code)
            sock.sendto(encode(Error(ErrorCode.OPTION_NEGOTIATION, "User aborted the transfer")), peer)
            granted = dict(answer.options) if isinstance(answer, Oack) else {}
            return Fetched(file, int(granted.get("tsize", 0)), time.monotonic() - began, "", options=granted)
    return Fetched(file, 0, time.monotonic() - began, "", error=_silent(server, port), heard=False)


class _TftpError(Exception):
    def __init__(self, text: str, code: int = -1) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _About:
    options: dict[str, str] = field(default_factory=dict)
    heard: bool = False
    error: str = ""
    code: int = -1


def _silent(server: str, port: int) -> str:
    return f"no answer from {server}:{port}"


def _lock_step(
    server: str, port: int, file: str, blksize: int, _: int, timeout: float, retries: int, sink: Sink, about: _About
) -> None:
    logging.getLogger("tftpy").setLevel(logging.CRITICAL)  # it logs what it raises
    from tftpy import TftpClient
    from tftpy.TftpShared import TftpException, TftpTimeout

    asked = {"tsize": 0} if blksize == PLAIN else {"blksize": blksize, "tsize": 0}
    client = TftpClient(server, port, dict(asked), flock=False)
    try:
        client.download(file, sink, timeout=timeout, retries=retries)
    except TftpTimeout:
        about.heard = client.context.tidport is not None
        what = f"nothing more from {server} after {sink.size} bytes" if about.heard else _silent(server, port)
        raise _TftpError(what) from None
    except (TftpException, struct.error, ValueError, AssertionError) as error:  # its parser lets the latter through
        about.heard = True
        raise _TftpError(*_refusal(str(error))) from None
    finally:
        if client.context is not None and client.context.options != asked:
            about.options = {str(name): str(value) for name, value in client.context.options.items()}


def _refusal(text: str) -> tuple[str, int]:
    """The code in what tftpy raises for an ERROR: "... errorcode = 2\\n    msg = Access violation"."""
    if text == "File not found":
        return text, ErrorCode.NOT_FOUND
    found = re.search(r"errorcode = (\d+)\s+msg = (.*)", text)
    return (found[2] or f"error {found[1]}", int(found[1])) if found else (text, -1)


@dataclass(slots=True)
class _Window:
    """Where a windowed read is."""

    blksize: int = PLAIN
    size: int = 1
    block: int = 0  # the last one in order, not wrapped
    pending: int = 0  # of the window
    done: bool = False


def _windows(
    server: str, port: int, file: str, blksize: int, size: int, timeout: float, retries: int, sink: Sink, about: _About
) -> None:
    options = (("blksize", str(blksize)), ("windowsize", str(size)), ("tsize", "0"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        window, said, peer, silent = _Window(), encode(Rrq(file, "octet", options)), (server, port), 0
        sock.sendto(said, peer)
        while not window.done:
            try:
                datagram, source = sock.recvfrom(65535)
            except TimeoutError:
                silent += 1
                if silent >= retries:
                    what = f"nothing more from {server} after {sink.size} bytes"
                    raise _TftpError(what if about.heard else _silent(server, port)) from None
                sock.sendto(said, peer)
                continue
            if about.heard and source != peer:
                continue
            about.heard, peer, silent = True, source, 0
            answer = _answer(datagram, window, sink, about)
            if answer is not None:
                said = answer
                sock.sendto(said, peer)


def _answer(datagram: bytes, window: _Window, sink: Sink, about: _About) -> bytes | None:
    """What is said to one datagram; None for nothing."""
    try:
        packet = decode(datagram)
    except DecodeError as error:
        raise _TftpError(f"the server sends what is no TFTP: {error}") from None
    match packet:
        case Error(code, message):
            raise _TftpError(message, code)
        case Oack(options):
            about.options = dict(options)
            window.blksize = int(about.options.get("blksize", PLAIN))
            window.size = int(about.options.get("windowsize", 1))
            return encode(Ack(window.block))
        case Data(number, data):
            return _block(number, data, window, sink)
    return None


def _block(number: int, data: bytes, window: _Window, sink: Sink) -> bytes | None:
    """RFC 7440 4: a full window, the last block, and a gap are acknowledged with the last block in order."""
    if number == (window.block + 1) & 0xFFFF:
        window.block += 1
        window.pending += 1
        sink.write(data)
        window.done = len(data) < window.blksize
        if not window.done and window.pending < window.size:
            return None
    window.pending = 0
    return encode(Ack(window.block & 0xFFFF))
