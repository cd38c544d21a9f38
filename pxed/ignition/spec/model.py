"""What the Ignition spec package hands around: a config as a plain tree, and findings about it.

A config is a tree of dict, list, str, bool and int, keyed by Ignition's JSON names, that holds only what is set: an
absent key is an unset field, a present zero value is a set one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pxed.errors import PxedError

Path = tuple[str | int, ...]
Tree = Mapping[str, Any]


class Severity(StrEnum):
    """How bad a finding is. Only an error makes Ignition refuse the config."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark, in Ignition's own words. Line and column count from 1 where the text is known; else they are 0."""

    path: Path  # JSON names and list indexes: ("storage", "files", 0, "path")
    severity: Severity
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """As ignition-validate prints it."""
        where = ".".join(("$", *map(str, self.path))) if self.path else ""
        line = f"line {self.line} col {self.column}" if self.line else ""
        at = ", ".join(filter(None, (where, line)))
        return f"{self.severity}{' at ' if at else ''}{at}: {self.message}"


class UnknownSpecError(PxedError):
    """A spec version that this package does not know."""

    def __init__(self, version: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Ignition spec {version} is not known; known are {', '.join(known)}")


def fatal(findings: list[Finding]) -> bool:
    """Whether Ignition would refuse the config."""
    return any(finding.severity is Severity.ERROR for finding in findings)
