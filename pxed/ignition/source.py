"""One config file of the inventory: read once, compiled as a template, made into a config for each machine.

A file without Jinja2 syntax is the same for everybody and is handed out byte for byte (Ignition) or translated once
(Butane).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Template

from pxed.errors import ConfigError, Problem
from pxed.ignition import butane
from pxed.ignition.document import Config, DocumentError, Fault, is_no_ignition, read_config
from pxed.ignition.template import TemplateFaultError, compile_template, has_syntax, render_template

BUTANE_SUFFIXES = (".bu", ".butane", ".yaml", ".yml")
FilesOf = Callable[[Path], butane.LocalFiles]
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")


@dataclass(frozen=True, slots=True)
class Made:
    """A config and the warnings of its making. `files` are the local files that are part of it."""

    config: Config
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One file. `template` is None when its text is the same for every machine."""

    path: Path
    body: bytes
    is_butane: bool
    files_dir: Path
    template: Template | None = None

    @property
    def same_for_all(self) -> bool:
        """Whether every machine gets the same."""
        return self.template is None

    def text_for(self, variables: Mapping[str, Any]) -> bytes:
        """The text for one machine. Raises ConfigError."""
        if self.template is None:
            return self.body
        try:
            return render_template(self.template, variables).encode()
        except TemplateFaultError as fault:
            name = variables["machine"]["name"]
            what = f"cannot be rendered for {name}: {fault}"
            raise ConfigError([_problem(self.path, Fault(fault.line, min(fault.line, 1), what))]) from None

    def make(self, text: bytes, name: str, files_of: FilesOf) -> Made:
        """The config of a rendered text; `name` is whom it was rendered for. Raises ConfigError."""
        made, faults = self._translated(text, files_of) if self.is_butane else _ignition(text)
        problems = [_problem(self.path, self._placed(fault, text, name)) for fault in faults]
        if made is None or any(not problem.warning for problem in problems):
            raise ConfigError(problems)
        return Made(made.config, tuple(problems), made.files)

    def _translated(self, text: bytes, files_of: FilesOf) -> tuple[Made | None, tuple[Fault, ...]]:
        result = butane.translate(text, files=files_of(self.files_dir))
        faults = tuple(
            Fault(entry.line, entry.column, f"{entry.path}: {entry.message}", entry.severity != "error")
            for entry in result.entries
            if entry.severity != "info"
        )
        files = tuple(self.files_dir / name for name in result.local_files)
        if result.output is None:
            return None, faults or (Fault(0, 0, result.error),)
        return Made(Config(result.output, result.version), files=files), faults

    def _placed(self, fault: Fault, text: bytes, name: str) -> Fault:
        """A fault of rendered text, in terms of the template."""
        if self.template is None:
            return fault
        line = text.decode(errors="replace").split("\n")[fault.line - 1].strip()[:80] if fault.line else ""
        where = f" in line {fault.line}: {line}" if line else ""
        at = template_line(self.body.decode(), line) if line else 0
        message = f"rendered for {name}: {fault.message}{where}"
        return Fault(at, 1 if at else 0, message, fault.warning)


def read_source(path: Path, body: bytes, *, is_butane: bool, files_dir: Path | None) -> Source:
    """A file, compiled. Raises ConfigError for what is no template."""
    here = files_dir or path.parent
    if not is_butane and is_no_ignition(body):
        return Source(path, body, is_butane, here)
    try:
        text = body.decode()
        template = compile_template(text, path) if has_syntax(text) else None
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: byte {error.start} is {body[error.start]:#04x}"
        raise ConfigError([_problem(path, Fault(0, 0, what))]) from None
    except TemplateFaultError as fault:
        raise ConfigError([_problem(path, Fault(fault.line, min(fault.line, 1), str(fault)))]) from None
    return Source(path, body, is_butane, here, template)


def _problem(path: Path, fault: Fault) -> Problem:
    return Problem(path, fault.line, fault.column, "", fault.message, fault.warning)


def template_line(template: str, rendered: str) -> int:
    """The line of a template that a rendered line comes from, counted from 1; 0 when that is not certain."""
    matching = [
        number
        for number, line in enumerate(template.split("\n"), 1)
        if re.fullmatch(".*".join(re.escape(part) for part in _EXPRESSION.split(line.strip())), rendered)
        and _EXPRESSION.sub("", line).strip()
    ]
    return matching[0] if len(matching) == 1 else 0


def _ignition(text: bytes) -> tuple[Made | None, tuple[Fault, ...]]:
    try:
        config, faults = read_config(text)
    except DocumentError as error:
        return None, (error.fault,)
    return Made(config), faults
