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
OEM_HINT = ": Butane takes no oem: URL, though Flatcar does: write this config as Ignition (a .ign file)"
VARIANT_HINT = "; expected variant: flatcar with version: 1.0.0 or 1.1.0"
_LINE = re.compile(r"line ([0-9]+): (.+)")
_NO_YAML = "Error unmarshaling yaml: yaml: line "
_VARIANT = re.compile("No translator exists|error parsing v")
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

    def make(self, text: bytes, name: str, files_of: FilesOf, files_dir: Path | None = None) -> Made:
        """The config of a rendered text; `name` is whom it was rendered for. Its local files are in `files_dir`, by
        default the directory it is in itself. Raises ConfigError."""
        here = files_dir or self.path.parent
        made, faults = self._translated(text, files_of, here) if self.is_butane else _ignition(text)
        problems = [_problem(self.path, self._placed(fault, text, name)) for fault in faults]
        if made is None or any(not problem.warning for problem in problems):
            raise ConfigError(problems)
        return Made(made.config, tuple(problems), made.files)

    def _translated(self, text: bytes, files_of: FilesOf, files_dir: Path) -> tuple[Made | None, tuple[Fault, ...]]:
        result = butane.translate(text, files=files_of(files_dir))
        faults = tuple(
            Fault(entry.line, entry.column, _message(entry, text), entry.severity != "error")
            for entry in result.entries
            if entry.severity != "info"
        )
        files = tuple(files_dir / name for name in result.local_files)
        if result.output is None:
            return None, faults or unplaced(result.error)
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


def read_source(path: Path, body: bytes, *, is_butane: bool) -> Source:
    """A file, compiled. Raises ConfigError for what is no template."""
    if not is_butane and is_no_ignition(body):
        return Source(path, body, is_butane)
    try:
        text = body.decode()
        template = compile_template(text, path) if has_syntax(text) else None
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: byte {error.start} is {body[error.start]:#04x}"
        raise ConfigError([_problem(path, Fault(0, 0, what))]) from None
    except TemplateFaultError as fault:
        raise ConfigError([_problem(path, Fault(fault.line, min(fault.line, 1), str(fault)))]) from None
    return Source(path, body, is_butane, template)


def _problem(path: Path, fault: Fault) -> Problem:
    return Problem(path, fault.line, fault.column, "", fault.message, fault.warning)


def _message(entry: butane.Entry, text: bytes) -> str:
    """What is wrong at a place, and what to do where Butane's own words do not say it."""
    line = text.splitlines()[entry.line - 1] if 0 < entry.line <= text.count(b"\n") + 1 else b""
    hint = OEM_HINT if entry.message == "invalid url scheme" and b"oem:" in line else ""
    return f"{entry.path}: {entry.message}{hint}"


def unplaced(error: str) -> tuple[Fault, ...]:
    """Faults of Butane's error text for what is no YAML or of a wrong type: each line that it names is one."""
    lines = [(int(found[1]), found[2]) for found in _LINE.finditer(error)]
    if not lines:
        return (Fault(0, 0, f"{error}{VARIANT_HINT if _VARIANT.match(error) else ''}"),)
    return tuple(Fault(line, 1, f"{'not YAML: ' if error.startswith(_NO_YAML) else ''}{text}") for line, text in lines)


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
