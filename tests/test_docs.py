"""What README and docs show works: each inventory loads, each command runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pxed.inventory.loader import load

ROOT = Path(__file__).parent.parent
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(kind: str) -> list[tuple[str, str]]:
    found = [
        (paper.name, block)
        for paper in PAPERS
        for block in re.findall(rf"^```{kind}\n(.*?)^```", paper.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert found
    return found


@pytest.fixture
def config(tmp_path):
    """The README's inventory, as its commands find it."""
    (tmp_path / "pxed.yaml").write_text(next(block for name, block in blocks("yaml") if name == "README.md"))
    return tmp_path


@pytest.mark.parametrize(("paper", "block"), blocks("yaml"))
def test_each_inventory_loads(paper, block, tmp_path):
    path = tmp_path / paper
    path.write_text(block)
    assert load(path).machines


def commands() -> list[str]:
    return [line for _, block in blocks("sh") for line in block.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("command", commands())
def test_each_command_works(command, config):
    if command.startswith("make "):
        target = command.split()[1]
        subprocess.run(["make", "-n", "-C", str(ROOT), *shlex.split(command)[1:]], check=True, capture_output=True)
        assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    pxed = Path(sys.executable).with_name("pxed")
    done = subprocess.run([pxed, *shlex.split(command)[1:]], cwd=config, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_each_link_leads_somewhere():
    for paper in PAPERS:
        for target in re.findall(r"\]\((?!http)([^)#]+)", paper.read_text()):
            assert (paper.parent / target).exists(), f"{paper.name}: {target}"


def test_each_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
