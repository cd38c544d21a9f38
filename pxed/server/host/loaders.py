"""Rules about boot loaders: each architecture that the inventory has machines of needs its file."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from pxed.architecture import Architecture, name_of
from pxed.assets.library import AssetError, Library
from pxed.boot.loaders import DEFAULT_LOADERS, LOADER_KEY
from pxed.inventory.model import Inventory, LoaderKey
from pxed.server.host.wordings import Code, Finding, finding

USUAL: tuple[LoaderKey, ...] = ("bios", "efi64")  # what Debian's ipxe package has; others need a file of the operator's
_KEY_OF_RELEASE: dict[str, LoaderKey] = {"arm64": "arm64"}  # of Flatcar's architectures; amd64 is usual


def loader_findings(inventory: Inventory) -> list[Finding]:
    """A boot loader that is not there, in data_dir or by a package."""
    library, overrides = Library(inventory.server.data_dir), inventory.server.loaders
    missing = {
        key: file for key in wanted(inventory) if not _has(library, file := overrides.get(key, DEFAULT_LOADERS[key]))
    }
    return judged(missing, library.loaders)


def judged(missing: dict[LoaderKey, str], place: Path) -> list[Finding]:
    """The findings about files that are not there, by their key of server.loaders."""
    usual = [file for key, file in missing.items() if key in USUAL and file == DEFAULT_LOADERS[key]]
    found = [finding(Code.LOADERS_MISSING, files=" and ".join(usual), place=str(place))] if usual else []
    for key, file in missing.items():
        if file not in usual:
            found.append(finding(Code.LOADER_MISSING, file=file, key=key, place=str(place)))
    return found


def wanted(inventory: Inventory) -> Iterable[LoaderKey]:
    """The usual ones, those of server.loaders, and those that groups and images speak of."""
    keys = dict.fromkeys((*USUAL, *inventory.server.loaders))
    for image in inventory.images.values():
        if image.flatcar is not None and (key := _KEY_OF_RELEASE.get(str(image.flatcar.arch))) is not None:
            keys[key] = None
    for group in inventory.groups:
        for pattern in group.match.arch:
            if "*" not in pattern:
                keys |= {LOADER_KEY[one]: None for one in Architecture if one in LOADER_KEY and _named(one, pattern)}
    return keys


def _named(architecture: int, pattern: str) -> bool:
    return fnmatchcase(name_of(architecture), pattern)


def _has(library: Library, name: str) -> bool:
    try:
        library.loader(name)
    except AssetError:
        return False
    return True
