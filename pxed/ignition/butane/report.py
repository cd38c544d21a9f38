"""What translating says: entries with a place in the text, and their two printed forms.

`str(entry)` is the form of the reference tool's --raw-errors; `pretty` is its default, with the lines around the place
(Butane 0.29, internal/report/report.go).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pxed.ignition.butane.nodes import Mapping, Node, key_name
from pxed.ignition.butane.nodes import Sequence as Items
from pxed.ignition.spec import Severity

Path = tuple[str | int, ...]

_RED, _YELLOW, _CYAN, _BLUE, _RESET = "\033[1;31m", "\033[1;33m", "\033[1;36m", "\033[1;34m", "\033[0m"
_COLOURS = {Severity.ERROR: _RED, Severity.WARNING: _YELLOW, Severity.INFO: _CYAN}
_SPACE = re.compile(r"[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")  # unicode.IsSpace of Go
_CONTEXT_LINES = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. Line and column count from 1, in characters; `path` is "$" for the document as a whole."""

    severity: Severity
    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line} col {self.column}"
        return f"{self.severity} at {where if self.path == '$' else f'{self.path}, {where}'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Note:
    """A message whose place is not yet looked up. `key` points at the key instead of its value."""

    severity: Severity
    path: Path
    message: str
    key: bool = False

    @property
    def fatal(self) -> bool:
        """Whether nothing can come of the config."""
        return self.severity is Severity.ERROR


def error(path: Path, message: str) -> Note:
    """A note that ends the translation after its step."""
    return Note(Severity.ERROR, path, message)


def warning(path: Path, message: str, *, key: bool = False) -> Note:
    """A note that --strict refuses."""
    return Note(Severity.WARNING, path, message, key)


def place(note: Note, root: Node) -> Entry:
    """The note with the place of its node, or of the deepest ancestor that is in the text (vcontext, report.go)."""
    node, last = root, len(note.path) - 1
    for index, part in enumerate(note.path):
        child = child_of(node, part, key=note.key and index == last)
        if child is None:
            break
        node = child
    path = ".".join(("$", *map(str, note.path)))
    return Entry(note.severity, path, node.line, node.column, note.message)


def child_of(node: Node, part: str | int, *, key: bool = False) -> Node | None:
    """The node below another one, or its key; None where there is none. Aliases are not followed."""
    if isinstance(node, Mapping) and isinstance(part, str):
        pairs = zip(reversed(node.keys), reversed(node.values), strict=True)
        return next((name if key else value for name, value in pairs if key_name(name) == part), None)
    if isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


def pretty(entries: Sequence[Entry], name: str, source: bytes, *, colour: bool = False) -> str:
    """All entries, each with the lines around its place; a blank line between two."""
    lines = source.split(b"\n")
    return "\n".join(_excerpt(entry, name, lines, colour) for entry in entries)


def _excerpt(entry: Entry, name: str, lines: list[bytes], colour: bool) -> str:
    if not (1 <= entry.line <= len(lines) and 1 <= entry.column <= len(lines[entry.line - 1])):
        return f"{entry}\n"
    path = "" if entry.path == "$" else f"[{entry.path}]"
    first, last = max(1, entry.line - _CONTEXT_LINES), min(len(lines), entry.line + _CONTEXT_LINES)
    width = len(str(last))
    gutter = f" {' ' * width} |"
    out = [
        f"{_paint(entry.severity, _COLOURS[entry.severity], colour)}{path}:",
        f"  {_paint('-->', _BLUE, colour)} {name}:{entry.line}:{entry.column}",
        gutter,
    ]
    for number in range(first, last + 1):
        out.append(f" {_paint(f'{number:{width}}', _BLUE, colour)} | {lines[number - 1].decode(errors='replace')}")
        if number == entry.line:
            out.append(f"{gutter} {_underline(entry, lines[number - 1], colour)} {entry.message}")
    return "\n".join((*out, gutter)) + "\n"


def _underline(entry: Entry, line: bytes, colour: bool) -> str:
    """From the place to the next white space. The reference tool takes the column for one in bytes."""
    rest = line[entry.column - 1 :].decode(errors="surrogateescape")
    space = _SPACE.search(rest)
    width = len((rest[: space.start()] if space else rest).encode(errors="surrogateescape"))
    return " " * (entry.column - 1) + _paint("^" * width, _BLUE, colour)


def _paint(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_RESET}" if colour else text
