"""The man pages: sound roff, every command and every field, each reference leads to a page."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from docs.generate import man
from docs.generate.commands import programs
from docs.generate.inventorypage import entries

pytestmark = pytest.mark.net  # it needs man and mandoc
PAGES = man.pages()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("man")
    assert man.main(str(home)) == 0
    return home


def shown(page: Path) -> str:
    """As mandoc formats it, on lines without an end."""
    done = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=999", page], check=True, capture_output=True, text=True)
    return re.sub(r".\x08", "", done.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_no_warning(home: Path, name: str) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", home / name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", PAGES)
def test_groff_has_no_warning(home: Path, name: str) -> None:
    """As lintian asks it."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    argv = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", home / name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_and_option_has_its_place(home: Path) -> None:
    for command in [below for program in programs() for below in program.walk()]:
        page = "-".join(command.path[:2]) if command.path[0] == "pxed" else command.path[0]
        text = shown(home / f"{page}.1")
        for option in command.options:
            assert all(name in text for name in option.names), (command.path, option.names)
        assert " ".join(command.path) in text, command.path


def test_every_field_has_its_meaning_and_default(home: Path) -> None:
    text = " ".join(shown(home / "pxed.yaml.5").split())
    for entry in entries():
        assert entry.path in text
        meaning = " ".join(entry.meaning.replace("`", "").split())
        assert meaning in text, entry.path
    assert "default: /var/lib/pxed" in text and "default: 8080" in text


def test_references_lead_to_pages() -> None:
    for name, text in PAGES.items():
        for page, section in re.findall(r"^\.BR (\S+) \((\d)\)", text, re.MULTILINE):
            assert f"{page.replace(chr(92), '')}.{section}" in PAGES, name
        for page in re.findall(r"See (\S+)\(1\)", text):
            assert f"{page.replace(chr(92), '')}.1" in PAGES, name


def test_text_cannot_become_a_request() -> None:
    assert man.prose(".TH `a-b` \\n 'x'") == "\\&.TH \\fBa\\-b\\fR \\en \\(aqx\\(aq"
