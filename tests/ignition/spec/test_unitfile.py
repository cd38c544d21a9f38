"""Unit texts as Ignition reads them: which sections hold options, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.ignition.spec.unitfile import read_unit

READ: dict[str, tuple[str, set[str]]] = {
    "nothing": ("", set()),
    "a section without options": ("[Unit]\n", set()),
    "two sections": ("[Unit]\nA=b\n\n[Install]\nC=d\n", {"Unit", "Install"}),
    "a last line without newline": ("[Unit]\nA=b", {"Unit"}),
    "an option without value": ("[Unit]\nA=", {"Unit"}),
    "an option without name": ("[Unit]\n=b\n", {"Unit"}),
    "comments of both kinds": ("# a\n; b\n[Unit]\n# c\n; d\nA=b\n", {"Unit"}),
    "a comment that goes on": ("# a \\ \n[Not]\n[Unit]\nA=b\n", {"Unit"}),
    "a value that goes on": ("[Unit]\nA=b \\\n[Not]\nC=d\n", {"Unit"}),
    "a value that goes on to an empty line": ("[Unit]\nA=b \\\n\n[Install]\nC=d\n", {"Unit", "Install"}),
    "a value that goes on at the end": ("[Unit]\nA=b \\", {"Unit"}),
    "text before the first section": ("x=y\n[Unit]\nA=b\n", {"Unit"}),
    "indented options": ("[Unit]\n  A=b\n\tC=d\n", {"Unit"}),
    "a section name over two lines": ("[Un\nit]\nA=b\n", {"Un\nit"}),
    "spaces after a section": ("[Unit] \t\n A=b\n", {"Unit"}),
    "carriage returns": ("[Unit]\r\nA=b\r\n[Install]\r\nC=d\r\n", {"Unit", "Install"}),
    "letters beyond ASCII": ("[Unit]\nDescription=Käse\n", {"Unit"}),
    "bytes that are no UTF-8": ("[Unit]\nDescription=\udce4\n", {"Unit"}),
    "a line of 2047 bytes": ("[Unit]\nA=" + "x" * 2045 + "\n", {"Unit"}),
    # The lexer has read 4096 bytes ahead; it does not see that the rest of them begins a line that is too long.
    "a long line across the end of what is read ahead": ("[Unit]\n" + "A=b\n" * 750 + f"C={'x' * 2100}\n", {"Unit"}),
}


@pytest.mark.parametrize("text, sections", READ.values(), ids=READ)
def test_the_sections_with_options_of(text, sections):
    unit = read_unit(text)
    assert (unit.sections, unit.error) == (sections, "")


REFUSED = {
    "a section without end": ("[Unit", "unable to find end of section"),
    "text after a section": ("[Unit] x\n", 'found garbage after section name : "x"'),
    "text after a section, quoted as Go does": ('[Unit]"\x01é\n', 'found garbage after section name : "\\"\\x01é"'),
    "a line without equals sign": ("[Unit]\nA\nB=c\n", "unexpected newline encountered while parsing option name"),
    "a line that ends without equals sign": ("[Unit]\nA", "EOF"),
    "a carriage return in a name": ("[Unit]\nA\r=b\n", "unexpected newline encountered while parsing option name"),
    "a line that is too long": ("[Unit]\nA=" + "x" * 2048 + "\n", "line too long (max 2048 bytes)"),
    "a first line that is too long": ("#" + "x" * 2048 + "\n", "line too long (max 2048 bytes)"),
    "a comment that is too long": ("[Unit]\n#" + "x" * 2048 + "\n", "line too long (max 2048 bytes)"),
}


@pytest.mark.parametrize("text, message", REFUSED.values(), ids=REFUSED)
def test_it_refuses(text, message):
    unit = read_unit(text)
    assert (unit.sections, unit.error) == (frozenset(), f"invalid unit content: {message}")


PIECES = ["[", "]", "=", "\n", "\r\n", "\\\n", "#", ";", " ", "Unit", "[Install]\n", "A=b\n", "x" * 1500, "é", "\x00"]


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_any_text_is_read_or_refused(text):
    unit = read_unit(text)
    assert not (unit.sections and unit.error)
