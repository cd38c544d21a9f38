"""Events as lines of JSON, between the process that syncs and the daemon."""

from __future__ import annotations

import json

import pytest

from pxed.assets.mirror.errors import MirrorError
from pxed.assets.mirror.events import (
    Failed,
    Progress,
    Published,
    Removed,
    Resolved,
    Retrying,
    UpToDate,
    Warned,
    from_json,
    to_json,
)
from pxed.assets.mirror.wording import sentence

EVENTS = [
    Resolved("x", "stable", "amd64", "1.0.0", "http://r/"),
    Progress(("x", "y"), "stable", "amd64", "1.0.0", "kernel", 1, 2, 0),
    Retrying(("x",), "1.0.0", "kernel", "the connection broke", 1.5),
    Published(("x",), "stable", "amd64", "1.0.0", 12, 99, "ABC", "not signed"),
    UpToDate(("x",), "stable", "amd64", "1.0.0"),
    Failed("x", "", "Übel\nin two lines", "0.9.0"),
    Warned("", "look"),
    Removed("stable", "amd64", "0.1.0", 5),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_from_its_line(event):
    line = to_json(event)
    assert "\n" not in line
    assert json.loads(line)["event"]
    assert from_json(line) == event


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="an empty line"),
        pytest.param("[]", id="a list"),
        pytest.param("3", id="a number"),
        pytest.param("{}", id="no event"),
        pytest.param('{"event": "no such"}', id="an event of another version"),
        pytest.param('{"event": "removed"}', id="an event without its fields"),
        pytest.param('{"event": "warned", "image": "", "message": "", "x": 1}', id="an event with one field more"),
    ],
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(MirrorError, match="expected an event of a sync"):
        from_json(line)


@pytest.mark.parametrize(
    ("serving", "stays"),
    [
        ("", "it has nothing to boot yet"),
        ("0.9.0", "0.9.0 goes on being served"),
        ("1.0.0", "of what it had, what is right goes on being served"),
    ],
    ids=["nothing", "an older version", "the same version, which was to be repaired"],
)
def test_a_failure_says_what_goes_on_being_served(serving, stays):
    assert sentence(Failed("x", "1.0.0", "why", serving)) == f"1.0.0 was not mirrored: why; {stays}"
