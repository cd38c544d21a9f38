"""What pxed kept in files before it had a store is taken over once."""

from __future__ import annotations

import json

import pytest

from pxed.status.records import Booted
from pxed.status.store import StoreError
from tests.status.store.test_store import rows_of

BOOT = {"image": "stable", "version": "4593.2.5", "kernel": "ab", "initrd": "cd", "time": 11.5}


def test_the_old_files_are_taken_over_at_the_first_open(place):
    (place.data_dir / "booted.json").write_text(json.dumps({"node1": BOOT}))
    (place.data_dir / "first-boot.json").write_text(json.dumps({"node1": "LABEL=ROOT"}))
    store = place.open()
    contents = store.load()
    assert store.booted() == {"node1": Booted("node1", "stable", "4593.2.5", "ab", "cd", 11.5)}
    assert contents.first_boots["node1"].root == "LABEL=ROOT"
    assert contents.notices == ()
    assert sorted(path.name for path in place.data_dir.glob("*.json*")) == [
        "booted.json.imported",
        "first-boot.json.imported",
    ]


def test_they_are_not_taken_over_into_a_store_that_is_there(place):
    place.open()
    (place.data_dir / "booted.json").write_text(json.dumps({"node1": BOOT}))
    assert rows_of(place.again()) == set()


@pytest.mark.parametrize("content", ["{", "[]", '{"node1": 1}', '{"node1": {}}'])
def test_a_record_of_boots_that_is_broken_is_said_and_left_out(place, content):
    (place.data_dir / "booted.json").write_text(content)
    store = place.open()
    assert rows_of(store) == set()
    contents = store.load()
    assert [notice for notice in contents.notices if "what machines booted before is not known" in notice]


@pytest.mark.parametrize("content", ["{", "[]", '{"node1": 1}', b"\xff"])
def test_a_record_of_first_boots_that_is_broken_stops_the_start(place, content):
    path = place.data_dir / "first-boot.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError, match="repair it, or remove it and Ignition runs again"):
        place.open()
    path.write_text("{}")
    assert rows_of(place.open()) == set()
