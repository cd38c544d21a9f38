"""pxed's Debian package, built once for each state of the sources; and the same under another version, for upgrades."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from tests.lab.cache import cached
from tests.lab.process import ROOT, run

_BUILD = ROOT / "debian" / "package"


def debian_package() -> Path:
    """The package of these sources, `pxed_VERSION_ARCH.deb` by content; built now if there is none."""
    return cached("pxed-package", _sources(), ".deb", _build, keep=2)


def as_version(deb: Path, version: str) -> Path:
    """The same package, called `version`: "0.1.0+up1" is newer than 0.1.0. Its files are the same."""
    return cached("pxed-renamed", f"{deb.name} {version}".encode(), ".deb", lambda: _renamed(deb, version), keep=4)


def field(deb: Path, name: str) -> str:
    """A field of its control file: "Version"."""
    return run("dpkg-deb", "--field", str(deb), name).strip()


def _sources() -> bytes:
    """What the build reads, by name and content."""
    digest = hashlib.sha256()
    for name in run(str(_BUILD), "--sources").split():
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)} {path.stat().st_mode:o} {path.stat().st_size}\n".encode())
                digest.update(path.read_bytes())
    return digest.digest()


def _build() -> bytes:
    with tempfile.TemporaryDirectory(prefix="pxed-package-") as scratch:
        run(str(_BUILD), scratch)
        [deb] = Path(scratch).glob("*.deb")
        return deb.read_bytes()


def _renamed(deb: Path, version: str) -> bytes:
    """Only the control member is made anew: the data is big."""
    with tempfile.TemporaryDirectory(prefix="pxed-package-") as scratch:
        home = Path(scratch)
        run("dpkg-deb", "--control", str(deb), str(home / "control"))
        control = home / "control" / "control"
        lines = control.read_text().splitlines()
        control.write_text("".join(f"Version: {version}\n" if x.startswith("Version: ") else f"{x}\n" for x in lines))
        names = run("ar", "t", str(deb)).split()
        run("ar", "x", "--output", scratch, str(deb), *names)
        owner = ("--owner=root:0", "--group=root:0")
        run("tar", "-C", str(home / "control"), *owner, "-cf", str(home / "control.tar"), ".")
        parts = [home / name if not name.startswith("control.tar") else home / "control.tar" for name in names]
        run("ar", "rcS", str(home / "new.deb"), *map(str, parts))
        return (home / "new.deb").read_bytes()
