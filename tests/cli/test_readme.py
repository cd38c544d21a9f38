"""The README's table of commands names commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from pxed.cli import app
from pxed.probe.main import app as probe

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("\n## Commands\n")[2].partition("\n## ")[0]
ROWS = [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in SECTION.splitlines() if line.startswith("| `")]


def commands(row: list[str]) -> list[str]:
    """A word alone stands for the last one of the command before it."""
    whole: list[str] = []
    for text in row:
        whole.append(text if text.startswith("pxed") else f"{whole[-1].rpartition(' ')[0]} {text}")
    return whole


@pytest.mark.parametrize("line", [line for row in ROWS for line in commands(row)])
def test_each_command_of_the_table_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line)
    command = get_command({"pxed": app, "pxed-probe": probe}[program])
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    command.make_context(line, words)
