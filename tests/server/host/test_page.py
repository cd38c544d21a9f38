"""docs/how-to/check-host.md has each finding in pxed's own words, and each program's way out.

PXED_GOLDEN=write renews what the page quotes.
"""

from __future__ import annotations

import os
import re
import textwrap
from string import Formatter

import pytest

from pxed.server.host.ports import WAYS_OUT, Program
from pxed.server.host.wordings import WORDINGS, Code
from tests.lab.process import ROOT

PAPER = ROOT / "docs" / "how-to" / "check-host.md"
_ROLES = {
    "dhcp": "67", "bootserver": "4011", "tftp": "69", "http": "8080", "https": "8443", "syslog": "514", "rivals": "68",
    "any": "any",
}  # fmt: skip


def in_capitals(text: str) -> str:
    """A wording with the names of its values in capitals."""
    return "".join(literal + (name or "").upper() for literal, name, _, _ in Formatter().parse(text))


def quote(code: Code) -> str:
    sentence = f"{in_capitals(WORDINGS[code].cause)}: {in_capitals(WORDINGS[code].remedy)}"
    lines = textwrap.wrap(sentence, 122, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {line}" for line in lines)


def table() -> str:
    rows = [
        f"| {program} | {_ROLES[role]} | {in_capitals(way).replace('|', '&#124;')} |"
        for (program, role), way in WAYS_OUT.items()
    ]
    return "\n".join(["| program | port | what to do |", "|---|---|---|", *rows])


def renew() -> None:
    text = PAPER.read_text()
    for code in Code:
        pattern = re.compile(rf"(?<=^#### {code}\n\n)(?:QUOTE:.*|(?:>.*\n)*>.*)", re.MULTILINE)
        text = pattern.sub(lambda _, code=code: quote(code), text)
    text = re.sub(r"^(?:TABLE|\| program .*\n(?:\|.*\n)*\|.*)$", lambda _: table(), text, flags=re.MULTILINE)
    PAPER.write_text(text)


def sections() -> dict[str, str]:
    found = re.split(r"^#### (.+)\n", PAPER.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_each_finding_is_on_the_page_and_nothing_else() -> None:
    if os.environ.get("PXED_GOLDEN") == "write":
        renew()
    assert {title for title in sections() if title != "Who has the port"} == set(Code)
    assert set(WORDINGS) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_a_finding_is_quoted_with_what_it_means(code: Code) -> None:
    said, severity, *meaning = sections()[code].strip().partition(f"\n\n*{WORDINGS[code].severity.capitalize()}.* ")
    assert said == quote(code)
    assert severity
    assert meaning[0].split("\n##")[0].strip()


def test_each_program_has_its_ways_out_on_the_page() -> None:
    assert table() in sections()["Who has the port"]
    assert {program for program, _ in WAYS_OUT} == set(Program)
