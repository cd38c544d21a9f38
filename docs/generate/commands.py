"""The command lines of `pxed` and `pxed-probe` as plain values, for reference pages and man pages.

What is hidden is left out: it is meant for pxed's own use. Typer's own objects are read by their attributes only.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

_TYPES = {bool: "flag", int: "INTEGER", float: "FLOAT", Path: "PATH", str: "TEXT"}


@dataclass(frozen=True, slots=True)
class Argument:
    """A word without a name, in its place."""

    name: str  # as the usage shows it: MACHINE
    help: str
    required: bool
    many: bool
    default: str  # "" if there is none that says something


@dataclass(frozen=True, slots=True)
class Option:
    """A word that begins with a dash."""

    names: tuple[str, ...]  # ("-c", "--config")
    negations: tuple[str, ...]  # ("--no-lease",): what turns a flag off that is on
    metavar: str  # what its value is called; "" for a flag
    type: str  # flag, TEXT, INTEGER, FLOAT, PATH
    help: str
    default: str  # "" if there is none that says something
    environment: str  # the variable that stands for it; "" for none
    choices: tuple[str, ...]
    required: bool
    least: float | None
    most: float | None
    many: bool

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.type == "flag"


@dataclass(frozen=True, slots=True)
class Command:
    """A program, a group of commands or a command."""

    name: str  # "list"
    path: tuple[str, ...]  # ("pxed", "images", "list")
    summary: str  # the help's first sentence, without its full stop
    help: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...]

    @property
    def usage(self) -> str:
        """How it is typed: `pxed images sync [OPTIONS] [IMAGE]...`."""
        words = [*self.path, *(["[OPTIONS]"] if self.options else [])]
        words += ["COMMAND"] if self.commands else [argument.name for argument in self.arguments]
        return " ".join(words)

    def walk(self) -> list[Command]:
        """This command and all below it, each before those below it."""
        return [self, *(below for command in self.commands for below in command.walk())]


def programs() -> tuple[Command, Command]:
    """`pxed` and `pxed-probe`."""
    import pxed.cli
    import pxed.probe.main

    return command_of(pxed.cli.app, "pxed"), command_of(pxed.probe.main.app, "pxed-probe")


def command_of(app: typer.Typer, name: str) -> Command:
    """A typer application as values."""
    return _command(typer.main.get_command(app), (name,))


def _command(command: Any, path: tuple[str, ...]) -> Command:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    text = " ".join((command.help or "").split())
    below = getattr(command, "commands", {})
    return Command(
        path[-1],
        path,
        text.partition(". ")[0].rstrip("."),
        text,
        tuple(_argument(one) for one in shown if one.param_type_name == "argument"),
        tuple(_option(one) for one in shown if one.param_type_name == "option"),
        tuple(_command(one, (*path, name)) for name, one in below.items() if not one.hidden),
    )


def _argument(parameter: Any) -> Argument:
    name = parameter.metavar or parameter.name.upper()
    if not parameter.required and not name.startswith("["):
        name = f"[{name}]"
    return Argument(name, parameter.help or "", parameter.required, parameter.nargs == -1, _default(parameter))


def _option(parameter: Any) -> Option:
    kind = _type(parameter)
    names = tuple(sorted(parameter.opts, key=lambda name: name.startswith("--")))
    return Option(
        names,
        tuple(parameter.secondary_opts),
        "" if kind == "flag" else parameter.metavar or kind,
        kind,
        parameter.help or "",
        _default(parameter),
        parameter.envvar or "",
        _choices(parameter),
        parameter.required,
        parameter.min,
        parameter.max,
        parameter.multiple,
    )


def _annotation(parameter: Any) -> Any:
    """The type that its function declares, without None."""
    declared = parameter.type_descriptor.annotation
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        return next(one for one in typing.get_args(declared) if one is not type(None))
    return declared


def _type(parameter: Any) -> str:
    return "flag" if getattr(parameter, "is_flag", False) else _TYPES.get(_annotation(parameter), "TEXT")


def _choices(parameter: Any) -> tuple[str, ...]:
    declared = _annotation(parameter)
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return tuple(str(one.value) for one in declared)
    return tuple(map(str, typing.get_args(declared))) if typing.get_origin(declared) is typing.Literal else ()


def _default(parameter: Any) -> str:
    value = parameter.default
    if callable(value) or value in (None, "", False) or type(value).__name__ in ("Sentinel", "UNSET"):
        return ""
    if value is True:
        return parameter.opts[-1] if parameter.secondary_opts else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def exit_codes(command: Command) -> str:
    """What its exit codes mean, as its module says it; "" where the module of its group says it, or nobody."""
    program, *names = command.path
    modules = ["pxed.probe.main"] if program == "pxed-probe" and not names else []
    if program == "pxed" and names:
        modules = [f"pxed.cli.{'_'.join(names)}"]
    for module in modules:
        with contextlib.suppress(ModuleNotFoundError):
            text = " ".join((importlib.import_module(module).__doc__ or "").partition("\n\nModules")[0].split())
            found = re.search(r"Exit codes?:? (.*?[.])(?= [A-Z`]|$)", text)
            return found[1] if found else ""
    return ""
