"""Events as journal entries with fields, by journald's native protocol: `journalctl PXED_MACHINE=node1`.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ : one datagram for each entry, NAME=value lines; what is too big for a
datagram goes as a sealed memory file. Every value here is one line, so that none needs the protocol's form for binary
data. Where the socket is away, lines go to stderr with the prefix that journald reads there (sd-daemon(3)).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from array import array
from collections.abc import Mapping
from typing import BinaryIO

from pxed.events import Event, Level, Value
from pxed.server.lines import one_line

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "pxed"
_PRIORITY = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4}  # syslog's (RFC 5424 6.2.1)
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_TAKEN = frozenset({"kind", "machine", "mac"})  # whose fields are not those of `data`


def as_entry(event: Event) -> str:
    """The fields of one entry, a line for each; a blank line between two entries tells them apart."""
    lines = [
        f"MESSAGE={one_line(event.line())}",
        f"PRIORITY={_PRIORITY[event.level]}",
        f"SYSLOG_IDENTIFIER={IDENTIFIER}",
        f"PXED_KIND={event.kind}",
    ]
    lines += [f"PXED_MACHINE={one_line(event.machine)}"] if event.machine else []
    lines += [f"PXED_MAC={one_line(event.mac)}"] if event.mac else []
    lines += [f"PXED_{key.upper()}={_text(value)}" for key, value in _fields(event.data)]
    return "\n".join(lines) + "\n"


def as_prefixed(entry: str) -> str:
    """An entry as a line on stderr: level prefix, then the message."""
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    return f"<{fields['PRIORITY']}>{fields['MESSAGE']}\n"


def listens(environment: Mapping[str, str], descriptor: int) -> bool:
    """Whether journald is behind a descriptor: JOURNAL_STREAM has its device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalStream:
    """Takes chunks of entries as as_entry() makes them; a stream for the thread that writes the log."""

    def __init__(self, fallback: BinaryIO, path: str = SOCKET) -> None:
        self._fallback = fallback
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def write(self, chunk: bytes) -> int:
        """Send each entry of a chunk. Raises OSError when stderr takes it neither."""
        for entry in chunk.rstrip(b"\n").split(b"\n\n"):
            if not self._send(entry + b"\n"):
                self._fallback.write(as_prefixed(entry.decode(errors="replace")).encode())
        return len(chunk)

    def flush(self) -> None:
        """For what went to stderr."""
        self._fallback.flush()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _send(self, entry: bytes) -> bool:
        """Whether journald has it. The address is told each time: journald may be started again."""
        try:
            self._socket.sendto(entry, self._path)
        except OSError as error:
            return error.errno in (errno.EMSGSIZE, errno.ENOBUFS) and self._send_file(entry)
        return True

    def _send_file(self, entry: bytes) -> bool:
        try:
            descriptor = os.memfd_create("pxed-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return False
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 -- a descriptor has no path
            try:
                file.write(entry)
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
                self._socket.sendmsg(
                    [b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))], 0, self._path
                )
            except OSError:
                return False
        return True


def _fields(data: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """What an event has besides; a field with nothing in it is left out."""
    return [(key, value) for key, value in data.items() if value not in (None, "") and key not in _TAKEN]


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else one_line(str(value))
