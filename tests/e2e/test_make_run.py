"""`make run KEEP=1` and `make down`: what a newcomer does first, as docs/tutorial/first-boot.md tells it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.daemon import URL
from tests.lab.keep import Kept
from tests.lab.process import ROOT, run

TUTORIAL = (ROOT / "docs/tutorial/first-boot.md").read_text()

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240 * 2)]


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    """Run it as the Makefile does."""
    argv = [sys.executable, "-m", "tests.lab.demo", *options]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A name of our own, so that a laboratory which somebody keeps up stays up."""
    laboratory = Kept(f"test{os.getpid()}")
    yield laboratory
    laboratory.down()
    shutil.rmtree(laboratory.home, ignore_errors=True)


def namespaces(kept: Kept) -> list[str]:
    return [path.name for path in Path("/run/netns").glob(f"{kept.prefix}-*")]


def stages(text: str) -> dict[str, list[str]]:
    """The last column of the table: each machine's stages."""
    return {
        name: words.split() for name, words in re.findall(r"^(\w+) +\w+ +booted +[\d.]+  (.*)$", text, re.MULTILINE)
    }


def looked(line: str, kept: Kept) -> str:
    """What one of the tutorial's commands prints, in this laboratory."""
    line = line.replace("pxed-keep", kept.prefix).replace(".run/keep", str(kept.home))
    words = [
        str(Path(sys.executable).with_name("pxed")) if word == ".venv/bin/pxed" else word for word in shlex.split(line)
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def test_both_machines_boot_and_the_daemon_stays_up_until_make_down(kept: Kept) -> None:
    done = demo("--keep", "--name", kept.name)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line.split() for line in done.stdout.splitlines()]
    assert [row[:3] for row in table if row[2:3] == ["booted"]] == [
        ["uefi1", "efi", "booted"],
        ["bios1", "bios", "booted"],
    ]
    assert URL in done.stdout
    assert "running" in run("ip", "netns", "exec", f"{kept.prefix}-pxe", "curl", "-s", f"{URL}/api/v1/machines")
    assert stages(done.stdout) == stages(TUTORIAL)
    for line in re.findall(r"^ip netns exec .*$", TUTORIAL, re.MULTILINE):
        assert looked(line, kept), line
    assert demo("--down", "--name", kept.name).stdout == "taken down\n"
    assert namespaces(kept) == []
    assert demo("--down", "--name", kept.name).stdout == "nothing was up\n"
