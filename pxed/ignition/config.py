"""Ignition configs: raw files, and templates rendered per machine. Takes text, opens nothing.

A config is JSON with `ignition.version` (https://coreos.github.io/ignition/specs/): 3.x, or 2.x, which Flatcar converts
itself. Everything is checked when the inventory is loaded, each template once for every machine that would get it, so
that no machine meets a broken config. A file without Jinja2 syntax is handed out byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never
from uuid import UUID

from jinja2 import Template

from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.errors import ConfigError, Problem, PxedError
from pxed.ignition.template import TemplateFaultError, compile_template, has_syntax, render_template
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory, Machine, Profile

_VERSION = re.compile(r"[23]\.\d+\.\d+(-[a-z]+)?")


class IgnitionError(PxedError):
    """A config that cannot be given: the profile has none, or its template fails for this machine."""


@dataclass(frozen=True, slots=True)
class _Raw:
    body: bytes


@dataclass(frozen=True, slots=True)
class _Templated:
    path: Path
    template: Template


@dataclass(frozen=True, slots=True)
class IgnitionConfigs:
    """Every config of one inventory, compiled and checked."""

    _configs: Mapping[Path, _Raw | _Templated] = field(default_factory=dict)
    _root: Path = Path()

    def render(self, match: Match, identity: Identity, endpoint: Endpoint) -> bytes:
        """The config of one machine, for the address that it asked at. Raises IgnitionError."""
        path = _path(match.profile, self._root)
        config = None if path is None else self._configs.get(path)
        if config is None:
            raise IgnitionError(f"profile {match.profile_name} has no Ignition config")
        if isinstance(config, _Raw):
            return config.body
        try:
            text = _render(config, match, identity, endpoint)
        except _ConfigFaultError as fault:
            raise IgnitionError(f"{config.path}:{fault.line}: {fault}") from None
        return text.encode()


class _ConfigFaultError(PxedError):
    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def load_configs(inventory: Inventory, read: Callable[[Path], bytes]) -> IgnitionConfigs:
    """Every config that a profile names, checked for every listed machine. Raises ConfigError with every Problem.

    `read` gives a file's bytes and may raise OSError.
    """
    root = inventory.path.parent
    loader = _Loader(root, read)
    for key, profile in inventory.profiles.items():
        loader.load(f"profiles.{key}.ignition", profile)
    for machine in inventory.machines.values():
        if machine.profile is not None and "ignition" in machine.overrides:
            loader.load(f"machines.{machine.name}.ignition", machine.profile)
    configs = IgnitionConfigs(loader.configs, root)
    problems = [*loader.problems, *_render_all(inventory, loader.configs, root)]
    if problems:
        raise ConfigError(problems)
    return configs


def variables(match: Match, identity: Identity, endpoint: Endpoint) -> dict[str, Any]:
    """What a template sees. Text that is not known is "", so that `{% if machine.serial %}` works."""
    machine = match.machine
    listed = machine.macs if machine else ()
    mac = identity.mac or (listed[0] if listed else "")
    return {
        "machine": {
            "name": match.name,
            "mac": mac,
            "macs": listed or ((mac,) if mac else ()),
            "uuid": _uuid(machine, identity),
            "serial": (machine.serial if machine else None) or identity.serial or "",
            "arch": identity.arch or "",
            "vars": match.vars,
        },
        "server": {"url": endpoint.url},
        "profile": match.profile_name,
    }


class _Loader:
    """Reads and compiles each file once, however many profiles and machines name it."""

    def __init__(self, root: Path, read: Callable[[Path], bytes]) -> None:
        self.configs: dict[Path, _Raw | _Templated] = {}
        self.problems: list[Problem] = []
        self._root = root
        self._read = read
        self._seen: set[Path] = set()

    def load(self, key: str, profile: Profile) -> None:
        path = _path(profile, self._root)
        if path is None or path in self._seen:
            return
        self._seen.add(path)
        try:
            self.configs[path] = _compile(self._read(path), path)
        except OSError as error:
            self.problems.append(Problem(path, 0, 0, key, f"cannot be read: {error.strerror or error}"))
        except _ConfigFaultError as fault:
            self.problems.append(Problem(path, fault.line, fault.column, key, str(fault)))


def _compile(body: bytes, path: Path) -> _Raw | _Templated:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _ConfigFaultError(f"not UTF-8 text: byte {error.start} is {body[error.start]:#04x}") from None
    if not has_syntax(text):
        _validate(text)
        return _Raw(body)
    try:
        return _Templated(path, compile_template(text, path))
    except TemplateFaultError as fault:
        raise _ConfigFaultError(str(fault), fault.line, 1 if fault.line else 0) from None


def _render_all(inventory: Inventory, configs: Mapping[Path, _Raw | _Templated], root: Path) -> Iterator[Problem]:
    """A problem for each machine whose template does not give it a config."""
    endpoint = endpoint_at("255.255.255.255", inventory.server)
    if not any(isinstance(config, _Templated) for config in configs.values()):
        return
    for machine in inventory.machines.values():
        identity = _identity(machine)
        match = resolve(inventory, identity)
        path = _path(match.profile, root) if isinstance(match, Match) else None
        config = configs.get(path) if path else None
        if isinstance(match, Match) and isinstance(config, _Templated):
            try:
                _render(config, match, identity, endpoint)
            except _ConfigFaultError as fault:
                yield Problem(config.path, fault.line, fault.column, f"machines.{machine.name}", str(fault))


def _render(config: _Templated, match: Match, identity: Identity, endpoint: Endpoint) -> str:
    try:
        text = render_template(config.template, variables(match, identity, endpoint))
    except TemplateFaultError as fault:
        raise _ConfigFaultError(
            f"cannot be rendered for {match.name}: {fault}", fault.line, 1 if fault.line else 0
        ) from None
    try:
        _validate(text)
    except _ConfigFaultError as fault:
        excerpt = _excerpt(text, fault.line)
        raise _ConfigFaultError(f"rendered for {match.name}: {fault}{excerpt}") from None
    return text


def _validate(text: str) -> None:
    """Raises _ConfigFaultError unless this is JSON with an Ignition version in it."""
    try:
        config = json.loads(text, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        raise _ConfigFaultError(f"not JSON: {error.msg}", error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise _ConfigFaultError(f"not JSON: {error}") from None
    ignition = config.get("ignition") if isinstance(config, dict) else None
    version = ignition.get("version") if isinstance(ignition, dict) else None
    if version is None:
        raise _ConfigFaultError('no ignition.version in it: an Ignition config has {"ignition": {"version": "3.3.0"}}')
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _ConfigFaultError(f'ignition.version is {version!r}; expected a text like "3.3.0"')


def _not_a_number(name: str) -> Never:
    raise ValueError(f"{name} is no JSON value")


def _excerpt(text: str, line: int) -> str:
    lines = text.split("\n")
    return f" in line {line}: {lines[line - 1].strip()[:80]}" if 0 < line <= len(lines) else ""


def _path(profile: Profile, root: Path) -> Path | None:
    return root / profile.ignition if profile.ignition else None


def _identity(machine: Machine) -> Identity:
    return Identity(
        mac=machine.macs[0] if machine.macs else "",
        uuid=machine.uuid.bytes if machine.uuid else None,
        serial=machine.serial,
    )


def _uuid(machine: Machine | None, identity: Identity) -> str:
    if machine and machine.uuid:
        return str(machine.uuid)
    return str(UUID(bytes=identity.uuid)) if identity.uuid else ""
