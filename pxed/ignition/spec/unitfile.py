"""Reads the text of a systemd unit as Ignition does, which is with go-systemd's unit lexer.

https://github.com/coreos/go-systemd, unit/deserialize.go. Its limit of 2048 bytes a line looks only at what lies in a
read buffer of 4096 bytes when a step begins, so some longer lines pass; that is kept. systemd itself allows 1 MiB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pxed.ignition.spec.gotext import SPACE, quote, utf8

_LINE_MAX = 2048
_BUFFER = 4096  # bufio.NewReader's default
_COMMENT = b"#;"


@dataclass(frozen=True, slots=True)
class UnitText:
    """What a unit's text says: the sections that hold options, or why it cannot be read."""

    sections: frozenset[str] = frozenset()
    error: str = ""


class _UnitError(Exception):
    """Go's text of what is wrong; never leaves this module."""


@lru_cache(maxsize=512)
def read_unit(text: str) -> UnitText:
    """The sections of a unit's text."""
    lexer = _Lexer(utf8(text))
    try:
        lexer.run()
    except _UnitError as problem:
        return UnitText(error=f"invalid unit content: {problem}")
    return UnitText(frozenset(lexer.sections))


class _Buffer:
    """Go's bufio.Reader over bytes: `start` is the reader's place, `end` is how far it has read ahead."""

    def __init__(self, data: bytes) -> None:
        self.data, self.start, self.end = data, 0, 0

    def fill(self) -> bool:
        before, self.end = self.end, min(len(self.data), self.start + _BUFFER)
        return self.end > before

    def holds_long_line(self) -> bool:
        """Whether the next 2048 bytes are read ahead and are one line."""
        if self.end - self.start < _LINE_MAX:
            return False
        window = self.data[self.start : self.start + _LINE_MAX]
        return b"\n" not in window and b"\r" not in window

    def rune(self) -> str:
        """The next character, or nothing at the end."""
        if self.start == self.end:
            self.fill()
        size = _width(self.data[self.start]) if self.start < self.end else 0
        if self.start + size > self.end:
            self.fill()
        char = self.data[self.start : self.start + size].decode("utf-8", "replace")
        self.start += 1 if len(char) > 1 or char == "\ufffd" else size
        return char[:1]

    def until(self, delimiter: bytes) -> tuple[bytes, bool]:
        """Everything up to and with the delimiter, and whether it was there."""
        begin = self.start
        while True:
            found = self.data.find(delimiter, self.start, self.end)
            if found >= 0:
                self.start = found + 1
                return self.data[begin : self.start], True
            if self.end - self.start >= _BUFFER:
                self.start = self.end
            if not self.fill():
                self.start = self.end
                return self.data[begin:], False


def _width(lead: int) -> int:
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


_Step = Callable[[], "_Step | None"]


class _Lexer:
    def __init__(self, data: bytes) -> None:
        self.buffer = _Buffer(data)
        self.section = ""
        self.sections: set[str] = set()

    def run(self) -> None:
        step: _Step | None = self._before_section
        while step:
            if self.buffer.holds_long_line():
                raise _UnitError(f"line too long (max {_LINE_MAX} bytes)")
            step = step()

    def _line(self) -> bytes:
        line, _ = self.buffer.until(b"\n")
        return line.removesuffix(b"\r").removesuffix(b"\n")  # in this order, as go-systemd does: "\r\n" keeps its "\r"

    def _before_section(self) -> _Step | None:
        char = self.buffer.rune()
        if char == "[":
            return self._section_name
        if char and char in "#;":
            return lambda: self._comment(self._before_section)
        return self._before_section if char else None

    def _section_name(self) -> _Step:
        name, ended = self.buffer.until(b"]")
        if not ended:
            raise _UnitError("unable to find end of section")
        return lambda: self._section_end(name[:-1])

    def _section_end(self, name: bytes) -> _Step:
        garbage = self._line().decode("utf-8", "surrogateescape").strip(SPACE)
        if garbage:
            raise _UnitError(f"found garbage after section name : {quote(garbage)}")  # it prints no name
        self.section = name.decode("utf-8", "surrogateescape")
        return self._in_section

    def _comment(self, after: _Step) -> _Step:
        while self._line().removesuffix(b" ").endswith(b"\\"):
            pass
        return after

    def _in_section(self) -> _Step | None:
        before = self.buffer.start
        char = self.buffer.rune()
        if not char:
            return None
        if char in SPACE:
            return self._in_section
        if char == "[":
            return self._section_name
        if char in "#;":
            return lambda: self._comment(self._in_section)
        self.buffer.start = before
        return self._option_name

    def _option_name(self) -> _Step:
        char = ""
        while char != "=":
            char = self.buffer.rune()
            if not char:
                raise _UnitError("EOF")
            if char in "\r\n":
                raise _UnitError("unexpected newline encountered while parsing option name")
        return self._option_value

    def _option_value(self) -> _Step:
        line = self._line()
        if line.decode("utf-8", "surrogateescape").strip(SPACE) and line.endswith(b"\\"):
            return self._option_value
        self.sections.add(self.section)
        return self._in_section
