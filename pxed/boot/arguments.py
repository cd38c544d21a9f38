"""Kernel arguments as Flatcar's generators read them: NAME=VALUE, a name without a value, quotes around either.

They cut /proc/cmdline at blanks and take the last word of a name (ignition-generator, diskless-generator). The kernel
takes the double quotes of `"a=b c"` and of `a="b c"` as the same; scripts that search the text do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Argument(NamedTuple):
    """One kernel argument; `value` is None for a name alone."""

    name: str
    value: str | None
    text: str  # as it is written


# What Flatcar's generators take for no; anything else is yes (cmdline_bool).
_NO = ("", "0", "no", "off")


def arguments(texts: Iterable[str]) -> tuple[Argument, ...]:
    """The arguments of a profile, in their order."""
    return tuple(_argument(text) for text in texts)


def named(args: Iterable[Argument], *names: str) -> Iterator[Argument]:
    """The arguments of any of these names, in their order."""
    return (argument for argument in args if argument.name in names)


def last_value(args: Iterable[Argument], *names: str) -> str | None:
    """The value that wins: that of the last argument of these names, None without one; "" for a name alone."""
    value = None
    for argument in named(args, *names):
        value = argument.value or ""
    return value


def is_yes(argument: Argument) -> bool:
    """Whether Flatcar's generators take it for yes. A name alone is its own value to them, so it is."""
    return argument.value is None or argument.value not in _NO


def _argument(text: str) -> Argument:
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1] else text
    name, equals, value = bare.partition("=")
    return Argument(name, value.strip('"') if equals else None, text)
