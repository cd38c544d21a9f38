"""Checks data: URLs as Ignition does, with the messages of the Go package that it uses.

RFC 2397; https://github.com/vincent-petithory/dataurl, lex.go and dataurl.go. The data itself is not returned.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]*")
_TYPES = ("text", "image", "audio", "video", "application", "message", "multipart")
_URL_TEXT = re.compile(r"[!$-;=?-Z_a-z~]*")
_BASE64_TEXT = re.compile(r"[A-Za-z0-9+/=\n]*")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_GO_STRING = re.compile(
    r"""(?:[^"\\\n]|\\[abfnrtv\\"]|\\x[0-9A-Fa-f]{2}|\\[0-3][0-7]{2}"""
    r"""|\\u(?![dD][89a-fA-F])[0-9A-Fa-f]{4}|\\U000(?!0[dD][89a-fA-F])(?:0|10|0[0-9A-Fa-f])[0-9A-Fa-f]{4})*"""
)


class _DataUrlError(Exception):
    """The package's text of what is wrong; never leaves this module."""


def data_url_error(url: str) -> str:
    """What is wrong with a data: URL, in the Go package's words; nothing if it is right."""
    try:
        _check(url)
    except _DataUrlError as problem:
        return str(problem)
    return ""


def _check(url: str) -> None:
    if not url.startswith("data:"):
        raise _DataUrlError("missing data prefix")
    header = _Header(url, _media_type(url))
    while not header.base64 and url.startswith(";", header.at):
        header.parameter()
    if not url.startswith(",", header.at):
        raise _DataUrlError("missing comma before data" if header.at >= len(url) else "expected semicolon or comma")
    (_check_base64 if header.base64 else _check_text)(url[header.at + 1 :])


def _media_type(url: str) -> int:
    """Where the media type ends: at a semicolon or comma."""
    first = url[5:6]
    if first in (";", ","):
        return 5
    if not first:
        raise _DataUrlError("missing comma before data")
    if not _TOKEN.fullmatch(first):
        raise _DataUrlError("invalid character after data prefix")
    # The package takes the character after an x as it comes.
    slash = _token_end(url, 7 if first in "xX" else 6)
    if url[slash : slash + 1] != "/":
        raise _DataUrlError("missing media type slash" if slash >= len(url) else "invalid character for media type")
    if url[5:7].lower() != "x-" and not url[5:slash].startswith(_TYPES):
        raise _DataUrlError("invalid media type")
    end = _token_end(url, slash + 1)
    if end >= len(url):
        raise _DataUrlError("incomplete media type")
    if url[end] not in ";,":
        raise _DataUrlError("invalid character for media subtype")
    return end


class _Header:
    """The parameters of a data: URL, one after the other."""

    def __init__(self, url: str, at: int) -> None:
        self.url, self.at = url, at
        self.base64 = False
        self.quoted = False  # stays set after "", as in the package: the next value is then unquoted

    def parameter(self) -> None:
        begin = self.at + 1
        if begin >= len(self.url) or self.url[begin] in "=,":
            raise _DataUrlError("unterminated parameter sequence")
        self.at = _token_end(self.url, begin)
        name = self.url[begin : self.at]
        if self.at >= len(self.url):
            raise _DataUrlError("unterminated parameter sequence")
        if self.url[self.at] == ",":
            if name != "base64":
                raise _DataUrlError(f"expected base64, got {name}")
            self.base64 = True
        elif not name or self.url[self.at] != "=":
            raise _DataUrlError("invalid character for parameter attribute")
        else:
            self.at += 1
            self._value()

    def _value(self) -> None:
        begin = self.at
        if self.url.startswith('"', begin):
            begin, self.quoted = begin + 1, True
            value = self.url[begin : self._quote_end(begin)]
            self.at = begin + len(value) + 1
        else:
            self.at = _token_end(self.url, begin)
            value = self.url[begin : self.at]
            if self.at < len(self.url) and (not value or self.url[self.at] not in ";,"):
                raise _DataUrlError("invalid character for parameter value")
            if self.at >= len(self.url):
                raise _DataUrlError("missing comma before data")
        self._check_value(value)

    def _quote_end(self, at: int) -> int:
        while at < len(self.url) and self.url[at] != '"':
            at += 2 if self.url[at] == "\\" else 1
            if at <= len(self.url) and not self.url[at - 1].isascii():
                escaped = self.url[at - 2] == "\\"
                raise _DataUrlError("invalid escaped character" if escaped else "invalid character for parameter value")
        if at >= len(self.url):
            raise _DataUrlError("unclosed quoted string")
        return at

    def _check_value(self, value: str) -> None:
        if not value:
            return
        if not self.quoted:
            _check_escapes(value)
        elif not _GO_STRING.fullmatch(value):
            raise _DataUrlError("invalid syntax")
        self.quoted = False


def _token_end(url: str, at: int) -> int:
    found = _TOKEN.match(url, at)
    return found.end() if found else at


def _check_text(data: str) -> None:
    if not _URL_TEXT.fullmatch(data):
        raise _DataUrlError("invalid data character")
    _check_escapes(data)


def _check_escapes(text: str) -> None:
    bad = _ESCAPE.search(text)
    if bad:
        tail = text[bad.end() : bad.end() + 2]
        hexadecimal = all(char in "0123456789abcdefABCDEF" for char in tail)
        end = "unexpected end of unescape sequence"
        raise _DataUrlError(f"rfc2396: {end if hexadecimal else 'invalid char 0x25 in unescape sequence'}")


def _check_base64(data: str) -> None:
    if not _BASE64_TEXT.fullmatch(data):
        raise _DataUrlError("invalid data character")
    if not _BASE64.fullmatch(data):
        place = _base64_fault(data)
        if place is not None:
            raise _DataUrlError(f"illegal base64 data at input byte {place}")


def _base64_fault(data: str) -> int | None:
    """Where Go's base64.StdEncoding finds a fault, if it does. Newlines do not count."""
    have = 0  # characters of the group of four
    for at, char in enumerate(data):
        if char == "=":
            return _padding_fault(data, at, have)
        if char != "\n":
            have = (have + 1) % 4
    # Go names the place where the group would have begun if no newline lay in it.
    return len(data) - have if have else None


def _padding_fault(data: str, at: int, have: int) -> int | None:
    rest = at + 1
    if have < 2:
        return at
    if have == 2:
        rest = _skip_newlines(data, rest)
        if rest == len(data):
            return len(data)
        if data[rest] != "=":
            return rest - 1
        rest += 1
    rest = _skip_newlines(data, rest)
    return rest if rest < len(data) else None


def _skip_newlines(data: str, at: int) -> int:
    while data.startswith("\n", at):
        at += 1
    return at
