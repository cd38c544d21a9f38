"""A mirror as a sync leaves it: releases on disk and in the index, without a release server."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pxed.assets.mirror.index import Index, MirroredFile, Release, Rollout, save_index, stamp_of

OLD, NEW = "4593.2.4", "4593.2.5"
VMLINUZ, CPIO = "flatcar_production_pxe.vmlinuz", "flatcar_production_pxe_image.cpio.gz"
INSTALL = "flatcar_production_image.bin.bz2"


def content(name: str, version: str) -> bytes:
    return f"{name} of {version}\n".encode() * 1000


def publish(home: Path, *versions: str, promoted: str = "") -> Index:
    """A mirror of stable with these versions, the last one current."""
    mirror = home / "data/mirror"
    releases = [_release(mirror, version) for version in versions]
    index = Index({release.key: release for release in releases}, {("stable", "amd64", "current"): versions[-1]})
    index = replace(index, rollouts={"flatcar": Rollout(promoted)} if promoted else {})
    save_index(mirror, index)
    return index


def _release(mirror: Path, version: str) -> Release:
    files = {}
    for name in ("version.txt", VMLINUZ, f"{VMLINUZ}.sig", CPIO, INSTALL):
        path = mirror / "stable/amd64-usr" / version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        body = f"FLATCAR_VERSION={version}\n".encode() if name == "version.txt" else content(name, version)
        path.write_bytes(body)
        files[name] = MirroredFile(len(body), hashlib.sha512(body).hexdigest(), stamp_of(path.stat()))
    return Release("stable", "amd64", version, files, 0.0, "F" * 40)
