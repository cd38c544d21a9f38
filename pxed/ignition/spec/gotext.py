"""Small pieces of Go's standard library whose exact behaviour shows in Ignition's verdicts and messages.

path.Clean, path.Join and path.Ext; unicode.IsSpace; strconv.Quote; the length of a string in bytes.
"""

from __future__ import annotations

import re

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_QUOTED = dict(zip('"\\\a\b\f\n\r\t\v', ('\\"', "\\\\", *(f"\\{char}" for char in "abfnrtv")), strict=True))
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that do not stand for a byte


def utf8(text: str) -> bytes:
    """The bytes that Go would hold: U+DC80 to U+DCFF stand for bytes that are no UTF-8, as in surrogateescape."""
    return _LONE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def length(text: str) -> int:
    """Go's len of a string: bytes."""
    return len(text) if text.isascii() else len(utf8(text))


def clean(path: str) -> str:
    """path.Clean: the shortest equivalent path, by text alone."""
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part not in {"", ".", ".."} or (part == ".." and not rooted):
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or "."


def join(*parts: str) -> str:
    """path.Join: what is not empty, with slashes between, cleaned."""
    return clean("/".join(filter(None, parts))) if any(parts) else ""


def extension(path: str) -> str:
    """path.Ext: from the last dot of the last element, or nothing."""
    dot = path.rfind(".")
    return path[dot:] if dot > path.rfind("/") else ""


def quote(text: str) -> str:
    """strconv.Quote, %q in Go's messages."""
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(char: str) -> str:
    code = ord(char)
    if char in _QUOTED:
        return _QUOTED[char]
    if char.isprintable():
        return char
    if 0xDC80 <= code <= 0xDCFF or code < 0x20 or code == 0x7F:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
