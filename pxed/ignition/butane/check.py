"""Butane's own validation of a decoded config: the Validate methods of base/v0_4, v0_5 and v0_8_exp.

In Butane's order: a struct before what is in it, fields in Go's order. Paths are those of the YAML. Configs that are
inlined under ignition.config are parsed and validated as Ignition of the target's own version; local ones are not,
as in Butane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pxed.ignition import spec
from pxed.ignition.butane import modes
from pxed.ignition.butane.decode import Struct
from pxed.ignition.butane.quadlets import EXTENSIONS, base_template
from pxed.ignition.butane.report import Note, Path, error, warning

TOO_MANY_SOURCES = "only one of the following can be set: inline, local, source"
TOO_MANY_CONTENTS = "only one of the following can be set: contents, contents_local"
BAD_EXTENSION = (
    "unsupported file extension for quadlet: must be one of .container, .volume, .network, .kube, .image, .build, "
    ".pod, or .artifact"
)
INSTANCE_WITH_CONTENTS = "template instances cannot have contents or contents_local"
UNKNOWN_VERSION = "skipping validation for the merge/replace ignition config due to an unkown version"
_UNSUPPORTED = "unsupported config version"  # ErrUnknownVersion of Ignition

Value = Mapping[str, Any]
_Check = Callable[[Value, Path, str], Iterator[Note]]


def check(struct: Struct, value: Value, version: str, path: Path = ()) -> Iterator[Note]:
    """Everything that Butane says of a struct that is set, and of all below it; `version` is Ignition's."""
    own = _CHECKS.get(struct.go.partition(".")[2])
    if own is not None:
        yield from own(value, path, version)
    for name, kind, many in struct.nested:
        below = value.get(name)
        if not below:
            continue
        if many:
            for index, item in enumerate(below):
                yield from check(kind, item, version, (*path, name, index))
        else:
            yield from check(kind, below, version, (*path, name))


def _resource(value: Value, path: Path, version: str) -> Iterator[Note]:
    given = [name for name in ("local", "inline", "source") if name in value]
    if len(given) > 1:
        yield error((*path, given[-1]), TOO_MANY_SOURCES)
    elif given == ["inline"] and path[:2] == ("ignition", "config"):
        yield from _inlined(value["inline"], path, version)


def _inlined(text: str, path: Path, version: str) -> Iterator[Note]:
    """A config to merge or to replace with. What is found keeps its path within that config, as in Butane."""
    config, found = spec.read(text.encode(errors="surrogateescape"), version)
    if config is None:
        yield from (Note(finding.severity, finding.path, finding.message) for finding in found)
        yield error((*path, "inline"), "config is not valid")
        return
    problems = spec.validate(config, version)
    if any(problem.message == _UNSUPPORTED for problem in problems):
        yield warning((*path, "version"), UNKNOWN_VERSION)
        return
    for finding in (*problems, *spec.duplicates(config, version)):
        yield Note(finding.severity, finding.path, finding.message)
    for finding in found:
        yield Note(finding.severity, finding.path, finding.message, key=True)


def _filesystem(value: Value, path: Path, version: str) -> Iterator[Note]:
    if not value.get("with_mount_unit"):
        return
    if not value.get("format"):
        yield error((*path, "format"), "format is required if with_mount_unit is true")
    elif value["format"] != "swap" and not value.get("path"):
        yield error((*path, "path"), "path is required if with_mount_unit is true and format is not swap")


def _directory(value: Value, path: Path, version: str) -> Iterator[Note]:
    if "mode" in value and modes.looks_decimal(value["mode"], True):
        yield warning((*path, "mode"), modes.WARNING)


def _file(value: Value, path: Path, version: str) -> Iterator[Note]:
    if "mode" in value and modes.looks_decimal(value["mode"], False):
        yield warning((*path, "mode"), modes.WARNING)


def _tree(value: Value, path: Path, version: str) -> Iterator[Note]:
    if not value.get("local"):
        yield error(path, "local is required")


def _unit(value: Value, path: Path, version: str) -> Iterator[Note]:
    if "contents" in value and "contents_local" in value:
        yield error((*path, "contents_local"), TOO_MANY_CONTENTS)


def _quadlet(value: Value, path: Path, version: str) -> Iterator[Note]:
    name = value.get("name", "")
    if not name.endswith(EXTENSIONS):
        yield error((*path, "name"), BAD_EXTENSION)
    elif base_template(name) is None:
        yield from _unit(value, path, version)
    else:
        for field in ("contents", "contents_local"):
            if field in value:
                yield error((*path, field), INSTANCE_WITH_CONTENTS)


_CHECKS: dict[str, _Check] = {
    "Resource": _resource, "Filesystem": _filesystem, "Directory": _directory, "File": _file, "Tree": _tree,
    "Unit": _unit, "Dropin": _unit, "Quadlet": _quadlet,
}  # fmt: skip
