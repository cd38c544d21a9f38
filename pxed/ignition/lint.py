"""Ignition configs against what is to apply them: the Ignition of a Flatcar release, and a boot from memory.

A config that is right by itself may still stop a boot. What its own specification demands is in pxed.ignition.spec,
rules that need no config in pxed.boot.flatcar. Configs of other servers and what a config merges are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pxed.assets.flatcar import (
    Release,
    butane_versions,
    ignition_spec,
    newest_known,
    oem_url_problem,
    spec_numbers,
    version_of,
)
from pxed.boot.arguments import arguments, last_value
from pxed.inventory.model import Boot, Profile

_SPEC = re.compile(r"([23]\.\d{1,3}\.\d{1,3})(-[a-z]+)?")
# The patches of Flatcar's Ignition teach oem: to these (0013-Partially-revert-drop-OEM-URI-support.patch, April 2026).
_LAST_SPEC_WITH_OEM = (3, 4)


class Severity(StrEnum):
    """Whether a config is refused."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a config, and what to do about it."""

    severity: Severity
    sentence: str


def config_findings(
    config: Mapping[str, Any],
    *,
    profile: Profile,
    flatcar: Release | tuple[str, str] | None,
    installed: bool = False,
) -> Iterator[Finding]:
    """What machines of this profile would stumble over in their config, or in that of the system they install.

    `flatcar` is the Release that applies it, or its channel and version; None for another system, without findings.
    """
    if flatcar is None:
        return
    release = Release(*flatcar)
    yield from _specification(config, profile, release)
    if profile.boot is not Boot.LOCAL and not installed:
        yield from _kernel_arguments(config)
        yield from _root(config, profile)
        yield from _oem_urls(config, release)


def _specification(config: Mapping[str, Any], profile: Profile, release: Release) -> Iterator[Finding]:
    """Ignition refuses a config that is newer than itself; Flatcar's converts those of 1 and 2.x."""
    said = _version(config)
    takes = ignition_spec(release.channel, release.version)
    found = _SPEC.fullmatch(said)
    if takes is None or found is None:
        return
    if found[2]:
        yield Finding(
            Severity.ERROR,
            f"the config is of Ignition version {said}, which no release of Flatcar takes: "
            f"{_remedy(profile, takes, release)}",
        )
    elif spec_numbers(said) > spec_numbers(takes):
        certain = _is_known(release)
        yield Finding(
            Severity.ERROR if certain else Severity.WARNING,
            f"the config is of Ignition version {said}, but {release} takes {takes} at most"
            f"{'' if certain else ', as far as pxed knows'}: {_remedy(profile, takes, release)}",
        )


def _remedy(profile: Profile, takes: str, release: Release) -> str:
    usable = butane_versions(release.channel, release.version)
    if profile.butane is None:
        return f"write it for {takes}, or boot a newer Flatcar"
    if not usable:
        return f"no version of Butane makes {takes}: give an ignition config of that version, or boot a newer Flatcar"
    return f"say version: {usable[-1]} in the Butane config, or boot a newer Flatcar"


def _kernel_arguments(config: Mapping[str, Any]) -> Iterator[Finding]:
    """ignition-kargs-helper writes a disk's grub.cfg, then mounts its boot partition and reboots."""
    given = config.get("kernelArguments")
    wanted = _texts(given, "shouldExist")
    unwanted = _texts(given, "shouldNotExist")
    if wanted:
        yield Finding(
            Severity.ERROR,
            "kernel_arguments cannot be set by a machine that boots from memory, and its Ignition stops at them: "
            f"move them to args of the profile: [{', '.join(wanted)[:200]}]",
        )
    if unwanted:
        yield Finding(
            Severity.WARNING,
            f"kernel_arguments cannot be taken away ({', '.join(unwanted)[:200]}) by a machine that boots from memory: "
            "leave them out of the profile",
        )


def _root(config: Mapping[str, Any], profile: Profile) -> Iterator[Finding]:
    """flatcar/Flatcar#1612: "/dev/sda1 already mounted on /sysroot"."""
    root = last_value(arguments(profile.args), "root") or profile.root
    if not root:
        return
    for filesystem in _mappings(_below(config, "storage", "filesystems")):
        if filesystem.get("path") == "/":
            device = filesystem.get("device", "a device")
            yield Finding(
                Severity.ERROR,
                f"the filesystem of {device} has path: / and the profile has root: {root}, so it is mounted already "
                "when Ignition wants to mount it: leave path out of the config",
            )


def _oem_urls(config: Mapping[str, Any], release: Release) -> Iterator[Finding]:
    url = next((source for source in _sources(config) if source.lower().startswith("oem:")), None)
    if url is None:
        return
    if problem := oem_url_problem(release.channel, release.version):
        yield Finding(
            Severity.ERROR if release.pinned else Severity.WARNING,
            f"{url[:100]} is not found by {release}: {problem}; take another version, or an http URL",
        )
    found = _SPEC.fullmatch(_version(config))
    if found and spec_numbers(found[1]) > _LAST_SPEC_WITH_OEM:
        yield Finding(
            Severity.WARNING,
            f"{url[:100]} in a config of Ignition version {found[1]} is refused by Flatcar releases up to mid-2026: "
            "write the config for 3.4.0",
        )


def _is_known(release: Release) -> bool:
    """Whether what the tables say of its Ignition is all that it has: of a version, and of a year of LTS."""
    version = version_of(release.version)
    if version is None:
        return release.version.startswith("current-")
    newest = version_of(newest_known("alpha"))
    return newest is not None and version.major <= newest.major


def _version(config: Mapping[str, Any]) -> str:
    version = _below(config, "ignition", "version")
    return version if isinstance(version, str) else ""


def _below(config: object, *names: str) -> object:
    for name in names:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list | tuple) else iter(())


def _texts(value: object, name: str) -> list[str]:
    items = _below(value, name)
    return [item for item in items if isinstance(item, str)] if isinstance(items, list | tuple) else []


def _sources(value: object) -> Iterator[str]:
    """Every URL of the config. Not recursive: a config may be as deep as JSON's parser lets it be."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            source = item.get("source")
            if isinstance(source, str):
                yield source
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list | tuple):
            waiting.extend(reversed(item))
