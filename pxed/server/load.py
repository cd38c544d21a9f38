"""From the inventory's path to a snapshot that can be served. What can be wrong is found here, before it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pxed.assets.filesdir import FilesDir
from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import load_index
from pxed.assets.mirror.rollout import newest
from pxed.boot.lint import command_line_problems, flatcar_release, profile_findings
from pxed.errors import Problem
from pxed.ignition.document import Config, tree_of
from pxed.ignition.lint import Severity, config_findings
from pxed.ignition.load import Checker, Inspect, read_configs, without_errors
from pxed.inventory.loader import load, located
from pxed.inventory.lookup import Match
from pxed.inventory.model import Inventory
from pxed.inventory.profile import CONFIG_FILES, NAMING_FILES
from pxed.inventory.targets import target_of
from pxed.server.apitoken import token_problems
from pxed.server.live import Snapshot


def load_snapshot(
    path: Path, generation: int = 1, *, known: Collection[bytes] = (), at_once: int | None = None
) -> Snapshot:
    """The snapshot of the inventory at `path`. Raises ConfigError with every problem.

    `known` are digests of configs that an earlier load found right. `at_once` bounds how many machines' own configs are
    made before it returns; the others are `unchecked`.
    """
    inventory = load(path)
    versions = booted_versions(inventory)
    problems = [*command_line_problems(inventory), *profile_findings(inventory, versions)]
    configs, found = read_configs(inventory, Path.read_bytes, FilesDir)
    checker = Checker(inventory, configs.maker, _inspector(inventory, versions), known)
    problems += [*found, *checker.profiles(), *token_problems(inventory)]
    machines = checker.machines()
    for machine in machines[:at_once]:
        problems += checker.machine(machine)
    warnings = without_errors(located(problems, path))
    return Snapshot(
        inventory,
        configs,
        generation,
        warnings=(*inventory.warnings, *warnings),
        unchecked=tuple(machines[len(machines[:at_once]) :]),
        good=checker.good,
    )


def checker_of(snapshot: Snapshot) -> Checker:
    """What checks the machines that a load has left unchecked."""
    inventory, maker = snapshot.inventory, snapshot.configs.maker
    return Checker(inventory, maker, _inspector(inventory, booted_versions(inventory)), good=snapshot.good)


def booted_versions(inventory: Inventory) -> dict[str, str]:
    """The newest mirrored version of each image that follows a channel; empty when the mirror cannot be read."""
    try:
        index = load_index(inventory.server.data_dir / "mirror")
    except MirrorError:
        return {}
    images = {name: image.flatcar for name, image in inventory.images.items() if image.flatcar is not None}
    versions = {name: newest(name, flatcar, index) for name, flatcar in images.items() if flatcar.follows}
    return {name: version for name, version in versions.items() if version}


def _inspector(inventory: Inventory, versions: Mapping[str, str]) -> Inspect:
    def inspect(key: str, match: Match, config: Config, installed: bool) -> Iterator[Problem]:
        target = target_of(match.profile, inventory.images) if installed else None
        name = target.image if target else match.profile.image or ""
        image = inventory.images.get(name)
        release = flatcar_release(name, image, versions) if image else None
        if release is None or not config.spec:
            return
        for finding in config_findings(tree_of(config), profile=match.profile, flatcar=release, installed=installed):
            warning = finding.severity is Severity.WARNING
            yield Problem(inventory.path, 0, 0, _config_key(key, match, installed), finding.sentence, warning)

    return inspect


def _config_key(key: str, match: Match, installed: bool) -> str:
    """The field that names the config: the machine's own where it has one, else its profile's."""
    profile, overrides = match.profile, match.machine.overrides if match.machine is not None else {}
    holder, names = (profile.installation, CONFIG_FILES) if installed else (profile, NAMING_FILES)
    field = next((name for name in names if getattr(holder, name)), "")
    own = match.machine is not None and any(name in overrides for name in (("install",) if installed else names))
    place = key if own or match.machine is None else f"profiles.{match.profile_name}"
    return f"{place}.{'install.' if installed else ''}{field}"
