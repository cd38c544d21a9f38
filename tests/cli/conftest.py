"""An inventory with a release server behind it."""

from __future__ import annotations

import pytest

from tests.cli.imagesite import A, B, Home
from tests.releases.server import ReleaseServer


@pytest.fixture
def releases(tmp_path):
    with ReleaseServer(tmp_path / "releases") as server:
        yield server


@pytest.fixture
def home(tmp_path, releases):
    home = Home(tmp_path, releases)
    home.write()
    return home


@pytest.fixture
def staged(home):
    """B is new, node1 is its canary, A is promoted."""
    home.write("canary: [node1]")
    home.synced(A, B)
    return home
