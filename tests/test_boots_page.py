"""docs/reference/boots.md names every stage, client and outcome, with the times that pxed really waits."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from pxed.status.boots import Outcome, Stage
from pxed.status.patience import Patience

TEXT = (Path(__file__).parent.parent / "docs" / "reference" / "boots.md").read_text()
UNITS = {"s": 1, "min": 60}


def cells(header: str) -> list[list[str]]:
    """The rows of the table below a header."""
    part = TEXT.partition(f"## {header}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", part, re.MULTILINE)[2:]
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def test_every_stage_belongs_to_a_client_and_nearly_every_one_has_its_time() -> None:
    clients = [name for row in cells("Four clients with one MAC") for name in re.findall(r"`([a-z]+)`", row[-1])]
    assert clients == list(Stage)
    timed = [name for row in cells("The stages, and how long each may take") for name in re.findall(r"`(\w+)`", row[0])]
    assert timed == [stage for stage in Stage if stage not in (Stage.INSTALLING, Stage.RUNNING, Stage.INSTALLED)]


def test_each_time_is_the_one_that_pxed_waits() -> None:
    last = " | ".join(row[-1] for row in cells("The stages, and how long each may take"))
    said = {int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) (s|min)\b", last)}
    waits = asdict(Patience())
    for elsewhere in ("unseen", "silence", "forget", "loop"):
        del waits[elsewhere]
    assert said == {int(seconds) for seconds in waits.values()}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (Patience().unseen, "left in peace for three minutes"),
        (Patience().silence, "ten quiet minutes"),
        (Patience().forget, "nothing came for an hour"),
        (Patience().loop, "within 15 minutes"),
    ],
)
def test_each_other_time_is_told_in_words(seconds: float, words: str) -> None:
    numbers = {"three": 180, "ten": 600, "an hour": 3600, "15": 900}
    assert [number for word, number in numbers.items() if word in words] == [seconds]
    assert words in " ".join(TEXT.split())


def test_every_outcome_is_explained() -> None:
    told = [name for row in cells("How boots end") for name in re.findall(r"`(\w+)`", row[0])]
    assert told == [*(str(outcome) for outcome in Outcome if outcome), "null"]
