"""Problems that others find in an inventory get the place of their key."""

from pathlib import Path

import pytest

from pxed.errors import Problem
from pxed.inventory.loader import located
from pxed.inventory.places import path_of

TEXT = """\
server: {unknown: hold}
machines:
  node1:
    mac: 52:54:00:00:00:01
  node1.example: {mac: 52:54:00:00:00:02}
"""
PLACES = {
    "a machine": ("machines.node1", (3, 3)),
    "a machine whose name has a dot": ("machines.node1.example", (5, 3)),
    "a field of a machine": ("machines.node1.mac", (4, 5)),
    "a field that is absent: its mapping": ("server.loaders.bios", (1, 1)),
    "a key that is not there at all: the start": ("images.x", (1, 1)),
}


@pytest.mark.parametrize(("key", "place"), PLACES.values(), ids=PLACES)
def test_a_key_gets_its_place(key, place, tmp_path):
    path = tmp_path / "pxed.yaml"
    path.write_text(TEXT)
    (problem,) = located([Problem(path, 0, 0, key, "wrong")], path)
    assert (problem.line, problem.column) == place


def test_a_problem_of_another_file_or_with_a_place_stays_as_it_is(tmp_path):
    path = tmp_path / "pxed.yaml"
    path.write_text(TEXT)
    problems = [Problem(Path("other.ign"), 0, 0, "machines.node1", "x"), Problem(path, 7, 1, "machines.node1", "x")]
    assert located(problems, path) == problems


def test_a_path_stops_where_the_text_does():
    assert path_of({"a": {"b": 1}}, "a.c.d") == ("a",)
    assert path_of([], "a") == ()
    assert path_of({"a": [{"b": 1}, {"b.c": 2}]}, "a[1].b.c") == ("a", 1, "b.c")
    assert path_of({"a": [0] * 11}, "a[10]") == ("a", 10)
    assert path_of({"a": [0]}, "a[1]") == ("a",)
