"""Every test here has a release server and an empty mirror."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.mirror.site import Site
from tests.releases.server import ReleaseServer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "data").mkdir()
    with ReleaseServer(tmp_path / "releases") as server:
        yield Site(server, tmp_path / "data")
