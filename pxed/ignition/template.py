"""Jinja2 for Ignition configs: sandboxed, strict about unknown variables, exact about white space.

A template belongs to the operator, but its variables hold what machines say of themselves: values are never templates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from pxed.errors import PxedError

_SYNTAX = re.compile(r"\{\{|\{%|\{#")


class TemplateFaultError(PxedError):
    """A template that does not compile or render. `line` counts from 1; 0 when it is not known."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def has_syntax(text: str) -> bool:
    """Whether anything in the text is Jinja2's; without it the text is served as it is."""
    return _SYNTAX.search(text) is not None


def to_json(value: object) -> str:
    """Filter: a value as JSON, quotes included."""
    return json.dumps(str(value) if isinstance(value, Markup) else value, ensure_ascii=False)


def compile_template(text: str, path: Path) -> Template:
    """The compiled template. Raises TemplateFaultError."""
    try:
        code = _ENVIRONMENT.compile(text, path.name, str(path))
    except TemplateSyntaxError as error:
        hint = "; to write {{ itself, put it between {% raw %} and {% endraw %}" if "{{" in text else ""
        raise TemplateFaultError(f"not a Jinja2 template: {error.message}{hint}", error.lineno) from None
    return Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))


def render_template(template: Template, variables: Mapping[str, Any]) -> str:
    """The text for these variables. Raises TemplateFaultError with the template's line, whatever goes wrong in it."""
    try:
        return template.render(variables)
    except TemplateError as error:
        raise TemplateFaultError(str(error), _line(error.__traceback__, template)) from None
    except Exception as error:
        # A template is a small program: 1 / 0, a missing key, a call that takes no such argument.
        raise TemplateFaultError(f"{type(error).__name__}: {error}", _line(error.__traceback__, template)) from None


def _line(trace: TracebackType | None, template: Template) -> int:
    """The innermost line of the template in a traceback; Jinja2 rewrites its frames to the template's own lines."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, cache_size=0
    )
    environment.filters["to_json"] = to_json
    return environment


_ENVIRONMENT = _environment()
