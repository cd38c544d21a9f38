"""Reads JSON as Go's encoding/json does, with its messages, and keeps where every key and value stands.

RFC 8259 with Go's habits: keys may repeat, bytes that are no UTF-8 become U+FFFD, nesting ends at 10,000. Numbers stay
text. Reading does not recurse.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from pxed.errors import DecodeError
from pxed.ignition.spec.gotext import quote

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_NOT_TEXT = re.compile("[\ud800-\udfff]")
_LITERALS = {b"t": (b"true", "bool"), b"f": (b"false", "bool"), b"n": (b"null", "null")}
_MAX_DEPTH = 10_000


class JsonSyntaxError(DecodeError):
    """Text that is no JSON. `offset` is the byte that is wrong, or the length of the text if it ends too early."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Json:
    """A value and where it begins. An object's value is a list of members, an array's a list of values."""

    kind: str  # object, array, string, number, bool, null: the words of Go's messages
    start: int
    value: Any = None

    def member(self, name: str) -> Json | None:
        """The last member of that name, if this is an object that has one."""
        members = self.value if self.kind == "object" else ()
        return next((member.value for member in reversed(members) if member.key == name), None)


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object, where it begins, and its value."""

    key: str
    start: int
    value: Json


def read_json(data: bytes) -> Json:
    """The value that a text holds. Raises JsonSyntaxError."""
    return _Reader(data).read()


def syntax_fault(data: bytes) -> str:
    """What is wrong with a text, in Go's words; nothing if it is JSON."""
    try:
        read_json(data)
    except JsonSyntaxError as problem:
        return str(problem)
    return ""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.open: list[Json] = []  # the containers around the place of reading
        self.keys: list[tuple[str, int]] = []  # of the objects among them, the key whose value comes next

    def read(self) -> Json:
        self._skip_space()
        while True:
            value = self._value()
            if value is None:
                continue  # a container was opened
            closed = self._close(value)
            if closed is not None:
                return self._end(closed)

    def _end(self, value: Json) -> Json:
        self._skip_space()
        if self.at < len(self.data):
            self._fail("after top-level value")
        return value

    def _close(self, value: Json) -> Json | None:
        """Add a complete value to what is open around it; the outermost value once it is complete."""
        while self.open:
            parent = self.open[-1]
            self._add(parent, value)
            self._skip_space()
            mark = self._byte()
            if mark == b",":
                self._next(parent)
                return None
            if mark != (b"}" if parent.kind == "object" else b"]"):
                self._fail("after object key:value pair" if parent.kind == "object" else "after array element")
            self.at += 1
            value = self.open.pop()
        return value

    def _add(self, parent: Json, value: Json) -> None:
        if parent.kind == "object":
            parent.value.append(Member(*self.keys.pop(), value))
        else:
            parent.value.append(value)

    def _next(self, parent: Json) -> None:
        self.at += 1
        self._skip_space()
        if parent.kind == "object":
            self._key()

    def _value(self) -> Json | None:
        mark, start = self._byte(), self.at
        if mark in (b"{", b"["):
            return self._container("object" if mark == b"{" else "array")
        if mark == b'"':
            return Json("string", start, self._string())
        if mark in _LITERALS:
            return self._literal(*_LITERALS[mark])
        if not mark or mark not in b"-0123456789":
            self._fail("looking for beginning of value")
        return Json("number", start, self._number())

    def _container(self, kind: str) -> Json | None:
        container = Json(kind, self.at, [])
        if len(self.open) >= _MAX_DEPTH:
            raise JsonSyntaxError("exceeded max depth", self.at)
        self.at += 1
        self._skip_space()
        if self._byte() == (b"}" if kind == "object" else b"]"):
            self.at += 1
            return container
        self.open.append(container)
        if kind == "object":
            self._key()
        return None

    def _key(self) -> None:
        start = self.at
        if self._byte() != b'"':
            self._fail("looking for beginning of object key string")
        self.keys.append((self._string(), start))
        self._skip_space()
        if self._byte() != b":":
            self._fail("after object key")
        self.at += 1
        self._skip_space()

    def _string(self) -> str:
        found = _STRING.match(self.data, self.at)
        end = found.end() if found else self.at + 1
        if self.data[end : end + 1] != b'"':
            self._bad_string(end)
        raw = self.data[self.at : end + 1].decode("utf-8", "surrogateescape")
        self.at = end + 1
        text = json.loads(raw) if "\\" in raw else raw[1:-1]
        return _NOT_TEXT.sub("\ufffd", text)

    def _bad_string(self, end: int) -> None:
        self.at = end
        if self._byte() != b"\\":
            self._fail("in string literal")
        self.at += 1
        if self._byte() != b"u":
            self._fail("in string escape code")
        self.at += 1
        while self._byte().isalnum() and self._byte() in b"0123456789abcdefABCDEF":
            self.at += 1
        self._fail("in \\u hexadecimal character escape")

    def _number(self) -> str:
        found = _NUMBER.match(self.data, self.at)
        start, self.at = self.at, found.end() if found else self.at + 1
        if not found:
            self._fail("in numeric literal")
        elif self._byte() == b"." and not found["fraction"] and not found["exponent"]:
            self.at += 1
            self._fail("after decimal point in numeric literal")
        elif self._byte() in (b"e", b"E") and not found["exponent"]:
            self.at += 2 if self.data[self.at + 1 : self.at + 2] in (b"+", b"-") else 1
            self._fail("in exponent of numeric literal")
        return self.data[start : self.at].decode("ascii")

    def _literal(self, word: bytes, kind: str) -> Json:
        start = self.at
        for place in range(1, len(word)):
            self.at = start + place
            if self._byte() != word[place : place + 1]:
                self._fail(f"in literal {word.decode()} (expecting {chr(word[place])!r})")
        self.at = start + len(word)
        return Json(kind, start, word == b"true" if kind == "bool" else None)

    def _byte(self) -> bytes:
        return self.data[self.at : self.at + 1]

    def _skip_space(self) -> None:
        found = _SPACE.match(self.data, self.at)
        self.at = found.end() if found else self.at

    def _fail(self, where: str) -> NoReturn:
        char = self._byte()
        if not char:
            raise JsonSyntaxError("unexpected end of JSON input", len(self.data))
        quoted = {b"'": "'\\''", b'"': "'\"'"}.get(char) or f"'{quote(chr(char[0]))[1:-1]}'"
        raise JsonSyntaxError(f"invalid character {quoted} {where}", self.at)
