"""A command line read as the reference tool's flag library reads it, for `pxed butane`.

https://github.com/spf13/pflag: flags and arguments in any order, `-sp`, `-oFILE`, `-o=FILE`, `--strict=false`, and
`--color` alone for `--color=always`. What is wrong is said in its words, before the usage.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.core

from pxed.errors import PxedError

# Long name to short name and what the flag is without a value; "" if it needs one.
_FLAGS = {
    "check": ("c", "true"),
    "color": ("", "always"),
    "colour": ("", "always"),
    "debug": ("D", "true"),
    "files-dir": ("d", ""),
    "help": ("h", "true"),
    "input": ("", ""),
    "output": ("o", ""),
    "pretty": ("p", "true"),
    "raw": ("r", "true"),
    "raw-errors": ("", "true"),
    "strict": ("s", "true"),
    "version": ("V", "true"),
}
_LONG = {short: name for name, (short, _) in _FLAGS.items() if short}
_TRUTH = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


class FlagError(PxedError):
    """A command line that the reference tool refuses, in its words."""


def plain(words: list[str]) -> tuple[list[str], bool]:
    """The same command line with each flag once and in full, then the arguments; and whether `--input` is among them.

    Raises FlagError.
    """
    flags: dict[str, str] = {}
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments += rest
        elif word.startswith("--"):
            _long(word[2:], rest, flags)
        elif word.startswith("-") and word != "-":
            _short(word[1:], rest, flags)
        else:
            arguments.append(word)
    return [*_written(flags), "--", *arguments], "input" in flags


def _long(word: str, rest: Iterator[str], flags: dict[str, str]) -> None:
    if word[0] in "-=":
        raise FlagError(f"bad flag syntax: --{word}")
    name, given, value = word.partition("=")
    if name not in _FLAGS:
        raise FlagError(f"unknown flag: --{name}")
    _set(name, value if given else _FLAGS[name][1] or _next(rest, f"--{name}"), flags)


def _short(letters: str, rest: Iterator[str], flags: dict[str, str]) -> None:
    while letters:
        run, letter, letters = letters, letters[0], letters[1:]
        if letter not in _LONG:
            raise FlagError(f"unknown shorthand flag: '{letter}' in -{run}")
        value = _FLAGS[_LONG[letter]][1]
        if len(letters) > 1 and letters[0] == "=":
            value, letters = letters[1:], ""
        elif not value:
            value, letters = letters or _next(rest, f"'{letter}' in -{run}"), ""
        _set(_LONG[letter], value, flags)


def _next(rest: Iterator[str], flag: str) -> str:
    value = next(rest, None)
    if value is None:
        raise FlagError(f"flag needs an argument: {flag}")
    return value


def _set(name: str, value: str, flags: dict[str, str]) -> None:
    short, alone = _FLAGS[name]
    if alone == "true" and value not in _TRUTH:
        flag = f"-{short}, --{name}" if short else f"--{name}"
        reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
        raise FlagError(f'invalid argument "{value}" for "{flag}" flag: {reason}')
    flags[name] = value


def _written(flags: dict[str, str]) -> Iterator[str]:
    for name, value in flags.items():
        if _FLAGS[name][1] != "true":
            yield f"--{name}={value}"
        elif _TRUTH[value] and name != "debug":  # its log of translations is left out
            yield f"--{name}"


class ButaneCommand(typer.core.TyperCommand):
    """The command of `pxed butane`, whose words are read so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Hands on the words, or ends with 2."""
        if ctx.resilient_parsing:  # a line that is being completed
            return super().parse_args(ctx, args)
        try:
            words, deprecated = plain(args)
        except FlagError as failure:
            from pxed.cli.butane import USAGE

            sys.stderr.write(f"{failure}\n{USAGE}")
            ctx.exit(2)
        if deprecated:
            sys.stderr.write("Flag --input has been deprecated, specify filename directly on command line\n")
        return super().parse_args(ctx, words)
