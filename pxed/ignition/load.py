"""Loads every config of an inventory and makes each once for every machine that would get it, so that no machine meets
a broken one. Takes bytes from `read` and `files_of`, opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pxed.boot.delivery import embeds_config
from pxed.boot.endpoint import endpoint_at
from pxed.errors import ConfigError, Problem
from pxed.ignition.compose import refusals
from pxed.ignition.config import IgnitionConfigs, Maker, Recipe, combined, recipe_of, system_recipe_of
from pxed.ignition.document import Config
from pxed.ignition.oem import OemError, oem_config
from pxed.ignition.source import BUTANE_SUFFIXES, FilesOf, Source, read_source
from pxed.ignition.variables import listed_identity
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Boot, Inventory, Machine, Profile
from pxed.inventory.profile import CONFIG_FILES, NAMING_FILES
from pxed.inventory.targets import target_of

MAX_EXTRA = 32 << 20  # bytes of one of oem_files: it is packed in memory; bigger ones belong into an image's initrd
# The address in what is made at load, when no machine has asked yet.
_ANYWHERE = "255.255.255.255"
Read = Callable[[Path], bytes]
# Key, for whom, its config, and whether that is of the system that it installs.
Inspect = Callable[[str, Match, Config, bool], Iterable[Problem]]


def load_configs(
    inventory: Inventory, read: Read, files_of: FilesOf, inspect: Inspect | None = None
) -> tuple[IgnitionConfigs, list[Problem]]:
    """Every config, checked for every listed machine, and the warnings. Raises ConfigError with every Problem."""
    configs, problems = read_configs(inventory, read, files_of)
    checker = Checker(inventory, configs.maker, inspect)
    problems += checker.profiles()
    for machine in checker.machines():
        problems += checker.machine(machine)
    return configs, without_errors(problems)


def read_configs(inventory: Inventory, read: Read, files_of: FilesOf) -> tuple[IgnitionConfigs, list[Problem]]:
    """Every file read and compiled, nothing made of it yet; and what is wrong with them."""
    loader = _Loader(read)
    for key, profile in profiles_of(inventory):
        loader.load(key, profile)
    return IgnitionConfigs(Maker(loader.sources, files_of), loader.extra), loader.problems


def without_errors(problems: Iterable[Problem]) -> list[Problem]:
    """The warnings, each once. Raises ConfigError when there is an error among them."""
    once = list(dict.fromkeys(problems))
    if any(not problem.warning for problem in once):
        raise ConfigError(once)
    return once


def profiles_of(inventory: Inventory) -> Iterator[tuple[str, Profile]]:
    """Each profile, and each machine's own version of one, with its key path."""
    for name, profile in inventory.profiles.items():
        yield f"profiles.{name}", profile
    for machine in inventory.machines.values():
        if machine.overrides and (match := _match(inventory, machine)):
            yield f"machines.{machine.name}", match.profile


class _Made(NamedTuple):
    """One of a profile's configs."""

    recipe: Recipe
    installed: bool  # it is that of the system on the disk


def _configs_of(profile: Profile) -> Iterator[_Made]:
    """The config of what is booted, and that of what is installed, where the profile has them."""
    for recipe, installed in ((recipe_of(profile), False), (system_recipe_of(profile), True)):
        if recipe.paths:
            yield _Made(recipe, installed)


@dataclass(slots=True)
class Checker:
    """Makes configs to see what is wrong with them. `good` gets the digests of those that are right.

    `known` are the digests that another check found right: what has one of them is not made again.
    """

    inventory: Inventory
    maker: Maker
    inspect: Inspect | None = None
    known: Collection[bytes] = ()
    good: set[bytes] = field(default_factory=set)
    _profile_digests: dict[int, bytes] = field(default_factory=dict)

    def profiles(self) -> Iterator[Problem]:
        """What is wrong with configs that are the same for all machines of a profile."""
        for key, profile in profiles_of(self.inventory):
            yield from self._archive(key, profile)
            name = key.partition(".")[2]
            match = Match(name, None, name, profile, MappingProxyType({}), "")
            for made in _configs_of(profile):
                if self.maker.same_for_all(made.recipe):
                    yield from self._check(key, match, Identity(), made)

    def machines(self) -> list[Machine]:
        """Those whose config is their own."""
        return [machine for machine in self.inventory.machines.values() if any(True for _ in self._own(machine))]

    def machine(self, machine: Machine) -> list[Problem]:
        """What is wrong with one machine's config."""
        key, identity = f"machines.{machine.name}", listed_identity(machine)
        return [problem for match, made in self._own(machine) for problem in self._check(key, match, identity, made)]

    def _archive(self, key: str, profile: Profile) -> Iterator[Problem]:
        """What keeps the profile's further files from being in one initrd, beside its configs."""
        recipe = recipe_of(profile)
        if not profile.oem_files:
            return
        embedded = embeds_config(profile)
        own, base = (b"" if path and embedded else None for path in (recipe.own, recipe.base))
        try:
            oem_config(own, base, dict.fromkeys(profile.oem_files, b""))
        except OemError as error:
            yield Problem(self.inventory.path, 0, 0, f"{key}.oem_files", str(error))

    def _own(self, machine: Machine) -> Iterator[tuple[Match, _Made]]:
        """Those of a machine's configs that are not the same for others."""
        match = _match(self.inventory, machine)
        for made in _configs_of(match.profile) if match is not None else ():
            if match is not None and not self.maker.same_for_all(made.recipe):
                yield match, made

    def _check(self, key: str, match: Match, identity: Identity, made: _Made) -> Iterator[Problem]:
        endpoint = endpoint_at(_ANYWHERE, self.inventory.server)
        try:
            texts = self.maker.texts(made.recipe, match, identity, endpoint)
            digest = self._digest(match.profile, texts, made)
            if digest in self.good or digest in self.known:
                self.good.add(digest)
                return
            parts = self.maker.parts(made.recipe, texts, match.name)
            config = combined(parts)
        except ConfigError as error:
            # A file that cannot be read at all is a problem already, of the file and not of this machine.
            yield from (replace(problem, key=key) for problem in error.problems if problem.file in self.maker.sources)
            return
        problems = [replace(problem, key=key) for part in parts.values() for problem in part.warnings]
        problems += self._refusals(key, match.profile, config, made)
        if self.inspect is not None:
            problems += self.inspect(key, match, config, made.installed)
        if not problems and not any(part.files for part in parts.values()):
            self.good.add(digest)
        yield from problems

    def _refusals(self, key: str, profile: Profile, config: Config, made: _Made) -> Iterator[Problem]:
        """What keeps the installer or the reports out of a config."""
        installs = profile.boot is Boot.INSTALL and target_of(profile, self.inventory.images) is not None
        for name, text in refusals(profile, config, installed=made.installed, installs=installs):
            yield Problem(self.inventory.path, 0, 0, f"{key}.{name}", text)

    def _digest(self, profile: Profile, texts: dict[Path, bytes], made: _Made) -> bytes:
        digest = sha256(self._profile_digest(profile) + b"%d" % made.installed)
        for path, text in texts.items():
            digest.update(b"%s\0%d\0%s" % (bytes(path), len(text), text))
        return digest.digest()

    def _profile_digest(self, profile: Profile) -> bytes:
        known = self._profile_digests.get(id(profile))
        if known is None:
            known = self._profile_digests[id(profile)] = sha256(profile.model_dump_json().encode()).digest()
        return known


class _Loader:
    """Reads and compiles each file once, however many profiles and machines name it."""

    def __init__(self, read: Read) -> None:
        self.sources: dict[Path, Source] = {}
        self.extra: dict[Path, bytes] = {}
        self.problems: list[Problem] = []
        self._seen: set[tuple[str, Path]] = set()
        self._read = read

    def load(self, key: str, profile: Profile) -> None:
        for name in NAMING_FILES:
            path = getattr(profile, name)
            if path is not None and self._is_new("config", path):
                self._source(f"{key}.{name}", path, name == "butane" or _is_butane(name, path))
        for name in CONFIG_FILES:
            path = getattr(profile.installation, name)
            if path is not None and self._is_new("config", path):
                self._source(f"{key}.install.{name}", path, name == "butane")
        for name, path in profile.oem_files.items():
            if self._is_new("file", path):
                self._extra(f"{key}.oem_files.{name}", path)

    def _source(self, key: str, path: Path, is_butane: bool) -> None:
        try:
            self.sources[path] = read_source(path, self._read(path), is_butane=is_butane)
        except OSError as error:
            self._unreadable(key, path, error)
        except ConfigError as error:
            self.problems += [replace(problem, key=key) for problem in error.problems]

    def _extra(self, key: str, path: Path) -> None:
        try:
            body = self._read(path)
        except OSError as error:
            self._unreadable(key, path, error)
            return
        self.extra[path] = body
        if len(body) > MAX_EXTRA:
            what = f"has {len(body)} bytes; expected at most {MAX_EXTRA}: give it as an initrd of the image"
            self.problems.append(Problem(path, 0, 0, key, what))

    def _unreadable(self, key: str, path: Path, error: OSError) -> None:
        self.problems.append(Problem(path, 0, 0, key, f"cannot be read: {error.strerror or error}", unreadable=path))

    def _is_new(self, kind: str, path: Path) -> bool:
        known = (kind, path) in self._seen
        self._seen.add((kind, path))
        return not known


def _is_butane(field_name: str, path: Path) -> bool:
    return field_name == "ignition_base" and path.suffix.lower() in BUTANE_SUFFIXES


def _match(inventory: Inventory, machine: Machine) -> Match | None:
    match = resolve(inventory, listed_identity(machine))
    return match if isinstance(match, Match) else None
