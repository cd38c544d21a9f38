"""`pxed images prune`: remove the versions that need not stay, or only say which, and why the others stay."""

from __future__ import annotations

import time
from pathlib import Path

from pxed.assets.mirror import lock, retain
from pxed.assets.mirror.events import Removed
from pxed.assets.mirror.index import Key
from pxed.assets.mirror.retain import booting, retention
from pxed.assets.mirror.wording import amount, sentence
from pxed.cli.mirrored import Site, print_json, with_site


def run(config: Path, *, dry_run: bool, as_json: bool, wait: bool) -> int:
    """Prune the mirror; the exit code."""
    return with_site(config, lambda site: _run(site, dry_run=dry_run, as_json=as_json, wait=wait))


def _run(site: Site, *, dry_run: bool, as_json: bool, wait: bool) -> int:
    if not site.mirror_dir.is_dir():
        print_json([]) if as_json else print("nothing is mirrored yet")
        return 0
    index = site.index()
    plan = retention(site.inventory, index, booting(site.mirror_dir, time.time()))
    removed = [release.key for release in plan.drop]
    sizes = {key: sum(file.size for file in release.files.values()) for key, release in index.releases.items()}
    if not dry_run:
        removed = _prune(site, wait=wait, quiet=as_json)
    if as_json:
        print_json([_as_dict(key, size, key in removed, plan.keep.get(key, "")) for key, size in sizes.items()])
        return 0
    if dry_run:
        for key in removed:
            print(f"{' '.join(key)}: would be removed, {amount(sizes[key])}")
    for key, why in sorted(plan.keep.items()):
        print(f"{' '.join(key)}: stays: {why}")
    return 0


def _prune(site: Site, *, wait: bool, quiet: bool) -> list[Key]:
    """Remove, saying each; what was removed."""
    removed: list[Key] = []

    def emit(event: Removed) -> None:
        removed.append((event.channel, event.arch, event.version))
        if not quiet:
            print(sentence(event))

    with lock.writing(site.mirror_dir, wait=wait):
        retain.prune(site.mirror_dir, site.inventory, emit)
    return removed


def _as_dict(key: Key, size: int, remove: bool, why: str) -> dict[str, object]:
    channel, arch, version = key
    return {"channel": channel, "arch": arch, "version": version, "size": size, "remove": remove, "why": why}
