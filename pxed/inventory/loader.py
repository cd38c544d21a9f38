"""YAML text -> Inventory, or ConfigError with every problem at once.

The fast way keeps no places. Only when something is wrong is the text read a second time, with places.
"""

from __future__ import annotations

import codecs
import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pxed.errors import ConfigError, Problem
from pxed.inventory import indexes, selectors
from pxed.inventory.checks import checks
from pxed.inventory.draft import Draft, Listed, drafted
from pxed.inventory.effective import profiles_in_use
from pxed.inventory.messages import Complaint
from pxed.inventory.model import Group, Inventory, Machine, Profile, Server
from pxed.inventory.places import Marked, dotted, path_of
from pxed.inventory.profile import named_files, with_overrides
from pxed.inventory.targets import implied
from pxed.inventory.yamltext import Faulty, read, read_marked


def load(path: Path) -> Inventory:
    """The inventory in a file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        message = f"cannot read the inventory: {error.strerror or error}"
        raise ConfigError([Problem(path, 0, 0, "", message, unreadable=path)]) from None
    except ValueError as error:  # a NUL in the name
        raise ConfigError([Problem(path, 0, 0, "", f"cannot read the inventory: {error}")]) from None
    try:
        raw = raw.removeprefix(codecs.BOM_UTF8)
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"found the byte 0x{raw[error.start]:02x}, expected UTF-8 text: {error.reason}"
        raise ConfigError([Problem(path, line, column, "", message)]) from None
    return loads(text, path)


def loads(text: str, path: Path) -> Inventory:
    """The inventory in a text that stands for the file `path`: relative paths start from its directory."""
    with _without_collector():
        try:
            draft, inventory = _assembled(read(text), path)
        except Faulty:
            return _explained(text, path)
        return inventory if not draft.complaints else _explained(text, path)


def located(problems: Iterable[Problem], path: Path) -> list[Problem]:
    """Problems of the inventory at `path` that only have a key, with the place of that key in the file."""
    found = list(problems)
    if not any(problem.line == 0 and problem.key for problem in found):
        return found
    marked = read_marked(path.read_text(encoding="utf-8-sig"))
    return [_with_place(problem, marked) if problem.file == path else problem for problem in found]


def _with_place(problem: Problem, marked: Marked) -> Problem:
    if problem.line or not problem.key:
        return problem
    (line, column), _ = marked.locate(path_of(marked.data, problem.key), at_key=True)
    return replace(problem, line=line, column=column)


@contextmanager
def _without_collector() -> Iterator[None]:
    """10,000 machines are 200,000 new objects without a cycle: 0.27 s instead of 0.31 beside the imported daemon."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _explained(text: str, path: Path) -> Inventory:
    """The slow way: every problem with its place, and the inventory only if there are none but warnings."""
    marked = read_marked(text)
    problems = [Problem(path, *fault.place, dotted(fault.path), fault.message) for fault in marked.faults]
    if not marked.readable:
        raise ConfigError(problems)
    draft, inventory = _assembled(marked.data, path)
    problems += [_problem(complaint, marked, path) for complaint in dict.fromkeys(draft.complaints)]
    if any(not problem.warning for problem in problems):
        raise ConfigError(problems)
    object.__setattr__(inventory, "warnings", tuple(problems))
    return inventory


def _problem(complaint: Complaint, marked: Marked, path: Path) -> Problem:
    (line, column), depth = marked.locate(complaint.path, complaint.at_key)
    message = complaint.message
    if complaint.see is not None:
        message = message.replace("%s", str(marked.locate(complaint.see)[0][0]), 1)
    missing = complaint.path[depth:]
    below_scalar = missing and isinstance(missing[0], int)  # "mac: X" stands for "mac: [X]"
    key = complaint.path[:depth] if below_scalar else complaint.path
    if not complaint.path and marked.data is None:
        line = column = 0
    return Problem(path, line, column, dotted(key), message, complaint.warning, complaint.unreadable)


def _assembled(data: Any, path: Path) -> tuple[Draft, Inventory]:
    """The draft with all its complaints, and the inventory of what is valid."""
    draft = drafted(data, path.absolute().parent)
    installing = (profile for _, profile in profiles_in_use(draft, "image", "boot", "install"))
    draft.installable = draft.images | implied(installing, draft.images)
    compiled = {position: _compiled(group) for position, group in draft.groups.items()}
    draft.complaints += checks(draft, compiled)
    machines = {name: _machine(name, entry, draft.profiles) for name, entry in draft.machines.items()}
    built, clashes = indexes.build(machines.values(), tuple(compiled.values()))
    draft.complaints += [Complaint(clash.path, clash.message, see=clash.first) for clash in clashes]
    inventory = Inventory(
        server=draft.server or Server(),
        images=draft.installable,
        profiles=draft.profiles,
        groups=tuple(draft.groups.values()),
        machines=machines,
        path=path,
        sources=_sources(draft, path),
        indexes=built,
    )
    return draft, inventory


def _compiled(group: Group) -> selectors.Compiled:
    match = group.match
    return selectors.compiled(match.mac, match.uuid, match.serial, match.arch)


def _machine(name: str, entry: Listed, profiles: Mapping[str, Profile]) -> Machine:
    profile = profiles.get(entry.profile) if entry.profile is not None else None
    if profile is not None:
        profile = with_overrides(profile, entry.overrides)
    return Machine(
        name, entry.macs, entry.uuid, entry.serial, entry.profile, profile, entry.overrides, entry.vars, entry.asset_tag
    )


def _sources(draft: Draft, path: Path) -> tuple[Path, ...]:
    """Files whose change means a reload, each once."""
    files: dict[Path, None] = {path: None}
    overriding = [listed.overrides for listed in draft.machines.values() if listed.overrides]
    for given in (*[profile.given() for profile in draft.profiles.values()], *overriding):
        install = given["install"].given() if "install" in given else {}
        files.update(dict.fromkeys(file for one in (given, install) for file in named_files(one).values()))
    return tuple(files)
