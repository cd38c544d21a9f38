"""docs/how-to/troubleshooting.md has an entry for each fault that pxed can name, in the very words that pxed uses."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from string import Formatter

import pytest

from pxed.status.wordings import WORDINGS, Fault

PAPER = Path(__file__).parent.parent / "docs" / "how-to" / "troubleshooting.md"
CODE = re.compile(r"PXE-E\w\w")
HEADER = re.compile(r"^#+ (.+)$", re.MULTILINE)


def sections() -> dict[str, str]:
    """What stands below each fault's header."""
    found = re.split(r"^#+ (.+)\n", PAPER.read_text(), flags=re.MULTILINE)
    return {title: text for title, text in zip(found[1::2], found[2::2], strict=True) if title in list(Fault)}


def in_capitals(text: str) -> str:
    """A wording with the names of its values in capitals."""
    return "".join(literal + (name or "").upper() for literal, name, _, _ in Formatter().parse(text))


def quoted(text: str) -> str:
    lines = textwrap.wrap(f"{in_capitals(text)}.", 122, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {line}" for line in lines)


def quote(fault: Fault) -> str:
    """How the page quotes what pxed says."""
    return f"{quoted(WORDINGS[fault].cause)}\n>\n{quoted(WORDINGS[fault].remedy)}"


def renew() -> None:
    """Put the words of pxed into the page."""
    text = PAPER.read_text()
    for fault in sections():
        start = text.index(f"#### {fault}\n")
        quoted = re.compile(r"(?:^>.*\n)+", re.MULTILINE).search(text, start)
        assert quoted is not None
        text = f"{text[: quoted.start()]}{quote(Fault(fault))}\n{text[quoted.end() :]}"
    PAPER.write_text(text)


def test_each_fault_has_an_entry_in_the_order_of_a_boot() -> None:
    """PXED_GOLDEN=write renews what the page quotes."""
    if os.environ.get("PXED_GOLDEN") == "write":
        renew()
    assert list(sections()) == list(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_an_entry_says_what_pxed_says_what_the_screen_shows_and_what_it_means(fault: Fault) -> None:
    said, screen, *meaning = sections()[fault].strip().partition("\n\n*On the screen.* ")
    assert said == quote(fault)
    assert screen
    shows, _, means = meaning[0].partition("\n\n")
    assert shows
    assert means.split("\n##")[0].strip()


def test_each_code_that_pxed_says_is_in_the_table_of_screens() -> None:
    table = PAPER.read_text().partition("### Nothing arrives")[0]
    listed = set(CODE.findall(table)) | {f"PXE-{code}" for code in re.findall(r"\bE\w\w\b", table)}
    said = {code for wording in WORDINGS.values() for code in CODE.findall(wording.cause)}
    assert said <= listed


def test_each_link_within_the_page_leads_to_a_header() -> None:
    text = PAPER.read_text()
    anchors = {title.lower().replace(" ", "-") for title in HEADER.findall(text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
