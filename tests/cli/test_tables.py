"""Tables for terminals and for pipes."""

import sys

import pytest

from pxed.cli import tables
from pxed.cli.tables import print_table

HEADS, ROWS = ("machine", "boots"), [("node1", "4593.2.5"), ("a-longer-name", "-")]


def test_a_pipe_gets_a_line_for_each_row(capsys):
    print_table(HEADS, ROWS)
    assert capsys.readouterr().out == "machine        boots\nnode1          4593.2.5\na-longer-name  -\n"


@pytest.mark.parametrize("many", [500, 1], ids=["few rows", "many rows"])
def test_a_terminal_gets_the_same_words(monkeypatch, capsys, many):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(tables, "MANY", many)
    print_table(HEADS, ROWS)
    assert capsys.readouterr().out.split() == ["machine", "boots", "node1", "4593.2.5", "a-longer-name", "-"]
