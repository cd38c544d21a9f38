"""`pxed check`: everything that can be wrong with an inventory, before a machine meets it. Exit code 1 for an error."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pxed.assets.library import Asset, AssetError, Library
from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.index import Index, load_index
from pxed.assets.mirror.rollout import newest
from pxed.boot.images import boot_files
from pxed.boot.lint import notes
from pxed.boot.loaders import DEFAULT_LOADERS
from pxed.cli import check_host
from pxed.cli.credentials import credential_notes, hidden_keys
from pxed.errors import ConfigError, Problem
from pxed.ignition.load import profiles_of
from pxed.inventory.loader import load, located
from pxed.inventory.model import Boot, Inventory
from pxed.inventory.targets import IMPLIED, target_of
from pxed.server.host.loaders import USUAL
from pxed.server.load import load_snapshot


def run(config: Path, as_json: bool, host: bool = False) -> int:
    """Print the problems, or what is fine, and what of this host is wrong; the exit code."""
    inventory: Inventory | None = None
    files: Iterable[Path] = ()
    try:
        inventory = load(config)
        snapshot = load_snapshot(config)
        files = snapshot.files
        found_here = [*missing_files(inventory), *certificate_problems(inventory)]
        hidden = hidden_keys(inventory)
        problems = [p for p in (*snapshot.warnings, *located(found_here, inventory.path)) if p.key not in hidden]
    except ConfigError as error:
        problems = error.problems
    remarks = located([*notes(inventory), *credential_notes(inventory)], inventory.path) if inventory else []
    findings = check_host.findings(inventory, config, files) if host else []
    errors = sum(not problem.warning for problem in problems)
    if as_json:
        found = [*(_as_dict(one) for one in problems), *(_as_dict(one, "note") for one in remarks)]
        print(json.dumps([*found, *check_host.as_dicts(findings)], indent=2))
    else:
        _print(problems, remarks, inventory, errors)
        if host:
            check_host.show(findings, looked=inventory is not None)
    return 1 if errors or check_host.fatal(findings) else 0


def missing_files(inventory: Inventory) -> Iterator[Problem]:
    """A warning for each file that a boot would ask for in vain: it may still arrive, so it stops no start."""
    library = Library(inventory.server.data_dir)
    yield from _not_mirrored(inventory)
    for name, image in inventory.images.items():
        for file in boot_files(image) if image.flatcar is None else ():
            if not file.remote:
                yield from _missing(library.image, file.source, inventory, f"images.{name}.{file.role}")
    for key, loader in _wanted_loaders(inventory):
        yield from _missing(library.loader, loader, inventory, key)


def certificate_problems(inventory: Inventory) -> Iterator[Problem]:
    """What is wrong with the certificate of the HTTPS listener: an error stops a start, as it does here."""
    settings = inventory.server.http.tls
    if settings is None:
        return
    from pxed.server.interfaces import Interfaces
    from pxed.server.tlscheck import remarks

    interfaces = Interfaces(inventory.server)
    interfaces.refresh()
    for remark in remarks(settings, interfaces.addresses()):
        key = f"server.http.tls.{remark.field}"
        yield Problem(inventory.path, 0, 0, key, remark.sentence, warning=not remark.fatal)


def _not_mirrored(inventory: Inventory) -> Iterator[Problem]:
    mirror = inventory.server.data_dir / "mirror"
    releases = {name: image.flatcar for name, image in inventory.images.items() if image.flatcar is not None}
    try:
        index = load_index(mirror) if releases else Index()
    except MirrorError as error:
        yield Problem(inventory.path, 0, 0, "images", str(error), warning=True)
        return
    yield from _key_file(inventory) if releases else ()
    for name, flatcar in releases.items():
        if not newest(name, flatcar, index):
            what = f"{flatcar.channel} {flatcar.version} for {flatcar.arch} is not mirrored yet: run pxed images sync"
            yield Problem(inventory.path, 0, 0, _naming(inventory, name), what, warning=True)


def _naming(inventory: Inventory, image: str) -> str:
    """The field that names an image's release: an installation's for one that is in the inventory by that only."""
    for key, profile in profiles_of(inventory) if image.startswith(IMPLIED) else ():
        target = target_of(profile, inventory.images) if profile.boot is Boot.INSTALL else None
        if target is not None and target.image == image:
            machine = inventory.machines.get(key.removeprefix("machines.")) if key.startswith("machines.") else None
            of_profile = machine is not None and machine.profile_name and "install" not in machine.overrides
            place = f"profiles.{machine.profile_name}" if machine is not None and of_profile else key
            return f"{place}.install.{'channel' if profile.installation.version is None else 'version'}"
    return f"images.{image}.flatcar"


def _key_file(inventory: Inventory) -> Iterator[Problem]:
    from pxed.assets.mirror.signatures import Keyring  # OpenPGP takes longer to import than all the rest

    settings = inventory.server.mirror
    try:
        Keyring.load(settings)
    except MirrorError as error:
        field = "key" if settings.key else "fingerprint"
        yield Problem(inventory.path, 0, 0, f"server.mirror.{field}", f"{error}; nothing new is mirrored", warning=True)


def _wanted_loaders(inventory: Inventory) -> Iterator[tuple[str, str]]:
    overrides = inventory.server.loaders
    for key in dict.fromkeys((*USUAL, *overrides)):
        yield f"server.loaders.{key}", overrides.get(key, DEFAULT_LOADERS[key])
    for name, profile in inventory.profiles.items():
        if profile.loader:
            yield f"profiles.{name}.loader", profile.loader
    for machine in inventory.machines.values():
        if "loader" in machine.overrides and machine.profile is not None and machine.profile.loader:
            yield f"machines.{machine.name}.loader", machine.profile.loader


def _missing(look_up: Callable[[str], Asset], name: str, inventory: Inventory, key: str) -> Iterator[Problem]:
    try:
        look_up(name)
    except AssetError as error:
        yield Problem(inventory.path, 0, 0, key, str(error), warning=True)


def _as_dict(problem: Problem, severity: str = "") -> dict[str, object]:
    severity = severity or ("warning" if problem.warning else "error")
    fields = {name: value for name, value in dataclasses.asdict(problem).items() if name != "unreadable"}
    return {**fields, "file": str(problem.file), "severity": severity}


def _print(problems: list[Problem], remarks: list[Problem], inventory: Inventory | None, errors: int) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    for remark in remarks:
        print(str(remark).replace(": warning: ", ": note: ", 1))
    warnings = _counted(len(problems) - errors, "warning")
    if errors or inventory is None:
        print(f"{_counted(errors, 'error')}, {warnings}", file=sys.stderr)
        return
    print(
        f"{inventory.path}: {len(inventory.machines)} machines, {len(inventory.profiles)} profiles, "
        f"{len(inventory.images)} images; no errors, {warnings}"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
