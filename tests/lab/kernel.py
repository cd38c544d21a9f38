"""The kernel that the laboratory's machines boot: Debian's own, unpacked (not installed) into the cache."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.lab.process import CACHE, LabError, alone, run

_META = "linux-image-amd64"
_APT = ("-o", "APT::Sandbox::User=root", "-qq")  # the download goes into our own directory, as ourselves


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel package."""

    image: Path
    modules: Path  # .../lib/modules/VERSION/kernel

    def module(self, name: str) -> Path | None:
        """The file of a module, whichever of - and _ its name is written with; None if it is built in."""
        wanted = name.replace("-", "_")
        return next((path for path in self.modules.rglob("*.ko") if path.stem.replace("-", "_") == wanted), None)


def kernel() -> Kernel:
    """The cached kernel, fetched if there is none."""
    home = CACHE / "kernel"
    with alone("kernel"):
        return _unpacked(home) or _fetch(home)


def _unpacked(home: Path) -> Kernel | None:
    for image in sorted(home.glob("boot/vmlinuz-*"), reverse=True):
        modules = home / "lib/modules" / image.name.removeprefix("vmlinuz-") / "kernel"
        if modules.is_dir():
            return Kernel(image, modules)
    return None


def _package() -> str:
    """The versioned package behind the meta package: linux-image-6.1.0-NN-amd64."""
    names = re.findall(r"Depends: (linux-image-\d\S+)", run("apt-cache", "depends", _META, quiet=True))
    if not names:
        raise LabError(f"apt knows no {_META}: run apt-get update")
    return max(map(str, names))


def _fetch(home: Path) -> Kernel:
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="kernel-") as scratch:
        tree = Path(scratch) / "tree"
        run("dpkg", "-x", str(_download(Path(scratch))), str(tree))
        tree.rename(home)
    if (found := _unpacked(home)) is None:
        raise LabError(f"no kernel in the package that was unpacked into {home}")
    return found


def _download(directory: Path) -> Path:
    """Fetch the package; stale package lists are renewed once."""
    script = 'cd "$0" && apt-get "${@:2}" download "$1"'
    try:
        run("bash", "-c", script, str(directory), _package(), *_APT)
    except LabError:
        run("apt-get", "-qq", "update")
        run("bash", "-c", script, str(directory), _package(), *_APT)
    return next(directory.glob("*.deb"))
