"""YAML text -> a tree of nodes, the way the Go library that Butane uses (gopkg.in/yaml.v3) builds it.

Built from libyaml's events without recursion. Only the first document is read. An anchor may be defined again, and an
alias keeps a place of its own, so PyYAML's composer cannot be used. Scalars keep their source text; what a scalar
means is decided by the type of the field that it goes into (scalars.py).

Left out: comments, and the exact wording of some syntax errors (libyaml and its Go translation differ in a few).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml
import yaml.cyaml

from pxed.errors import PxedError

MAX_DEPTH = 10_000  # yaml.v3 scannerc.go, max_flow_level and max_indents

MAX_COLONS = 100  # colons that are hidden from libyaml, each at the cost of reading the text again

_COLON = "\ue03a"  # of a private use area
_LONG_TAG = "tag:yaml.org,2002:"


class YamlError(PxedError):
    """A text that yaml.v3 gives up on at once, in its words."""


class Scalar(NamedTuple):
    """A scalar. `tag` is the tag that is written, in its short form, "" without one; `plain` means without quotes."""

    value: str
    tag: str
    plain: bool
    line: int
    column: int


class Alias(NamedTuple):
    """`*name`. The target may still be open: an anchor counts from its node's start."""

    value: str
    target: Node
    line: int
    column: int


class Sequence(NamedTuple):
    """A block or flow sequence."""

    items: list[Node]
    tag: str
    line: int
    column: int


class Mapping(NamedTuple):
    """A block or flow mapping, in the order of the text, duplicates included."""

    keys: list[Node]
    values: list[Node]
    tag: str
    line: int
    column: int


Node = Scalar | Alias | Sequence | Mapping


def key_name(key: Node) -> str:
    """What yaml.v3 holds as the value of a key's node: an alias is known by its anchor, a collection by nothing."""
    return key.value if isinstance(key, Scalar | Alias) else ""


class Document(NamedTuple):
    """The first document: its root, None when there is none, and whether any alias occurs in it."""

    root: Node | None
    aliases: bool


def parse(text: bytes) -> Document:
    """The first document of the text. Raises YamlError, and nothing else, for any bytes."""
    colons: list[int] = []
    while True:
        try:
            # An empty input is a stream without documents to libyaml as well.
            return _Builder(bool(colons)).run(yaml.cyaml.CParser(text))  # type: ignore[attr-defined]
        except (yaml.YAMLError, UnicodeError) as error:
            text = _without_colon(text, error, colons)


class _Builder:
    """Nodes from events. `add` puts a finished node into the collection that is open."""

    def __init__(self, hidden: bool) -> None:
        self._hidden = hidden
        self._anchors: dict[str, Node] = {}
        self._flow = 0  # how many flow collections are open

    def run(self, parser: Any) -> Document:
        """Reads the first document of a parser that was just made."""
        get_event = parser.get_event
        get_event()  # StreamStart
        if type(get_event()) is yaml.StreamEndEvent:
            return Document(None, False)
        top: list[Node] = []
        add, stack, aliases = top.append, [], False
        while (kind := type(event := get_event())) is not yaml.DocumentEndEvent:
            if kind is yaml.ScalarEvent:
                add(self._scalar(event))
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                stack.append((add, self._flow))
                if len(stack) > MAX_DEPTH:
                    raise YamlError(f"yaml: exceeded max depth of {MAX_DEPTH}")
                node, fill = _collection(event, kind)
                if event.anchor is not None:
                    self._anchors[event.anchor] = node
                self._flow += bool(event.flow_style)
                add(node)
                add = fill
            elif kind is yaml.AliasEvent:
                aliases = True
                add(_alias(event, self._anchors))
            else:
                add, self._flow = stack.pop()
        _look_ahead(get_event)
        return Document(top[0], aliases)

    def _scalar(self, event: Any) -> Scalar:
        mark, value, plain = event.start_mark, event.value, not event.style
        if self._flow and plain and "?" in value[1:]:
            # YAML 1.2 and libyaml allow it, yaml.v3 does not.
            raise YamlError(
                f"yaml: line {mark.line + 1}: did not find expected ',' or '}}': quote a value with ? in it"
            )
        if self._hidden and _COLON in value:
            value = value.replace(_COLON, ":")
        node = Scalar(value, _short(event.tag) if event.tag else "", plain, mark.line + 1, mark.column + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node


def _look_ahead(get_event: Any) -> None:
    """yaml.v3 reads two tokens ahead, for comments: what begins the next document must be YAML as well."""
    try:
        for _ in range(3):
            if type(get_event()) is yaml.StreamEndEvent:
                return
    except yaml.parser.ParserError:
        return


def _without_colon(text: bytes, error: Exception, colons: list[int]) -> bytes:
    """The text with a stand-in for a colon that yaml.v3 takes for a part of a plain scalar (`[fe80::, x]`) and libyaml
    does not. Raises YamlError for any other error."""
    mark = getattr(error, "problem_mark", None)
    if getattr(error, "problem", "") == "found unexpected ':'" and mark and len(colons) < MAX_COLONS:
        decoded = _utf8(text)
        if decoded[mark.index : mark.index + 1] == ":" and (colons or _COLON not in decoded):
            colons.append(mark.index)
            return (decoded[: mark.index] + _COLON + decoded[mark.index + 1 :]).encode()
    raise YamlError(f"yaml: {_go_words(error)}") from None


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return ""  # UTF-16 is not worth the trouble


def _collection(event: Any, kind: type) -> tuple[Node, Any]:
    """An empty collection and the function that adds a node to it."""
    mark = event.start_mark
    if kind is yaml.SequenceStartEvent:
        items: list[Node] = []
        return Sequence(items, _short(event.tag), mark.line + 1, mark.column + 1), items.append
    node = Mapping([], [], _short(event.tag), mark.line + 1, mark.column + 1)
    keys, values = node.keys, node.values

    def fill(child: Node) -> None:
        (values if len(keys) > len(values) else keys).append(child)

    return node, fill


def _alias(event: Any, anchors: dict[str, Node]) -> Alias:
    mark = event.start_mark
    if event.anchor not in anchors:
        raise YamlError(f"yaml: unknown anchor '{event.anchor}' referenced")
    return Alias(event.anchor, anchors[event.anchor], mark.line + 1, mark.column + 1)


def _short(tag: str | None) -> str:
    """A tag in its short form; the non-specific "!" counts as none."""
    if not tag or tag == "!":
        return ""
    return f"!!{tag[len(_LONG_TAG) :]}" if tag.startswith(_LONG_TAG) else tag


def _go_words(error: Exception) -> str:
    """libyaml's problem with the line that yaml.v3 (decode.go, parser.fail) would name."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return getattr(error, "reason", "") or "invalid UTF-8"
    line = next((mark.line for mark in (error.context_mark, error.problem_mark) if mark and mark.line), 0)
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"line {line}: {error.problem}" if line else str(error.problem)
