"""Inventories for tests. In a text, the mark ▶ stands right before the place that a problem must name."""

from __future__ import annotations

from pathlib import Path

from pxed.errors import ConfigError, Problem
from pxed.inventory.loader import loads
from pxed.inventory.model import Inventory

PATH = Path("/srv/lab/pxed.yaml")
MARK = "▶"

# A whole inventory without any problem. PROFILE boots from the disk, so it needs no image.
VALID = """\
server: {unknown: ignore}
images:
  rescue: {kernel: rescue/vmlinuz, initrd: [rescue/initrd.img]}
profiles:
  worker: {image: rescue, console: [tty0, "ttyS0,115200n8"]}
  disk: {boot: local}
groups:
  - match: {mac: "52:54:00:*", arch: x86_64-efi}
    profile: worker
    vars: {rack: r1}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: worker, vars: {role: etcd}}
  node2: {mac: [52:54:00:00:00:02, 52-54-00-00-00-03], uuid: 4c4c4544-0051-3510-8053-b4c04f564433, serial: 5XQ5DV3}
"""


def inventory(text: str, path: Path = PATH) -> Inventory:
    return loads(text, path)


def problems(text: str, path: Path = PATH) -> list[Problem]:
    """Every error of a text; [] when it loads."""
    try:
        loads(text, path)
    except ConfigError as error:
        return [problem for problem in error.problems if not problem.warning]
    return []


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """The text without its mark, and the mark's line and column."""
    before, after = text.split(MARK)
    return before + after, (before.count("\n") + 1, len(before) - before.rfind("\n"))
