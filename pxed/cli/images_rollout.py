"""`pxed images promote|rollback`: what all machines boot from now on. A running daemon follows within a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pxed.assets.mirror.index import Index, change_index
from pxed.assets.mirror.publish import point
from pxed.assets.mirror.rollout import choice, newest, promote, rollback, settled
from pxed.cli.mirrored import Site, print_json, with_site
from pxed.inventory.releases import FlatcarImage

Change = Callable[[str, FlatcarImage, Index], Index]


def run_promote(config: Path, image: str, version: str, as_json: bool) -> int:
    """Let all machines boot `version`, by default the newest; the exit code."""
    return with_site(
        config,
        lambda site: _run(site, image, lambda name, flatcar, index: promote(name, flatcar, index, version), as_json),
    )


def run_rollback(config: Path, image: str, as_json: bool) -> int:
    """Refuse the newest version; the exit code."""
    return with_site(config, lambda site: _run(site, image, rollback, as_json))


def _run(site: Site, name: str, change: Change, as_json: bool) -> int:
    flatcar = site.image(name)
    before = site.index()
    after = change_index(site.mirror_dir, lambda index: change(name, flatcar, index))
    point(site.mirror_dir, site.inventory.images, after)
    refused = after.rollouts[name].refused if name in after.rollouts else ()
    if as_json:
        chosen = choice(name, flatcar, after)
        print_json({"image": name, "version": chosen.version, "staged": chosen.staged, "refused": list(refused)})
        return 0
    now, then = settled(name, flatcar, after), settled(name, flatcar, before)
    print(
        f"image {name}: all machines boot {now}" if now != then else f"image {name}: all machines boot {now} as before"
    )
    gone = newest(name, flatcar, before)
    if gone in refused:
        print(f"image {name}: {gone} is refused from now on; pxed images promote {name} {gone} takes that back")
    return 0
