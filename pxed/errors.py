"""The errors of pxed. Every error a peer or an operator can cause is one of these and says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class PxedError(Exception):
    """Anything pxed refuses with a plain sentence."""


class DecodeError(PxedError, ValueError):
    """A datagram that does not follow its standard. It is counted and gets no answer."""


class HostError(PxedError):
    """The host does not let pxed run: a busy port, a missing privilege, an absent interface. Says the remedy."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means that the file as a whole is meant."""

    file: Path
    line: int
    column: int
    key: str  # dotted key path, "machines.node1.mac"; "" for the document
    message: str  # what was found, what was expected, the nearest key
    warning: bool = False  # a warning does not stop a load
    unreadable: Path | None = None  # the file that it is about, where that is not there or not to be read

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}"
        key = f"{self.key}: " if self.key else ""
        return f"{where}: {'warning: ' if self.warning else ''}{key}{self.message}"


class ConfigError(PxedError):
    """Every problem of an inventory, at once, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (str(p.file), p.line, p.column))
        super().__init__("\n".join(str(problem) for problem in self.problems))
