"""The shells themselves complete commands and names of the inventory, with the scripts that the package installs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.process import ROOT

pytestmark = pytest.mark.net
SHARE = "usr/share"
INVENTORY = """
images: {rescue: {kernel: a, initrd: b}}
profiles: {disk: {boot: local}, debug: {boot: local}}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: disk}
  node2: {mac: 52:54:00:00:00:02, profile: disk}
  other: {mac: 52:54:00:00:00:03, profile: disk}
"""
ASKED = [
    ("pxed mach", {"machines"}),
    ("pxed machines show -c pxed.yaml no", {"node1", "node2"}),
    ("pxed explain -c pxed.yaml o", {"other"}),
    ("pxed render -c pxed.yaml node1 s", {"script", "system"}),
    ("pxed machines next node1 -c pxed.yaml --profile d", {"disk", "debug"}),
    ("pxed images sync -c pxed.yaml res", {"rescue"}),
    ("pxed-probe wa", {"watch"}),
]
ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=({folder} \\$fpath); autoload -U compinit; compinit -u -D; echo STAR''TED"
zpty -r z out '*STARTED*'
zpty -n -w z $'{typed}\\t'
zpty -r z out '*{completed}*'
print completed
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an inventory, and the scripts below `root`."""
    home = tmp_path_factory.mktemp("completion")
    (home / "pxed.yaml").write_text(INVENTORY)
    subprocess.run([ROOT / "debian" / "completions", home / "root", sys.executable], check=True, cwd=ROOT)
    return home


def shell(home: Path, *argv: str) -> list[str]:
    """What a shell prints, with pxed in its path."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(home)}
    done = subprocess.run(
        argv,
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(("line", "wanted"), ASKED, ids=[line for line, _ in ASKED])
def test_bash_completes(home: Path, line: str, wanted: set[str]) -> None:
    program, words = line.split()[0], line.split()
    script = (
        f"source root/{SHARE}/bash-completion/completions/{program}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        f"_{program.replace('-', '_')}_completion {program}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    assert set(shell(home, "bash", "-c", script)) == wanted


@pytest.mark.parametrize(("line", "wanted"), ASKED, ids=[line for line, _ in ASKED])
def test_fish_completes(home: Path, line: str, wanted: set[str]) -> None:
    script = f"source root/{SHARE}/fish/vendor_completions.d/{line.split()[0]}.fish; complete -C '{line}'"
    assert {answer.split("\t")[0] for answer in shell(home, "fish", "-c", script)} == wanted


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("pxed mach", "machines"), ("pxed explain -c pxed.yaml o", "other"), ("pxed-probe wa", "watch")],
)
def test_zsh_completes_at_the_first_tab(home: Path, typed: str, completed: str) -> None:
    """On a terminal of its own, since only there zsh has a line to complete."""
    script = ZSH.format(folder=home / "root" / SHARE / "zsh/vendor-completions", typed=typed, completed=completed)
    assert shell(home, "zsh", "-c", script) == ["completed"]


def test_an_inventory_with_errors_completes_nothing_and_says_nothing(home: Path) -> None:
    (home / "broken.yaml").write_text("machines: {a: 1, a: 2}\n]")
    script = (
        f"source root/{SHARE}/bash-completion/completions/pxed; COMP_WORDS=(pxed explain -c broken.yaml a); "
        "COMP_CWORD=4; _pxed_completion pxed 2>&1; printf '%s' \"${COMPREPLY[@]}\""
    )
    assert shell(home, "bash", "-c", script) == []
