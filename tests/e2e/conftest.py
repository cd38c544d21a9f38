"""Fixtures of the tests that boot real firmware."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab import inventory
from tests.lab.laboratory import fresh
from tests.lab.process import ROOT


@pytest.fixture(scope="session", autouse=True)
def _kernel() -> None:
    """Have the guests' kernel before the first test's clock runs: the first time it is downloaded."""
    inventory.prepare()


@pytest.fixture
def artifacts(request: pytest.FixtureRequest) -> Path:
    """This test's own directory. A laboratory removes it when all went well; after a failure captures and logs stay."""
    return fresh(ROOT / ".cache" / "artifacts" / re.sub(r"[^\w-]+", "-", request.node.name).strip("-"))
