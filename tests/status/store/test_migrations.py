"""The schema: as the tables say, made from every version that was released, and never guessed at."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect

from pxed.status.records import FirstBoot, Row, Timeline
from pxed.status.store import StoreError, Trouble
from pxed.status.store.migrations import VERSION
from pxed.status.store.tables import METADATA
from tests.status.store.places import ONE_OF_EACH, Place
from tests.status.store.test_store import rows_of

RELEASED = sorted((Path(__file__).parent / "released").glob("version*.sql"))  # dumps of stores as pxed made them


def run(place: Place, request, *statements: str) -> None:
    """Statements in a store's database that pxed does not have open."""
    if place.state == "sqlite":
        with sqlite3.connect(place.data_dir / "state.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
    else:
        request.getfixturevalue("postgres").run(place.state, *statements)


def schema(place: Place) -> dict[str, list[tuple[object, ...]]]:
    """Tables and indexes as the database has them."""
    connection = place.opened[-1]._connection
    with connection.begin():
        found = inspect(connection)
        return {
            name: [
                tuple((column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)),
                tuple(found.get_pk_constraint(name)["constrained_columns"]),
                *sorted((index["name"], *index["column_names"]) for index in found.get_indexes(name)),
            ]
            for name in found.get_table_names()
        }


def test_a_new_store_has_the_tables_that_statements_are_built_for(place):
    place.open()
    made = schema(place)
    assert set(made) == set(METADATA.tables)
    for name, table in METADATA.tables.items():
        columns, key, *_ = made[name]
        assert [(column, nullable) for column, _, nullable in columns] == [(c.name, c.nullable) for c in table.columns]
        assert key == tuple(column.name for column in table.primary_key)


def test_every_version_is_kept_as_it_was_released():
    assert [path.name for path in RELEASED] == [f"version{number}.sql" for number in range(1, VERSION + 1)]


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_store_of_a_released_version_becomes_this_version_with_its_rows(place, request, released, tmp_path_factory):
    run(place, request, *released.read_text().split(";\n")[:-1])
    store = place.open()
    assert rows_of(store) == {row for row in (_as_of(released, row) for row in ONE_OF_EACH) if row is not None}
    migrated = schema(place)
    fresh = Place(*(place.state, tmp_path_factory.mktemp("fresh")))
    if place.state != "sqlite":
        fresh.state = request.getfixturevalue("postgres").place()
    fresh.open()
    assert migrated == schema(fresh)
    fresh.close()


def _as_of(released: Path, row: Row) -> Row | None:
    """The row without what that version did not have; None where it had no such rows."""
    if released.stem in ("version1", "version2") and isinstance(row, Timeline):
        return None
    if released.stem == "version1" and isinstance(row, FirstBoot):
        return replace(row, macs=())
    return row


@pytest.mark.parametrize("read_only", [False, True], ids=["by the daemon", "by a command"])
def test_a_store_of_a_newer_pxed_is_refused(place, request, read_only):
    place.open().write(ONE_OF_EACH)
    place.close()
    run(place, request, f"UPDATE pxed_schema SET version = {VERSION + 1}")
    with pytest.raises(StoreError, match="was written by a newer pxed"):
        place.open(read_only=read_only)
    run(place, request, f"UPDATE pxed_schema SET version = {VERSION}")
    assert rows_of(place.open()) == set(ONE_OF_EACH)


def test_a_store_of_an_older_pxed_is_left_to_the_daemon(place, request):
    place.open()
    place.close()
    run(place, request, "UPDATE pxed_schema SET version = 0")
    with pytest.raises(StoreError, match=r"does not say which version|was written by an older pxed"):
        place.open(read_only=True)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("DELETE FROM pxed_schema", id="no version"),
        pytest.param("INSERT INTO pxed_schema (version, owner) VALUES (1, '')", id="two versions"),
    ],
)
def test_a_store_that_does_not_say_its_version_is_refused(place, request, statement):
    place.open()
    place.close()
    run(place, request, statement)
    with pytest.raises(StoreError, match="does not say which version"):
        place.open()


def test_tables_of_others_are_left_alone(place, request):
    run(place, request, "CREATE TABLE wages (name TEXT)")
    with pytest.raises(StoreError, match=r"has tables that are not pxed's \(wages\)") as refused:
        place.open()
    assert refused.value.trouble is Trouble.UNUSABLE


def test_a_row_that_this_pxed_does_not_understand_stops_the_start(place, request):
    place.open().write(ONE_OF_EACH)
    place.close()
    run(place, request, "UPDATE standings SET state = 'beamed-up' WHERE machine = 'node1'")
    with pytest.raises(StoreError, match=r"does not understand: .*beamed-up"):
        place.open().load()
