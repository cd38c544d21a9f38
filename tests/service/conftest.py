"""Fixtures of the tests that run pxed as a service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import inventory
from tests.lab.laboratory import fresh
from tests.lab.process import ROOT
from tests.service.site import Site, site


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[Site]:
    """One host for all tests of a file: it boots and is installed once. After a failure its logs stay."""
    inventory.prepare()
    name = request.module.__name__.rsplit("_", 1)[-1]
    directory: Path = fresh(ROOT / ".cache" / "artifacts" / f"service-{name}")
    with site(name, directory) as one:
        yield one
