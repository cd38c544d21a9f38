"""The documentation site, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generate.links import Verdict
from docs.generate.site import build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verdict]:
    """Where it is, and what its links are worth."""
    directory = tmp_path_factory.mktemp("site")
    return directory, build(directory)


@pytest.fixture(scope="session")
def site(built: tuple[Path, Verdict]) -> Path:
    return built[0]
