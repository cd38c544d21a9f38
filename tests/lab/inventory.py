"""Inventories of the laboratory: the machines it switches on, their profiles, Debian's kernel as the image."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab import initrd
from tests.lab.daemon import HTTP_PORT
from tests.lab.kernel import kernel
from tests.lab.process import CACHE
from tests.lab.vm import Guest

IMAGE = "lab"
# Only busybox reads it in the guest, but it is what a Flatcar machine would get.
HOSTNAME = "data:,{{ machine.name }}"


def ignition(mark: str) -> str:
    """The template of a machine's Ignition config: its host name, and the mark of its profile."""
    files = [
        {"path": "/etc/hostname", "contents": {"source": HOSTNAME}},
        {"path": "/etc/pxed-lab", "contents": {"source": f"data:,{mark}"}},
    ]
    return json.dumps({"ignition": {"version": "3.3.0"}, "storage": {"files": files}}, indent=2) + "\n"


def sources(config: Any) -> dict[str, str]:
    """Path to content of the files in an Ignition config that a guest printed."""
    return {file["path"]: file["contents"]["source"].removeprefix("data:,") for file in config["storage"]["files"]}


def profile(mark: str, *args: str, **fields: Any) -> dict[str, Any]:
    """A profile that boots the laboratory's image; its config and its command line carry the mark."""
    base = {
        "image": IMAGE,
        "boot": "memory",
        "console": ["ttyS0,115200n8"],
        "args": ["panic=-1", f"pxed.lab={mark}", *args],
        "ignition": f"{mark}.ign",
    }
    return base | fields


def document(
    directory: Path,
    machines: Mapping[Guest, str],
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """An inventory: each machine by its MAC with the named profile, a plain one of that name unless it is given."""
    named = {name: profile(name) for name in machines.values()} | dict(profiles or {})
    extra = overrides or {}
    return {
        "server": {"interfaces": ["eth0"], "data_dir": str(directory / "data"), "http": {"port": HTTP_PORT}},
        "images": {IMAGE: {"kernel": f"{IMAGE}/vmlinuz", "initrd": [f"{IMAGE}/initrd.img"]}},
        "profiles": named,
        "machines": {
            guest.name: {"mac": guest.mac, "profile": name} | dict(extra.get(guest.name, {}))
            for guest, name in machines.items()
        },
    }


def write(directory: Path, inventory: Mapping[str, Any]) -> Path:
    """The YAML file, replaced at once, and the Ignition templates that its profiles name and nobody has written yet."""
    for settings in inventory["profiles"].values():
        if "ignition" in settings and not (directory / settings["ignition"]).exists():
            (directory / settings["ignition"]).write_text(ignition(Path(settings["ignition"]).stem))
    return replace(directory / "pxed.yaml", yaml.safe_dump(dict(inventory), sort_keys=False))


def replace(path: Path, text: str) -> Path:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    return scratch.replace(path)


def fill(directory: Path) -> None:
    """Put kernel and initrd where the image `lab` has its files: directory/data/images/lab."""
    home = directory / "data" / "images" / IMAGE
    home.mkdir(parents=True, exist_ok=True)
    found = kernel()
    _place(found.image, home / "vmlinuz")
    (home / "initrd.img").write_bytes(initrd.build(found))


def _place(source: Path, target: Path) -> None:
    """A hard link where that works: no 8 MB copy for every test."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def prepare() -> None:
    """Fetch what needs the network, before a test's clock runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kernel()
