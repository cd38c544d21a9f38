"""docs/how-to/air-gap.md: a mirror that was carried by the page's commands is right, and is booted, with no network."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from docs.generate.pages import ROOT
from tests.releases.server import ReleaseServer
from tests.test_docs import INVENTORIES, PXED, lay, with_releases

PAPER = ROOT / "docs/how-to/air-gap.md"
OUTSIDE, SITE = (block for block in INVENTORIES if block.paper == PAPER)
TO_DISK, FROM_DISK = re.findall(r"^rsync .*$", PAPER.read_text(), re.MULTILINE)


def pxed(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [PXED, *words, "-c", "pxed.yaml"]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)


def carry(command: str, data: Path, disk: Path) -> None:
    """One of the page's commands, with the places of this test."""
    words = [
        word.replace("/var/lib/pxed", str(data)).replace("/media/disk", str(disk)) for word in shlex.split(command)
    ]
    subprocess.run(words, check=True, capture_output=True)


def test_what_was_carried_is_verified_and_booted(tmp_path: Path) -> None:
    outside, disk, site = (tmp_path / name for name in ("outside", "disk", "site"))
    for place in (outside, disk, site, site / "data"):
        place.mkdir()
    path, there = lay(outside, OUTSIDE), lay(site, SITE)
    with ReleaseServer(tmp_path / "releases") as releases:
        releases.publish("stable", "amd64", "4593.2.5", install_image=b"a disk")
        with_releases(path, releases)
        with_releases(there, releases)
        there.write_text(there.read_text().replace("fingerprint:", 'interval: "off", fingerprint:'))
        assert pxed(outside, "images", "sync").returncode == 0
    carry(TO_DISK, outside / "data", disk)
    carry(FROM_DISK, site / "data", disk)
    verified = pxed(site, "images", "verify")  # the release server is gone
    assert verified.returncode == 0, verified.stderr
    assert "files are right" in verified.stdout
    assert "verified" in pxed(site, "images", "list").stdout
    [kernel] = (site / "data/mirror").glob("stable/*/4593.2.5/*.vmlinuz")
    kernel.write_bytes(b"another one")
    changed = pxed(site, "images", "verify")
    assert changed.returncode == 1
    assert kernel.name in changed.stdout + changed.stderr
