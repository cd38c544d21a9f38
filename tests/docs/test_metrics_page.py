"""The table of metrics in the reference is what the code makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docs.generate.metrictable import renewed

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"


def test_the_table_of_the_page_is_the_codes() -> None:
    """PXED_GOLDEN=write renews it."""
    text = PAGE.read_text()
    if os.environ.get("PXED_GOLDEN") == "write":
        PAGE.write_text(renewed(text))
    assert text == renewed(text)


def test_a_page_without_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 tables"):
        renewed("# Metrics\n")


def test_a_stale_row_is_renewed() -> None:
    text = PAGE.read_text()
    assert renewed(text.replace("| `pxed_stuck` | gauge |", "| `pxed_jammed` | counter |")) == text
