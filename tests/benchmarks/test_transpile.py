"""The configs that are measured are right ones."""

from __future__ import annotations

import pytest

from benchmarks.cases import transpile
from pxed.ignition import butane


def test_every_config_of_the_measured_fleet_is_right() -> None:
    (case,) = transpile.cases()
    sample = case.measure(None, None, True)  # type: ignore[arg-type]  # it needs no server
    assert (sample.problem, sample.details) == ("", {"configs": 100})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "variant: flatcar\nversion: 1.1.0\nfoo: 1",
        "variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /a}]}",
    ],
)
def test_a_config_that_is_not_right_spoils_the_figure(text: str) -> None:
    with pytest.raises((KeyError, AssertionError)):
        assert transpile._right(butane.translate(text), 0)
