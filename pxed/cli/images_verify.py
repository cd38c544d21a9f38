"""`pxed images verify`: digests and signatures of everything in the mirror, read again. Exit code 1: one is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from pxed.assets.mirror.index import Key
from pxed.assets.mirror.signatures import Keyring
from pxed.assets.mirror.verify import Checked, verify
from pxed.assets.mirror.wording import amount
from pxed.cli.mirrored import Site, print_json, with_site


def run(config: Path, as_json: bool) -> int:
    """Check all releases; the exit code."""
    return with_site(config, lambda site: _run(site, as_json))


def _run(site: Site, as_json: bool) -> int:
    checked: list[Checked] = []

    def told(one: Checked) -> None:
        checked.append(one)
        if one.problem:
            print(f"{' '.join(one.key)}: {one.file}: {one.problem}", file=sys.stderr)

    if site.index().releases:
        verify(site.mirror_dir, Keyring.load(site.inventory.server.mirror), told)
    if as_json:
        problems = [_as_dict(one) for one in checked if one.problem]
        print_json({"releases": [list(key) for key in _releases(checked)], "problems": problems})
    else:
        _print(checked)
    return 1 if any(one.problem for one in checked) else 0


def _print(checked: list[Checked]) -> None:
    for key in _releases(checked):
        files = [one for one in checked if one.key == key]
        wrong = sum(bool(one.problem) for one in files)
        what = f"{wrong} of {len(files)} files are wrong" if wrong else f"{len(files)} files are right"
        served = ", no longer served: pxed images sync brings it again" if any(one.damaged for one in files) else ""
        print(f"{' '.join(key)}: {what}, {amount(sum(one.size for one in files))}{served}")
    if not checked:
        print("nothing is mirrored yet")


def _releases(checked: list[Checked]) -> list[Key]:
    return list(dict.fromkeys(one.key for one in checked))


def _as_dict(one: Checked) -> dict[str, object]:
    channel, arch, version = one.key
    return {
        "channel": channel,
        "arch": arch,
        "version": version,
        "file": one.file,
        "problem": one.problem,
        "damaged": one.damaged,
    }
