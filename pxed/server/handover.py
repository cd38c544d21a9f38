"""What a process hands to the next one of its service, through systemd's file descriptor store: transfers under way.

Their sockets and files are put into the store as `transfers-N`, and what is to be known of them as JSON into a memfd,
`handover`. Descriptors are recognised by what the kernel says of them: a socket by its cookie, a file by its inode. The
JSON is written last: an old process that was killed before that has handed over nothing.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pxed.errors import PxedError
from pxed.server.fdstore import AT_ONCE, FdStore, fd_name

VERSION = 1  # of the JSON: another one is not read
STATE, TRANSFERS = "handover", "transfers"
STORE_SECONDS = 5.0  # for systemd to take all of it
LARGEST_STATE = 256 << 20  # bytes
_SO_COOKIE = 57  # <asm-generic/socket.h>
_COOKIE = struct.Struct("@Q")
T = TypeVar("T")


class HandoverError(PxedError):
    """What was handed over cannot be used."""


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """One transfer. `leave` ends its being served here and gives its state; None when it has ended by then."""

    kind: str  # tftp | http
    fds: tuple[int, ...]
    is_open: Callable[[], bool]  # whether it has not ended
    leave: Callable[[], object | None]


class Outgoing:
    """The hand-over, as the old process makes it. Its calls wait for systemd, STORE_SECONDS in all."""

    def __init__(self, store: FdStore) -> None:
        self._store = store
        self._end = time.monotonic() + STORE_SECONDS
        self._known: set[str] = set()  # of descriptors in the store
        self._batches = 0
        self._state = -1

    def open(self) -> bool:
        """Whether systemd takes anything at all."""
        if not self._store.is_there:
            return False
        self._state = os.memfd_create(f"pxed-{STATE}")
        return self._store.keep_all(STATE, [self._state], self._left)

    def offer(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Put the descriptors of transfers into the store, while they go on; those that found room."""
        taken: list[Parcel] = []
        for at in range(0, len(parcels), AT_ONCE // 2):
            some = parcels[at : at + AT_ONCE // 2]
            fitting = self._offer(some)
            taken += fitting
            if len(fitting) < len(some):
                break
        return taken

    def _offer(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """All of them, or as many of the first ones as there is room for."""
        new = {name: fd for parcel in parcels for fd in parcel.fds if (name := identity(fd)) not in self._known}
        name = fd_name(TRANSFERS, str(self._batches))
        self._batches += 1
        if self._store.keep_all(name, list(new.values()), self._left):
            self._known |= new.keys()
            return list(parcels)
        if len(parcels) == 1 or not self._left:
            return []
        middle = len(parcels) // 2
        first = self._offer(parcels[:middle])
        return first + self._offer(parcels[middle:]) if len(first) == middle else first

    def finish(self, parcels: Iterable[Parcel], context: Mapping[str, object]) -> dict[str, int]:
        """Serve these transfers here no more, and write down where they are. How many of each kind there were."""
        states: dict[str, list[object]] = {"tftp": [], "http": []}
        known = json.dumps(context, default=_plain)  # before: transfers wait for what comes after they are left
        for parcel in parcels:
            if (state := parcel.leave()) is not None:
                states[parcel.kind].append(state)
        written = json.dumps({"version": VERSION, **states}, default=_plain)
        with os.fdopen(self._state, "w") as file:
            file.write(f'{written[:-1]}, "context": {known}}}')
        self._state = -1
        return {kind: len(some) for kind, some in states.items()}

    def abandon(self) -> None:
        """Hand over nothing after all."""
        if self._state >= 0:
            os.close(self._state)
            self._state = -1

    @property
    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic())


class Incoming:
    """The same, as the new process finds it. What nobody takes is closed by close()."""

    def __init__(self, store: FdStore, fds: Iterable[tuple[str, int]] = ()) -> None:
        self._store = store
        self._names: set[str] = set()
        self._state = -1
        self._fds: dict[str, int] = {}
        self._states: dict[str, Any] = {}
        for name, fd in fds:
            self._names.add(name)
            if name == STATE and stat.S_ISREG(os.fstat(fd).st_mode) and self._state < 0:
                self._state = fd
            elif self._fds.setdefault(identity(fd), fd) != fd:
                os.close(fd)

    def read(self) -> bool:
        """Whether something is there. From here on no other process finds it. Raises HandoverError."""
        for name in self._names:
            self._store.remove(name)
        if self._state < 0:
            return False
        try:
            size = os.fstat(self._state).st_size
            content = json.loads(os.pread(self._state, min(size, LARGEST_STATE), 0))
            if content["version"] != VERSION:
                raise HandoverError(f"its version is {content['version']!r}, expected {VERSION}")
            self._states = dict(content)
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise HandoverError(f"it cannot be read: {error or type(error).__name__}") from None
        return True

    def states(self, kind: str, of: type[T]) -> tuple[list[T], int]:
        """What was handed over of a kind of transfer, and how many could not be read."""
        entries = self._states.get(kind)
        some = entries if isinstance(entries, list) else []
        found = [state for entry in some if (state := parsed(entry, of)) is not None]
        return found, len(some) - len(found)

    def context(self, name: str) -> Any:
        """What was written under this name, as JSON has it; None for nothing."""
        context = self._states.get("context")
        return context.get(name) if isinstance(context, dict) else None

    def take_socket(self, name: str) -> socket.socket | None:
        """A socket by its identity; it belongs to the caller from now on."""
        fd = self._fds.get(name, -1)
        if fd < 0 or not name.startswith("socket:"):
            return None
        del self._fds[name]
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        return sock

    def take_file(self, name: str) -> int | None:
        """A descriptor of a file by its identity, for the caller to close: each gets one of its own."""
        fd = self._fds.get(name, -1)
        return os.dup(fd) if fd >= 0 and name.startswith("file:") else None

    @staticmethod
    def give_back(sock: socket.socket | None, file: int | None) -> None:
        """Close what was taken, and cannot be used."""
        if sock is not None:
            sock.close()
        if file is not None:
            os.close(file)

    def close(self) -> None:
        """Let go of what was not taken."""
        for fd in (*self._fds.values(), *((self._state,) if self._state >= 0 else ())):
            os.close(fd)
        self._fds, self._state = {}, -1


def is_ours(name: str) -> bool:
    """Whether a descriptor of this name in the store is of a hand-over."""
    return name == STATE or name.startswith(f"{TRANSFERS}-")


def identity(fd: int) -> str:
    """What an open descriptor is of, in whichever process: the socket's cookie, or the file's device and inode."""
    info = os.fstat(fd)
    if not stat.S_ISSOCK(info.st_mode):
        return f"file:{info.st_dev:x}:{info.st_ino:x}"
    with socket.socket(fileno=os.dup(fd)) as sock:
        return f"socket:{_COOKIE.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, _COOKIE.size))[0]:x}"


def parsed(entry: object, of: type[T]) -> T | None:
    """An entry of the JSON as a dataclass; None when it is none."""
    try:
        kind: Any = of
        found: T = _adapter(kind).validate_python(entry)
    except (ValueError, TypeError):  # pydantic's own are ValueErrors
        return None
    return found


@lru_cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    return TypeAdapter(of)  # made for the first one that was handed over: it takes some milliseconds


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    return str(value)  # paths
