"""Nodes -> plain data by type: decode.go of gopkg.in/yaml.v3 for structs, lists, strings, ints and bools.

Decoded structs are dicts of the fields that are set, by their YAML names. Null leaves a field unset and drops a list
item; a wrong type is noted with its line and the rest goes on, so that every such error is listed. Merge keys (`<<`)
and aliases work as Go does them, bounded against aliases of aliases.

`Decoder.irregular` tells that the data and the text do not match one to one: unknown keys, aliases, nulls for structs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from pxed.ignition.butane import scalars
from pxed.ignition.butane.names import camel
from pxed.ignition.butane.nodes import Alias, Mapping, Node, Scalar, Sequence, YamlError


class _Unset:
    """No value: null, or an error that is noted."""


UNSET = _Unset()

# decode.go lets about 400,000 steps come from aliases (alias_ratio_range_low): ten lines of aliases name billions.
MAX_ALIAS_STEPS = 400_000


class Type:
    """A Go type: its name in messages, and how a node is read into it."""

    __slots__ = ("go", "json")

    def __init__(self, go: str) -> None:
        self.go = go

    def decode(self, state: Decoder, node: Node) -> Any:
        """The value, or UNSET."""
        raise NotImplementedError


class Text(Type):
    """string, or a type named after one."""

    __slots__ = ()

    def decode(self, state: Decoder, node: Node) -> Any:
        """The source text of any scalar."""
        if type(node) is Scalar:
            if not node.tag and (not node.plain or node.value not in scalars.NULLS):
                return node.value
            return UNSET if scalars.is_null(node) else scalars.text(node)
        return state.other(self, node)


class Whole(Type):
    """int."""

    __slots__ = ()

    def decode(self, state: Decoder, node: Node) -> Any:
        """A number of 64 bits."""
        if type(node) is Scalar:
            if scalars.is_null(node):
                return UNSET
            number = scalars.integer(node)
            return state.mismatch(self, node) if number is None else number
        return state.other(self, node)


class Flag(Type):
    """bool."""

    __slots__ = ()

    def decode(self, state: Decoder, node: Node) -> Any:
        """True or False."""
        if type(node) is Scalar:
            if scalars.is_null(node):
                return UNSET
            truth = scalars.boolean(node)
            return state.mismatch(self, node) if truth is None else truth
        return state.other(self, node)


class Listing(Type):
    """A slice."""

    __slots__ = ("of",)

    def __init__(self, of: Type, go: str) -> None:
        super().__init__(go)
        self.of = of

    def decode(self, state: Decoder, node: Node) -> Any:
        """The items that are not null."""
        if type(node) is Sequence:
            if state.depth:
                state.spend(len(node.items))
            decode = self.of.decode
            found = [value for item in node.items if (value := decode(state, item)) is not UNSET]
            if len(found) < len(node.items):
                state.irregular = True
            return found
        return state.other(self, node)


class Struct(Type):
    """A struct. `fields` are in Go's order; `own` are those without a place in Ignition."""

    __slots__ = ("fields", "nested", "own", "plan")

    def __init__(self, go: str) -> None:
        super().__init__(go)
        self.fields: dict[str, Type] = {}
        self.own: frozenset[str] = frozenset()
        self.plan: tuple[tuple[str, str, Struct | None, bool], ...] = ()  # name, JSON name, struct, whether a list
        self.nested: tuple[tuple[str, Struct, bool], ...] = ()  # the fields that hold structs

    def define(self, fields: dict[str, Type], own: frozenset[str] = frozenset()) -> Self:
        """Gives the struct its fields, once all structs exist."""
        self.fields, self.own = fields, own
        shapes = [(name, *_shape(kind)) for name, kind in fields.items()]
        self.plan = tuple((name, camel(name), struct, many) for name, struct, many in shapes if name not in own)
        self.nested = tuple((name, struct, many) for name, struct, many in shapes if struct)
        return self

    def decode(self, state: Decoder, node: Node) -> Any:
        """The fields that are set."""
        if type(node) is Mapping:
            if state.repeats(node):
                return UNSET
            out: dict[str, Any] = {}
            self.fill(state, node, out, None)
            return out
        return state.other(self, node)

    def fill(self, state: Decoder, node: Mapping, out: dict[str, Any], taken: set[str] | None) -> None:
        """Reads a mapping into `out`, leaving out the keys in `taken` when it is merged into another one."""
        fields, merge = self.fields, None
        if state.depth:
            state.spend(len(node.keys))
        for key, value in zip(node.keys, node.values, strict=True):
            name = key.value if type(key) is Scalar and not key.tag else None
            if name not in fields or taken is not None:
                if _is_merge(key):
                    merge, state.irregular = value, True
                    continue
                name = state.key(key)
                if name is None:
                    state.irregular = True
                if name is None or (taken is not None and name in taken):
                    continue
                if taken is not None:
                    taken.add(name)
                if name not in fields:
                    state.irregular = True
                    continue
            decoded = fields[name].decode(state, value)
            if decoded is not UNSET:
                out[name] = decoded
        if merge is not None:
            state.merge(self, node, merge, out, taken)


def _shape(kind: Type) -> tuple[Struct | None, bool]:
    """The struct that a type is or lists, and whether it is a list."""
    many = isinstance(kind, Listing)
    inner = kind.of if isinstance(kind, Listing) else kind
    return inner if isinstance(inner, Struct) else None, many


class Decoder:
    """The state of decoding one document."""

    def __init__(self, aliases: bool) -> None:
        self.errors: list[str] = []
        self.irregular = aliases
        self.depth = 0  # of aliases that are being followed
        self._open: set[int] = set()
        self._steps = 0

    def mismatch(self, wanted: Type, node: Node) -> _Unset:
        """Notes a node of the wrong type."""
        if isinstance(node, Scalar):
            what = scalars.go_tag(node)
        else:
            what = node.tag if not isinstance(node, Alias) else ""
            what = what or ("!!seq" if isinstance(node, Sequence) else "!!map")
        if what not in ("!!seq", "!!map"):
            value = (node.value if isinstance(node, Scalar) else "").encode()
            shown = value[:7] + b"..." if len(value) > 10 else value
            what = f"{what} `{shown.decode(errors='replace')}`"
        self.errors.append(f"line {node.line}: cannot unmarshal {what} into {wanted.go}")
        return UNSET

    def other(self, wanted: Type, node: Node) -> Any:
        """An alias is followed, null is no value, anything else is of the wrong type."""
        if isinstance(node, Alias):
            return self._follow(wanted, node)
        if isinstance(node, Scalar) and scalars.resolve(node)[1] is None:
            self.irregular = True
            return UNSET
        if isinstance(node, Mapping) and self.repeats(node):
            return UNSET
        return self.mismatch(wanted, node)

    def spend(self, steps: int) -> None:
        """Counts what is read through aliases."""
        self._steps += steps
        if self._steps > MAX_ALIAS_STEPS:
            raise YamlError("yaml: document contains excessive aliasing")

    def _follow(self, wanted: Type, node: Alias) -> Any:
        with self._through(node):
            return wanted.decode(self, node.target)

    @contextmanager
    def _through(self, node: Node) -> Iterator[None]:
        """Follows a node if it is an alias; refuses one that is being followed."""
        if not isinstance(node, Alias):
            yield
            return
        if id(node) in self._open:
            raise YamlError(f"yaml: anchor '{node.value}' value contains itself")
        self._open.add(id(node))
        self.depth += 1
        self.spend(1)
        yield
        self.depth -= 1
        self._open.discard(id(node))

    def repeats(self, node: Mapping) -> bool:
        """Whether keys are given twice; each such pair is noted."""
        keys = node.keys
        names = [key.value for key in keys if type(key) is Scalar]
        if len(names) == len(keys) and len(set(names)) == len(names):
            return False
        before = len(self.errors)
        self.errors.extend(_repeated(keys))
        return len(self.errors) > before

    def key(self, key: Node) -> str | None:
        """The name that a key gives to a field; None for null and for what is no string, which is noted."""
        name = Text("string").decode(self, key)
        return name if isinstance(name, str) else None

    def merge(self, struct: Struct, parent: Mapping, merge: Node, out: dict[str, Any], taken: set[str] | None) -> None:
        """Reads the value of a merge key into `out`: keys that are given win, then the earlier maps."""
        if taken is None:
            taken = {name for key in parent.keys if (name := self.key(key)) is not None}
        for item in merge.items if isinstance(merge, Sequence) else [merge]:
            target = item.target if isinstance(item, Alias) else item
            if not isinstance(target, Mapping):
                raise YamlError("yaml: map merge requires map or sequence of maps as the value")
            with self._through(item):
                if not self.repeats(target):
                    struct.fill(self, target, out, taken)


def _repeated(keys: list[Node]) -> list[str]:
    """Go compares each pair, by kind and text."""
    first: dict[tuple[type, str], list[Node]] = {}
    for key in keys:
        name = key.value if isinstance(key, Scalar | Alias) else ""
        first.setdefault((type(key), name), []).append(key)
    return [
        f"line {later.line}: mapping key {go_quote(name)} already defined at line {same[index].line}"
        for (_, name), same in first.items()
        for index in range(len(same))
        for later in same[index + 1 :]
    ]


def _is_merge(key: Node) -> bool:
    return isinstance(key, Scalar) and key.value == "<<" and ((key.plain and not key.tag) or key.tag == "!!merge")


_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"} | {
    '"': '\\"',
    "\\": "\\\\",
}


def go_quote(text: str) -> str:
    """A string as Go's %q prints it."""
    return f'"{"".join(_ESCAPES.get(char) or (char if char.isprintable() else _hex(char)) for char in text)}"'


def _hex(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
