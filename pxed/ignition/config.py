"""The configs of one inventory, made for the machine that asks. Opens nothing itself.

A config is the profile's own file (Butane or Ignition, design section 3), or a base file with the own one merged into
it. What was made is kept for the next request; pxed.ignition.load checks all of them before any machine asks.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pxed.boot.delivery import embeds_config
from pxed.boot.endpoint import Endpoint
from pxed.errors import ConfigError, Problem, PxedError
from pxed.ignition.document import Config, merged
from pxed.ignition.kept import Kept
from pxed.ignition.oem import OemError, oem_config
from pxed.ignition.source import FilesOf, Made, Source
from pxed.ignition.variables import variables
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Profile

MAX_ARCHIVES = 64 << 20  # bytes of initrds kept; with big oem_files one can have 32 MB


class IgnitionError(PxedError):
    """A config that cannot be given: the profile has none, or it cannot be made for this machine."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An initrd with a machine's config and files in it (cpio, gzip), and its SHA-256."""

    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The files that a profile's config is made of, the base first."""

    base: Path | None
    own: Path | None
    files_dir: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.base, self.own) if path is not None)


def recipe_of(profile: Profile) -> Recipe:
    """What the profile's config is made of."""
    return Recipe(profile.ignition_base, profile.butane or profile.ignition, profile.files_dir)


def system_recipe_of(profile: Profile) -> Recipe:
    """What the config of the system that the profile installs is made of."""
    return Recipe(None, profile.installation.butane or profile.installation.ignition, profile.files_dir)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes configs from sources. `files` collects the local files that became part of one."""

    sources: Mapping[Path, Source]
    files_of: FilesOf
    files: set[Path] = field(default_factory=set)

    def texts(self, recipe: Recipe, match: Match, identity: Identity, endpoint: Endpoint) -> dict[Path, bytes]:
        """The rendered texts. Raises ConfigError."""
        seen = variables(match, identity, endpoint)
        return {path: self._source(path).text_for(seen) for path in recipe.paths}

    def parts(self, recipe: Recipe, texts: Mapping[Path, bytes], name: str) -> dict[Path, Made]:
        """The config of each text. Raises ConfigError."""
        made = {
            path: self._source(path).make(text, name, self.files_of, recipe.files_dir) for path, text in texts.items()
        }
        for part in made.values():
            self.files.update(part.files)
        return made

    def same_for_all(self, recipe: Recipe) -> bool:
        """Whether every machine gets the same of this recipe."""
        return all(path in self.sources and self.sources[path].same_for_all for path in recipe.paths)

    def _source(self, path: Path) -> Source:
        if path not in self.sources:
            raise ConfigError([Problem(path, 0, 0, "", "was not loaded")])
        return self.sources[path]


def combined(parts: Mapping[Path, Made]) -> Config:
    """One config of the parts, the later ones merged into the first. Raises ConfigError."""
    (first, *others) = [part.config for part in parts.values()]
    for path, part in parts.items() if others else ():
        if not part.config.mergeable:
            kind = f"Ignition {part.config.spec}" if part.config.spec else "no Ignition config"
            raise ConfigError([Problem(path, 0, 0, "", f"is {kind}; expected Ignition 3, which can be merged")])
    for other in others:
        first = merged(first, other)
    return first


@dataclass(frozen=True, slots=True)
class IgnitionConfigs:
    """What /ignition and /oem hand out."""

    maker: Maker
    extra: Mapping[Path, bytes] = field(default_factory=dict)  # the content of oem_files
    _configs: Kept[Config] = field(default_factory=Kept)
    _archives: Kept[Archive] = field(default_factory=lambda: Kept(MAX_ARCHIVES))

    def kept(self, match: Match, identity: Identity, endpoint: Endpoint) -> Config | None:
        """The config of one machine if it is at hand: no work."""
        return self._configs.get(self._key(match, identity, endpoint))

    def render(self, match: Match, identity: Identity, endpoint: Endpoint) -> Config:
        """The config of one machine, for the address that it asked at. Raises IgnitionError."""
        recipe = recipe_of(match.profile)
        if not recipe.paths:
            raise IgnitionError(f"profile {match.profile_name} has no Ignition config")
        return self._made(recipe, match, identity, endpoint)

    def system(self, match: Match, identity: Identity, endpoint: Endpoint) -> Config | None:
        """The config of the system that is installed on one machine; None where it gets none. Raises IgnitionError."""
        recipe = system_recipe_of(match.profile)
        return self._made(recipe, match, identity, endpoint) if recipe.paths else None

    def _made(self, recipe: Recipe, match: Match, identity: Identity, endpoint: Endpoint) -> Config:
        key = self._key(match, identity, endpoint, recipe)
        config = self._configs.get(key)
        if config is None:
            try:
                config = combined(self._parts(recipe, match, identity, endpoint))
            except ConfigError as error:
                raise IgnitionError(str(error)) from None
            self._configs.put(key, config)
        return config

    def packed(self, match: Match, config: Config) -> Archive:
        """The initrd of one machine with this config in it, whole, and the machine's own files; it is not kept.

        For a config that is one boot's alone. Raises IgnitionError.
        """
        return _archive(self._archived(match, config.body, None))

    def archive(self, match: Match, identity: Identity, endpoint: Endpoint) -> Archive:
        """The initrd of one machine: its config where it is embedded, and its own files. Raises IgnitionError."""
        profile = match.profile
        # Machines that share the config may still differ in these, by overrides of their own.
        what = (profile.ignition_delivery, tuple(profile.oem_files.items()))
        key = (self._key(match, identity, endpoint), what)
        archive = self._archives.get(key)
        if archive is None:
            archive = _archive(self._packed(match, identity, endpoint))
            self._archives.put(key, archive)
        return archive

    def _packed(self, match: Match, identity: Identity, endpoint: Endpoint) -> bytes:
        recipe = recipe_of(match.profile)
        parts: Mapping[Path, Made] = {}
        if embeds_config(match.profile):
            try:
                parts = self._parts(recipe, match, identity, endpoint)
            except ConfigError as error:
                raise IgnitionError(str(error)) from None
        base, own = (parts[path].config.body if path and path in parts else None for path in (recipe.base, recipe.own))
        return self._archived(match, own, base)

    def _archived(self, match: Match, own: bytes | None, base: bytes | None) -> bytes:
        """The initrd of a config, one below it, and the profile's further files."""
        extra = {name: self.extra[path] for name, path in match.profile.oem_files.items() if path in self.extra}
        if own is None and base is None and not extra:
            raise IgnitionError(f"profile {match.profile_name} has nothing to put into an initrd")
        try:
            return oem_config(own, base, extra)
        except OemError as error:
            raise IgnitionError(f"profile {match.profile_name}: {error}") from None

    def _parts(self, recipe: Recipe, match: Match, identity: Identity, endpoint: Endpoint) -> dict[Path, Made]:
        return self.maker.parts(recipe, self.maker.texts(recipe, match, identity, endpoint), match.name)

    def _key(self, match: Match, identity: Identity, endpoint: Endpoint, recipe: Recipe | None = None) -> Hashable:
        recipe = recipe or recipe_of(match.profile)
        if self.maker.same_for_all(recipe):
            return recipe
        return recipe, match.name, match.profile_name, identity, endpoint.url


def _archive(body: bytes) -> Archive:
    return Archive(body, sha256(body).hexdigest())
