"""Flatcar's versions: how they compare, which Ignition each has, which of them cannot boot what.

A version is MAJOR.MINOR.PATCH: MAJOR counts the days since 2013-07-01, MINOR tells the channel, and a MAJOR keeps its
software on its way from alpha to LTS, so the Ignition of a version follows from its MAJOR
(https://www.flatcar.org/docs/latest/setup/releases/switching-channels/). Left out: what a release server has now.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple, Self

from pxed.errors import PxedError
from pxed.inventory.model import Image

CHANNELS = ("stable", "beta", "alpha", "lts", "edge")
# https://www.flatcar.org/docs/latest/installing/bare-metal/booting-with-ipxe/ asks for "a minimum of 3 GB of RAM".
MIN_MEMORY = 3 * 1024**3

_TEXT = re.compile(r"(\d{1,6})\.(\d{1,4})\.(\d{1,6})((?:[-+][0-9A-Za-z.+-]{1,64})?)")
_CHANNEL_OF_MINOR = {0: "alpha", 1: "beta", 2: "stable", 3: "lts"}
# "current" of each channel in mid-2026: https://www.flatcar.org/releases-json/releases.json
_NEWEST = {
    ("stable", "current"): "4593.2.5",
    ("beta", "current"): "4757.1.0",
    ("alpha", "current"): "4790.0.0",
    ("lts", "current"): "4081.3.10",
    ("lts", "current-2024"): "4081.3.10",
    ("lts", "current-2023"): "3510.3.8",
}
# The first MAJOR with an Ignition that takes this specification at most. "ignition" of releases.json: 0.36, then 2.13
# (alpha 3185, stable 3227.2.0), 2.15 (alpha 3535, stable 3602.2.0), 2.20 (stable 4152.2.0); 2.24 has no newer one.
# Ignition 2.11 takes 3.3.0, 2.15 takes 3.4.0, 2.20 takes 3.5.0: https://coreos.github.io/ignition/specs/
_SPECS = ((0, "2.3.0"), (3185, "3.3.0"), (3535, "3.4.0"), (4152, "3.5.0"))
# Butane's flatcar 1.0.0 makes 3.3.0, 1.1.0 makes 3.4.0: https://coreos.github.io/butane/specs/
_BUTANE = (("1.0.0", (3, 3)), ("1.1.0", (3, 4)))


class VersionError(PxedError):
    """A text that is no Flatcar version."""


class Version(NamedTuple):
    """4593.2.5. `build` is what a build that is no release adds: "+nightly-20260701-2100". Compares in order."""

    major: int
    minor: int
    patch: int
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version in a text. Raises VersionError."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise VersionError(f"found {text[:60]!r}, expected a Flatcar version such as 4593.2.5")
        return cls(int(found[1]), int(found[2]), int(found[3]), found[4])

    @property
    def channel(self) -> str:
        """The channel that its MINOR tells; "" for one that tells none, as edge's."""
        return _CHANNEL_OF_MINOR.get(self.minor, "")

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{self.build}"


class Release(NamedTuple):
    """What an image boots, as far as it is known. A text that is not known is ""."""

    channel: str
    version: str  # "4593.2.5", "current", "current-2024"
    follows: bool = False  # the version is what the channel has now

    @property
    def pinned(self) -> bool:
        """Whether it is one version for ever."""
        return not self.follows and version_of(self.version) is not None

    def __str__(self) -> str:
        return " ".join(("Flatcar", *filter(None, (self.channel, self.version))))


class _Window(NamedTuple):
    """Releases of one channel from `first` up to, not including, `fixed`."""

    channel: str
    first: str
    fixed: str
    problem: str


_OEM_MOVED = "it does not look for an embedded config where that lies (flatcar/Flatcar#1376)"
_LOST = "its second initramfs loses what an initrd of the boot brings (flatcar/Flatcar#2023)"
_MOVED = (
    _Window("alpha", "3637.0.0", "3913.0.0", _OEM_MOVED),
    _Window("beta", "3732.1.0", "3874.1.0", _OEM_MOVED),
    _Window("stable", "3760.2.0", "3815.2.1", _OEM_MOVED),
)
# The stable of that branch, 4593.2.0, was released with the fix.
_TWO_STAGES = (
    _Window("alpha", "4487.0.0", "4669.0.0", _LOST),
    _Window("beta", "4515.1.0", "4628.1.0", _LOST),
)
_SYSTEMD_256 = "booted over the network it ends in the emergency shell (flatcar/Flatcar#1695)"
_NO_FILES = "it was released without the files for booting over the network (flatcar/Flatcar#2160)"
_UNBOOTABLE = (
    # 4186.1.1 boots; flatcar/scripts#2705 is in alpha 4284.0.0 and was brought to the beta after 4230.1.0.
    _Window("alpha", "4230.0.0", "4284.0.0", _SYSTEMD_256),
    _Window("beta", "4230.1.0", "4230.1.1", _SYSTEMD_256),
    _Window("alpha", "4694.0.1", "4694.0.2", _NO_FILES),
    _Window("beta", "4628.1.2", "4628.1.3", _NO_FILES),
    _Window("stable", "4593.2.2", "4593.2.3", _NO_FILES),
)
# flatcar/Flatcar#742: the platform "pxe" is gone with Ignition 2, and is translated again after 3227.
_PXE_PLATFORM = (3185, 3227)


def runs_on(arch: str, client: str | None) -> bool:
    """Whether a release for `arch` (amd64, arm64) starts on a client of this name (pxed.architecture), None: unknown.

    iPXE for BIOS says nothing of the CPU, so every PC passes for amd64.
    """
    cpus = {"amd64": ("x86", "i386"), "arm64": ("arm64",)}
    return client is None or client.startswith(cpus[arch])


def version_of(text: str) -> Version | None:
    """The version in a text; None for "current" and for what is no version."""
    try:
        return Version.parse(text)
    except VersionError:
        return None


def newest_known(channel: str, version: str = "current") -> str:
    """The version that `current` of a channel, or `current-YEAR` of lts, was in mid-2026; "" when it is not known."""
    return _NEWEST.get((channel, version), "")


def release_of(image: Image) -> Release | None:
    """The Flatcar release that an image boots, by `flatcar` or by its kernel's name and URL; None for another OS."""
    if image.flatcar is not None:
        return Release(image.flatcar.channel, image.flatcar.version)
    source = (image.kernel or "").partition("?")[0]
    if not source.rpartition("/")[2].startswith("flatcar_"):
        return None
    return _release_in(source)


def ignition_spec(channel: str, version: str) -> str | None:
    """The newest stable Ignition specification that a release takes, at least; None when it is not known."""
    found = _resolved(channel, version)
    if found is None:
        return None
    return _SPECS[bisect_right(_SPECS, found.major, key=lambda row: row[0]) - 1][1]


def butane_versions(channel: str, version: str) -> tuple[str, ...]:
    """The versions of Butane's variant flatcar whose output a release takes; () for none or not known."""
    spec = ignition_spec(channel, version)
    if spec is None:
        return ()
    newest = spec_numbers(spec)
    return tuple(butane for butane, needed in _BUTANE if needed <= newest)


def spec_numbers(spec: str) -> tuple[int, int]:
    """ "3.4.0" -> (3, 4): what of an Ignition specification decides whether it is taken. Raises VersionError."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})\.", spec)
    if found is None:
        raise VersionError(f"found {spec[:60]!r}, expected an Ignition version such as 3.3.0")
    return int(found[1]), int(found[2])


def embedded_problem(channel: str, version: str) -> str:
    """Why this release does not find an Ignition config that is embedded in an initrd; "" when it does."""
    return _problem(_MOVED + _TWO_STAGES, channel, version)


def oem_url_problem(channel: str, version: str) -> str:
    """Why this release does not find the files of an initrd behind oem: URLs; "" when it does.

    Ignition kept looking at /usr/share/oem when the rest of the initramfs did not (0017-usr-share-oem-oem.patch).
    """
    return _problem(_TWO_STAGES, channel, version)


def boot_problem(channel: str, version: str) -> str:
    """Why this release cannot be booted over the network; "" when it can."""
    return _problem(_UNBOOTABLE, channel, version)


def platform_problem(channel: str, version: str) -> bool:
    """Whether flatcar.oem.id=pxe ends the boot of this release, or may since it is not known which it is."""
    found = _resolved(channel, version)
    return found is None or _PXE_PLATFORM[0] <= found.major <= _PXE_PLATFORM[1]


def _problem(windows: tuple[_Window, ...], channel: str, version: str) -> str:
    found = _resolved(channel, version)
    if found is None:
        return ""
    channel = found.channel or channel
    for window in windows:
        if window.channel == channel and Version.parse(window.first) <= found < Version.parse(window.fixed):
            return window.problem
    return ""


def _resolved(channel: str, version: str) -> Version | None:
    return version_of(version) or version_of(newest_known(channel, version))


def _release_in(path: str) -> Release:
    """What a path or URL in the release servers' own layout says: CHANNEL.../ARCH-usr/VERSION/FILE."""
    directory = re.search(r"/(?:amd64|arm64)-usr/([^/]+)/", path)
    named = re.search(rf"(?:^|[/.])({'|'.join(CHANNELS)})(?=[/.])", path)
    version = directory[1] if directory else next((part for part in path.split("/") if version_of(part)), "")
    exact = version_of(version)
    channel = named[1] if named else exact.channel if exact else ""
    return Release(channel, version if exact or version.startswith("current") else "")
