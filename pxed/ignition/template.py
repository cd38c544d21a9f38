"""Jinja2 for Ignition configs: sandboxed, strict about unknown variables, exact about white space, bounded in size.

A template belongs to the operator, but its variables hold what machines say of themselves: values are never templates.
Left out: a bound of the time that a template takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from pxed.errors import PxedError

MAX_TEXT = 32 << 20  # characters of one rendered config
_MAX_BITS = 4096  # of a number
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
    except (ValueError, OverflowError, MemoryError, RecursionError, SyntaxError) as error:
        # What Python's own compiler makes of the code: too deep, a constant that is too big.
        raise TemplateFaultError(f"not a Jinja2 template: {type(error).__name__}: {error}", 0) from None
    return Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))


def render_template(template: Template, variables: Mapping[str, Any]) -> str:
    """The text for these variables. Raises TemplateFaultError with the template's line, whatever goes wrong in it."""
    try:
        return _bounded(template, variables)
    except TemplateFaultError:
        raise
    except TemplateError as error:
        raise TemplateFaultError(str(error), _line(error.__traceback__, template)) from None
    except Exception as error:
        # A template is a small program: 1 / 0, a missing key, a call that takes no such argument.
        raise TemplateFaultError(f"{type(error).__name__}: {error}", _line(error.__traceback__, template)) from None


def _bounded(template: Template, variables: Mapping[str, Any]) -> str:
    pieces, size = [], 0
    for piece in template.generate(variables):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_TEXT:
            raise TemplateFaultError(f"makes more than {MAX_TEXT >> 20} MiB of text", 0)
    return "".join(pieces)


def _line(trace: TracebackType | None, template: Template) -> int:
    """The innermost line of the template in a traceback; Jinja2 rewrites its frames to the template's own lines."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class _NoFiles(BaseLoader):
    def get_source(self, environment: Environment, template: str) -> NoReturn:
        raise TemplateError("a template can take in no other file: use ignition_base, or local files of Butane")


class _Environment(ImmutableSandboxedEnvironment):
    """Products are looked at before they are made: 'x' * 10 ** 10 is one short expression."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operator. Raises SecurityError for one that is too big."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            big = left.bit_length() * right > _MAX_BITS
        else:
            sizes = [len(one) if hasattr(one, "__len__") else one for one in (left, right)]
            big = isinstance(left, int) != isinstance(right, int) and _product(*sizes) > MAX_TEXT
        if big:
            raise SecurityError(f"the result of {operator} is too big")
        return super().call_binop(context, operator, left, right)


def _product(left: Any, right: Any) -> int:
    return left * right if isinstance(left, int) and isinstance(right, int) else 0


def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Environment(
        loader=_NoFiles(), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, cache_size=0
    )
    environment.filters["to_json"] = to_json
    return environment


_ENVIRONMENT = _environment()
