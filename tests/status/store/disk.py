"""A disk that loses its power: what a program wrote, by the record of its system calls, as it may be found afterwards.

Promised is what POSIX promises: the content of a file that was flushed (fsync, fdatasync), and the names in a directory
that was flushed. Whatever came after may be there or not: each write by itself, torn at a sector, and the changes of
names up to any one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

CALLS = "openat,pwrite64,write,fdatasync,fsync,ftruncate,unlink,rename,mkdir"
SECTOR = 512
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PATH = re.compile(r"<((?:\\x[0-9a-f]{2})*)>")


@dataclass(eq=False)
class File:
    """What is on the disk for certain, and what was written since."""

    flushed: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut at that size

    def flush(self) -> None:
        self.flushed, self.pending = self.content(self.pending), []

    def content(self, writes: list[tuple[int, bytes | None]]) -> bytes:
        """With some of what was written."""
        content = bytearray(self.flushed)
        for offset, data in writes:
            if data is None:
                content = content[:offset].ljust(offset, b"\0")
            else:
                content = content.ljust(offset, b"\0")
                content[offset : offset + len(data)] = data
        return bytes(content)


Name = tuple[str, File | None]  # a name that is given to a file, or (None) is no more


@dataclass
class Disk:
    """The files below one directory."""

    root: str
    names: dict[str, File] = field(default_factory=dict)  # as programs see them
    flushed: dict[str, File] = field(default_factory=dict)
    pending: list[list[Name]] = field(default_factory=list)  # changes of names, each done as a whole
    acknowledged: int = 0  # the last number that the program said

    def calls(self, trace: Path) -> Iterator[None]:
        """Do what a trace says; one turn for each call that changes something."""
        for line in trace.read_text().splitlines():
            found = _CALL.match(line)
            if found and int(found[3]) >= 0 and self._call(found[1], found[2]):
                yield

    def image(self, choose: Callable[[File], list[tuple[int, bytes | None]]], changes: int) -> dict[str, bytes]:
        """The files after a power cut: with the writes that `choose` takes and the first changes of names."""
        names = dict(self.flushed)
        for change in self.pending[:changes]:
            _rename(names, change)
        return {name: file.content(choose(file)) for name, file in names.items()}

    def images(self, random: Random) -> Iterator[dict[str, bytes]]:
        """With nothing that was not flushed, with all of it, and with some."""
        yield self.image(lambda file: [], 0)
        yield self.image(lambda file: file.pending, len(self.pending))
        for _ in range(1):
            yield self.image(lambda file: some(file, random), random.randint(0, len(self.pending)))

    def _call(self, call: str, arguments: str) -> bool:
        strings = [_bytes(text) for text in _STRING.findall(arguments)]
        described = _PATH.search(arguments)
        path = _bytes(described[1]).decode() if described else ""
        if call == "write":
            if arguments.startswith("1<"):
                self.acknowledged = int(strings[0])
            return arguments.startswith("1<")
        if call == "openat":
            name = strings[0].decode()
            return "O_CREAT" in arguments and self._change(name, [(name, self.names.get(name) or File())])
        if call == "unlink":
            return self._change(strings[0].decode(), [(strings[0].decode(), None)])
        if call == "rename":
            old, new = (text.decode() for text in strings)
            return self._change(new, [(new, self.names.get(old)), (old, None)])
        return self._write(call, path, strings, arguments)

    def _write(self, call: str, path: str, strings: list[bytes], arguments: str) -> bool:
        if call in ("fsync", "fdatasync") and path == self.root:
            self.flushed, self.pending = dict(self.names), []
            return True
        file = self.names.get(path)
        if file is None:
            return False
        if call == "pwrite64":
            file.pending.append((int(arguments.rpartition(", ")[2]), strings[0]))
        elif call == "ftruncate":
            file.pending.append((int(arguments.rpartition(", ")[2]), None))
        else:
            file.flush()
        return True

    def _change(self, path: str, change: list[Name]) -> bool:
        if path.rpartition("/")[0] != self.root or all(self.names.get(name) is file for name, file in change):
            return False
        _rename(self.names, change)
        self.pending.append(change)
        return True


def some(file: File, random: Random) -> list[tuple[int, bytes | None]]:
    """Some of what was not flushed; the last of it may be torn."""
    chosen = [write for write in file.pending if random.random() < 0.5]
    if chosen and random.random() < 0.5:
        at = random.randrange(len(chosen))
        offset, data = chosen[at]
        if data is not None:
            chosen[at] = offset, data[: random.randint(0, len(data) // SECTOR) * SECTOR]
    return chosen


def _rename(names: dict[str, File], change: list[Name]) -> None:
    for name, file in change:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
