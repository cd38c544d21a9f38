from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.status.store.places import Place


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request, tmp_path) -> Iterator[Place]:
    """Where a store can be, empty; on either database."""
    state = "sqlite" if request.param == "SQLite" else request.getfixturevalue("postgres").place()
    place = Place(state, tmp_path)
    yield place
    place.close()
