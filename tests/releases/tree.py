"""A release server's directory, as Flatcar's build makes it: version.txt, the files, their signatures and digests.

Per file, in this order (flatcar/scripts ci-automation/ci_automation_common.sh, create_digests and sign_artifacts):
FILE.DIGESTS, FILE.DIGESTS.asc (clearsigned), FILE.sig and FILE.DIGESTS.sig (detached, binary).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.releases.keys import Signer

KERNEL = "flatcar_production_pxe.vmlinuz"
INITRD = "flatcar_production_pxe_image.cpio.gz"
INSTALL_IMAGE = "flatcar_production_image.bin.bz2"
# https://lts.release.flatcar-linux.net/lts-info: MAJOR:YEAR:support
LTS_INFO = "2605:2021:unsupported\n3033:2022:unsupported\n3510:2023:unsupported\n4081:2024:supported\n"


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory that a release server serves; `signer` signs all that is published."""

    root: Path
    signer: Signer

    def publish(
        self,
        channel: str,
        arch: str,
        version: str,
        *,
        kernel: bytes | Path = b"a kernel",
        initrd: bytes | Path = b"an initrd",
        install_image: bytes | Path | None = None,
        current: Sequence[str] = ("current",),
    ) -> Path:
        """Make a release and let `current` (and "current-2024") point to it. Returns its directory."""
        directory = self.directory(channel, arch, version)
        directory.mkdir(parents=True, exist_ok=True)
        (self.root / "lts").mkdir(exist_ok=True)
        (self.root / "lts" / "lts-info").write_text(LTS_INFO)
        files = {"version.txt": version_txt(version), KERNEL: kernel, INITRD: initrd}
        if install_image is not None:
            files[INSTALL_IMAGE] = install_image
        for name, content in files.items():
            self.put(directory / name, content)
        for name in current:
            self.point(channel, arch, name, version)
        return directory

    def directory(self, channel: str, arch: str, version: str) -> Path:
        return self.root / channel / f"{arch}-usr" / version

    def point(self, channel: str, arch: str, name: str, version: str) -> None:
        """Let `current` be another version."""
        link = self.directory(channel, arch, name)
        new = link.with_name(f".{name}")
        new.unlink(missing_ok=True)
        new.symlink_to(version)
        new.replace(link)

    def put(self, path: Path, content: bytes | Path, signer: Signer | None = None) -> None:
        """Write a file, its digests and signatures."""
        _write(path, content)
        self.sign(path, signer)

    def sign(self, path: Path, signer: Signer | None = None, *, name: str = "") -> None:
        """Digests and signatures of a file that is there, by `signer` or its own; `name` is what DIGESTS call it."""
        signer = signer or self.signer
        digests = digests_of(path, name or path.name)
        _write(_beside(path, ".DIGESTS"), digests)
        _write(_beside(path, ".DIGESTS.asc"), signer.clearsigned(digests))
        _write(_beside(path, ".DIGESTS.sig"), signer.detached(digests))
        _write(_beside(path, ".sig"), signer.detached(path))


def version_txt(version: str) -> bytes:
    """version.txt as a release has it: some values quoted, some empty."""
    major, minor, patch = version.split(".")
    return (
        f"FLATCAR_BUILD={major}\nFLATCAR_BRANCH={minor}\nFLATCAR_PATCH={patch}\nFLATCAR_VERSION={version}\n"
        f'FLATCAR_VERSION_ID={version}\nFLATCAR_BUILD_ID=""\nFLATCAR_SDK_VERSION={major}.0.0\n'
    ).encode()


def digests_of(path: Path, name: str) -> bytes:
    """FILE.DIGESTS: three blocks."""
    lines = []
    for kind in ("md5", "sha1", "sha512"):
        with path.open("rb") as file:
            lines.append(f"# {kind.upper()} HASH\n{hashlib.file_digest(file, kind).hexdigest()}  {name}\n")
    return "".join(lines).encode()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _write(path: Path, content: bytes | Path) -> None:
    """Replace it: a server that is just sending the old one goes on with that."""
    new = path.with_name(f".{path.name}")
    if isinstance(content, Path):
        shutil.copyfile(content, new)
    else:
        new.write_bytes(content)
    os.replace(new, path)  # noqa: PTH105 -- as rsync does
