"""YAML text -> plain data in which every scalar is a string, with the place of each key and value when asked.

Built from libyaml's parse events, because PyYAML's own construction guesses types (the MAC 52:54:00:12:34:56 becomes
an integer), lets a duplicate key win silently and keeps marks for everything. Anchors, aliases and merge keys
(https://yaml.org/type/merge.html) work; tags, keys that are no scalars and further documents are refused.

`read` is the fast way for a text without faults and raises Faulty for any other; `read_marked` then says what and
where.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
import yaml.cyaml
from yaml.reader import ReaderError

from pxed.inventory.places import Fault, Key, KeyPath, Marked, Place
from pxed.inventory.scalars import quote

# Bounds of what aliases can unfold to: ten lines of "a: [*b, *b, ...]" name billions of values.
MAX_NODES = 2_000_000
MAX_DEPTH = 64

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Canonical decimal. Longer runs of digits stay text: they are serial numbers, not counts.
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")
_DIGITS = frozenset("-0123456789")


class Faulty(Exception):  # noqa: N818
    """The text has a fault; read_marked tells which."""


class Plain(str):
    """An unquoted scalar that YAML would read as a number or a truth value."""

    __slots__ = ()

    def typed(self) -> int | bool:
        """What YAML would make of it."""
        return _BOOLS[self] if self in _BOOLS else int(self)


def read(text: str) -> Any:
    """The data of a YAML text without faults: str, None, dict, list. Raises Faulty otherwise."""
    try:
        return _Builder(text, None).run()
    except (yaml.YAMLError, UnicodeError):
        raise Faulty from None


def read_marked(text: str) -> Marked:
    """The data with places and every fault of the text."""
    marked = Marked()
    try:
        marked.data = _Builder(text, marked).run()
    except Faulty:
        marked.readable = False
    except (yaml.YAMLError, UnicodeError) as error:
        marked.readable = False
        marked.faults.append(_syntax_fault(error, text))
    return marked


def _syntax_fault(error: yaml.YAMLError | UnicodeError, text: str) -> Fault:
    if isinstance(error, UnicodeEncodeError):
        return Fault(_place_at(text, error.start), (), "found a lone surrogate, expected text that UTF-8 can hold")
    if isinstance(error, ReaderError):
        # libyaml counts the bytes of its UTF-8 input.
        position = len(text.encode()[: error.position].decode(errors="ignore"))
        return Fault(_place_at(text, position), (), f"not YAML: {error.reason}")
    if isinstance(error, yaml.MarkedYAMLError):
        mark, begun = error.problem_mark or error.context_mark, error.context_mark
        context = f" {error.context}" if error.context else ""
        since = f" that began in line {begun.line + 1}" if begun and error.context else ""
        return Fault(_place(mark) if mark else (1, 1), (), f"not YAML: {error.problem}{context}{since}")
    return Fault((1, 1), (), f"not YAML: {error}")


def _place_at(text: str, position: int) -> Place:
    before = text[:position]
    return before.count("\n") + 1, position - before.rfind("\n")


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


class _Frame:
    """A mapping or list under construction."""

    __slots__ = (
        "anchor",
        "began",
        "data",
        "height",
        "is_mapping",
        "is_merge",
        "key",
        "key_mark",
        "mark",
        "marks",
        "merges",
    )

    def __init__(self, is_mapping: bool, event: Any, began: int) -> None:
        self.is_mapping = is_mapping
        self.data: Any = {} if is_mapping else []
        self.anchor: str | None = event.anchor
        self.mark: yaml.Mark = event.start_mark
        self.began = began  # values counted before it
        self.height = 1
        self.key: str | None = None  # the key that waits for its value
        self.key_mark: Any = None
        self.is_merge = False
        self.merges: list[tuple[Any, yaml.Mark]] | None = None
        self.marks: dict[Key, tuple[Place, Place]] | None = None


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    nodes: int
    height: int


class _Builder:
    """Folds parse events into data. Without `marked` the first fault raises Faulty."""

    def __init__(self, text: str, marked: Marked | None) -> None:
        self.parser: Any = yaml.cyaml.CParser(text)  # type: ignore[attr-defined]
        self.marked = marked
        self.stack: list[_Frame] = []
        self.frame: _Frame | None = None
        self.root: Any = None
        self.documents = 0
        self.nodes = 0
        self.anchors: dict[str, _Anchored] = {}

    def run(self) -> Any:
        """Follow the events to the end of the stream."""
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.begin,
            yaml.SequenceStartEvent: self.begin,
            yaml.MappingEndEvent: self.end,
            yaml.SequenceEndEvent: self.end,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.document,
        }
        following = self.parser.get_event
        while (event := following()) is not None:
            handler = handlers.get(event.__class__)
            if handler is not None:
                handler(event)
        return self.root

    def scalar(self, event: Any) -> None:
        """A key, or a value: text; None or Plain when it is unquoted and YAML gives it a meaning."""
        frame = self.frame
        text: str = event.value
        if event.tag is not None:
            self.refuse_tag(event)
        if frame is not None and frame.is_mapping and frame.key is None:
            frame.key = sys.intern(text)
            frame.key_mark = event.start_mark
            frame.is_merge = text == "<<" and not event.style  # quoted, it is a key like any other
            value: str | None = text
        else:
            value = text if event.style else _plain(text)
            self.nodes += 1
            self.put(frame, value, event.start_mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, 1, 0)

    def begin(self, event: Any) -> None:
        """A mapping or list begins."""
        is_mapping = event.__class__ is yaml.MappingStartEvent
        if event.tag is not None:
            self.refuse_tag(event)
        self.refuse_as_key(event, "a mapping" if is_mapping else "a list")
        if len(self.stack) >= MAX_DEPTH:
            self.fatal(event.start_mark, f"found values nested more than {MAX_DEPTH} deep")
        begun = _Frame(is_mapping, event, self.nodes)
        self.nodes += 1
        if self.marked is not None:
            begun.marks = self.marked.places[id(begun.data)] = {}
            self.marked.kept.append(begun.data)
        self.stack.append(begun)
        self.frame = begun

    def end(self, event: Any) -> None:
        """The innermost mapping or list ends and becomes a value of the one around it."""
        done = self.stack.pop()
        outer = self.frame = self.stack[-1] if self.stack else None
        if done.merges is not None:
            self.merge(done)
        if done.anchor is not None:
            self.anchors[done.anchor] = _Anchored(done.data, self.nodes - done.began, done.height)
        self.deepen(outer, done.height, done.mark)
        self.put(outer, done.data, done.mark)

    def alias(self, event: Any) -> None:
        """The value of an anchor once more. It is shared, but counted as if it were written out."""
        self.refuse_as_key(event, "an alias")
        known = self.anchors.get(event.anchor)
        if known is None:
            self.fatal(
                event.start_mark, f"found the alias *{event.anchor}, expected the name of an anchor that ends above"
            )
        self.nodes += known.nodes
        if self.nodes > MAX_NODES:
            self.fatal(event.start_mark, f"found aliases that unfold to more than {MAX_NODES} values")
        self.deepen(self.frame, known.height, event.start_mark)
        self.put(self.frame, known.value, event.start_mark)

    def document(self, event: Any) -> None:
        """A second document would be lost silently."""
        self.documents += 1
        if self.documents > 1:
            self.fatal(event.start_mark, "found a second document, expected the whole inventory in one")

    def put(self, frame: _Frame | None, value: Any, mark: yaml.Mark) -> None:
        """Store a finished value under the key that waits for it, in the list, or as the document."""
        if frame is None:
            self.root = value
            return
        data = frame.data
        if not frame.is_mapping:
            if frame.marks is not None:
                frame.marks[len(data)] = (_place(mark), _place(mark))
            data.append(value)
            return
        key = frame.key
        if frame.is_merge:
            self.merge_later(frame, value, mark)
        elif key in data:
            self.refuse_duplicate(frame, key)
        else:
            if frame.marks is not None:
                frame.marks[key] = (_place(frame.key_mark), _place(mark))  # type: ignore[index]
            data[key] = value
        frame.key = None

    def merge_later(self, frame: _Frame, value: Any, mark: yaml.Mark) -> None:
        """Keys that stand in the mapping itself win, so what "<<" brings waits for its end."""
        sources = value if isinstance(value, list) else [value]
        if frame.merges is not None:
            self.fault(frame.key_mark, "<<", "found the merge key << twice, expected one with a list: <<: [*a, *b]")
        if not all(isinstance(source, dict) for source in sources):
            self.fault(
                mark, "<<", "found something else after <<, expected a mapping (an alias of one) or a list of mappings"
            )
            sources = []
        frame.merges = [(source, mark) for source in sources]

    def merge(self, frame: _Frame) -> None:
        """Copy what "<<" brings; the first of several sources wins."""
        for source, _ in frame.merges or ():
            for key, value in source.items():
                if key not in frame.data:
                    frame.data[key] = value
                    if frame.marks is not None and self.marked is not None:
                        frame.marks[key] = self.marked.places[id(source)][key]

    def deepen(self, frame: _Frame | None, inner: int, mark: yaml.Mark) -> None:
        """A value of height `inner` enters `frame`; aliases nest deeper than the text shows."""
        if frame is not None and inner >= frame.height:
            frame.height = inner + 1
            if frame.height > MAX_DEPTH:
                self.fatal(mark, f"found values nested more than {MAX_DEPTH} deep")

    def refuse_tag(self, event: Any) -> None:
        self.fault(
            event.start_mark,
            None,
            f"found the tag {quote(event.tag)}, expected none: a field's own type decides what a value is",
        )

    def refuse_as_key(self, event: Any, what: str) -> None:
        frame = self.frame
        if frame is not None and frame.is_mapping and frame.key is None:
            self.fatal(event.start_mark, f"found {what} as a key, expected one word")

    def refuse_duplicate(self, frame: _Frame, key: str | None) -> None:
        if frame.marks is not None and key is not None:
            first = frame.marks[key][0][0]
            self.fault(frame.key_mark, key, f"found this key a second time; the first is in line {first}")
        else:
            raise Faulty

    def fault(self, mark: yaml.Mark, key: str | None, message: str) -> None:
        """Note a fault and go on, or leave the fast way."""
        if self.marked is None:
            raise Faulty
        around: KeyPath = tuple(
            len(frame.data) if not frame.is_mapping else frame.key or ""
            for frame in self.stack
            if not frame.is_mapping or frame.key is not None
        )
        path = around if key is None or around[-1:] == (key,) else (*around, key)
        self.marked.faults.append(Fault(_place(mark), path, message))

    def fatal(self, mark: yaml.Mark, message: str) -> NoReturn:
        """Note a fault after which the text cannot be followed."""
        self.fault(mark, None, message)
        raise Faulty


def _plain(text: str) -> str | None:
    """An unquoted scalar: None, Plain or just text."""
    if text in _NULLS:
        return None
    if (text[0] in _DIGITS and _INTEGER.fullmatch(text)) or text in _BOOLS:
        return Plain(text)
    return text
