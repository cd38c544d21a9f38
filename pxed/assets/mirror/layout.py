"""How a Flatcar release server is laid out: its URLs, the files of a release, version.txt, lts-info.

https://CHANNEL.release.flatcar-linux.net/ARCH-usr/(VERSION or current)/FILE; the mirror on disk is laid out alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pxed.assets.flatcar import Version, version_of
from pxed.assets.mirror.errors import UntrustedError
from pxed.assets.mirror.index import Key

ARCHITECTURES = ("amd64", "arm64")

VERSION_TXT = "version.txt"
KERNEL = "flatcar_production_pxe.vmlinuz"
INITRD = "flatcar_production_pxe_image.cpio.gz"
INSTALL_IMAGE = "flatcar_production_image.bin.bz2"

SIGNATURE = ".sig"
DIGESTS = ".DIGESTS"
SIGNED_DIGESTS = ".DIGESTS.asc"
DIGESTS_SIGNATURE = ".DIGESTS.sig"

MAX_SMALL = 64 << 10  # bytes of version.txt, a signature or digests; the real ones are below 2 kB
MAX_FILE = 16 << 30  # bytes of any file; the biggest real one is 0.5 GB

# FLATCAR_VERSION=4593.2.5; values may be quoted and may be empty.
_LINE = re.compile(r"""\s*([A-Za-z_][A-Za-z0-9_]*)=\s*(?:"([^"]*)"|'([^']*)'|(.*?))\s*""")


@dataclass(frozen=True, slots=True)
class Line:
    """What a version is looked up by: (stable, amd64, "current" or "current-2024" or "4593.2.5") of a base URL."""

    base: str  # "https://stable.release.flatcar-linux.net"
    channel: str
    arch: str
    word: str

    def url(self, directory: str, name: str) -> str:
        """The URL of a file; `directory` is a version, or "current"."""
        return f"{self.base}/{self.arch}-usr/{directory}/{name}"

    def key(self, version: str) -> Key:
        """What the index knows the release by."""
        return (self.channel, self.arch, version)

    @property
    def pinned(self) -> bool:
        """Whether it names a version itself."""
        return not self.word.startswith("current")

    def __str__(self) -> str:
        return f"{self.channel} {self.arch} {self.word}"


def big_files(install_image: bool) -> tuple[str, ...]:
    """The files that a release is mirrored for."""
    return (KERNEL, INITRD, INSTALL_IMAGE) if install_image else (KERNEL, INITRD)


def base_url(template: str, channel: str) -> str:
    """server.mirror.url, or an image's own, for a channel."""
    return template.replace("{channel}", channel).rstrip("/")


def parse_version_txt(content: bytes) -> dict[str, str]:
    """KEY=VALUE lines. What is no such line is left out: later releases may add anything."""
    found = (_LINE.fullmatch(line) for line in content.decode("utf-8", "replace").splitlines())
    return {match[1]: match[2] or match[3] or match[4] or "" for match in found if match}


def version_in(content: bytes, url: str) -> str:
    """FLATCAR_VERSION, the line that flatcar-install reads too. Raises UntrustedError when it is no version."""
    text = parse_version_txt(content).get("FLATCAR_VERSION")
    if text is None:
        raise UntrustedError(
            f"{url} has no line FLATCAR_VERSION=: that is no release server, or a proxy answers in its place"
        )
    if (version := version_of(text)) is None:
        raise UntrustedError(f"{url} says FLATCAR_VERSION={text[:60]}, expected a version such as 4593.2.5")
    return str(version)


def parse_lts_info(content: bytes) -> dict[int, tuple[int, bool]]:
    """lts-info: lines MAJOR:YEAR:supported|unsupported, as year -> (major, supported). Other lines are left out."""
    found = re.findall(r"^(\d{1,6}):(20\d\d):(\w+)\s*$", content.decode("utf-8", "replace"), re.MULTILINE)
    return {int(year): (int(major), state == "supported") for major, year, state in found}


def year_of(word: str) -> int | None:
    """ "current-2024" -> 2024; None for another word."""
    _, _, year = word.partition("current-")
    return int(year) if year.isdigit() else None


def order(version: str) -> Version:
    """Sorts versions by age. Raises VersionError for what is none."""
    return Version.parse(version)
