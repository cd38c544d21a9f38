"""How a rule of the spec is written: a function of one struct that yields what it finds wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pxed.ignition.spec.gotext import clean
from pxed.ignition.spec.model import Finding, Path, Severity, Tree

Rule = Callable[[Tree, Path, int], Iterator[Finding]]  # the struct, where it stands, the spec's minor version

NO_SUCH_URL = "unable to parse url"
NO_SUCH_SCHEME = "invalid url scheme"
NO_DEVICE = "disk device is required"


def error(at: Path, message: str) -> Iterator[Finding]:
    """An error, if there is a message."""
    if message:
        yield Finding(at, Severity.ERROR, message)


def warning(at: Path, message: str) -> Iterator[Finding]:
    """A warning, if there is a message."""
    if message:
        yield Finding(at, Severity.WARNING, message)


def path_fault(path: str) -> str:
    """What is wrong with a path that must be absolute and in its shortest form; nothing if it is right."""
    if not path:
        return "path not specified"
    if not path.startswith("/"):
        return "path not absolute"
    return "" if clean(path) == path else "path is not fully simplified"
