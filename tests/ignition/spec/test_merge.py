"""Merging as Ignition does: which side wins, in which order entries stand."""
# ruff: noqa: E501

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from pxed.ignition import spec
from tests.ignition.spec.configs import configs

Config = dict[str, Any]


def files(*items: Config, **lists: list[Config]) -> Config:
    return {"storage": {"files": list(items), **lists}}


def user(**fields: Any) -> Config:
    return {"passwd": {"users": [{"name": "core", **fields}]}}


CASES: dict[str, tuple[Config, Config, Config]] = {
    "what only the parent has stays": (user(uid=1), {}, user(uid=1)),
    "what only the child has is added": ({}, user(uid=1), user(uid=1)),
    "the child's value wins": (user(uid=1, shell="/bin/sh"), user(uid=2), user(uid=2, shell="/bin/sh")),
    "the child's zero value wins": (user(uid=1, system=True), user(uid=0, system=False), user(uid=0, system=False)),
    "the parent's entries come first and keep their places": (
        files({"path": "/a"}, {"path": "/b", "mode": 1}, {"path": "/c"}),
        files({"path": "/d"}, {"path": "/b", "mode": 2}),
        files({"path": "/a"}, {"path": "/b", "mode": 2}, {"path": "/c"}, {"path": "/d"}),
    ),
    "contents are merged field by field": (
        files({"path": "/a", "contents": {"source": "data:,a", "compression": "gzip"}}),
        files({"path": "/a", "contents": {"source": "data:,b"}}),
        files({"path": "/a", "contents": {"source": "data:,b", "compression": "gzip"}}),
    ),
    "appended contents add up": (
        files({"path": "/a", "append": [{"source": "data:,a"}]}),
        files({"path": "/a", "append": [{"source": "data:,a"}]}),
        files({"path": "/a", "append": [{"source": "data:,a"}, {"source": "data:,a"}]}),
    ),
    "options add up": (
        {"storage": {"filesystems": [{"device": "/d", "options": ["a"], "mountOptions": ["b"]}]}},
        {"storage": {"filesystems": [{"device": "/d", "options": ["a"], "mountOptions": ["c"]}]}},
        {"storage": {"filesystems": [{"device": "/d", "options": ["a", "a"], "mountOptions": ["b", "c"]}]}},
    ),
    "keys are a set": (user(sshAuthorizedKeys=["a", "b"]), user(sshAuthorizedKeys=["b", "c"]), user(sshAuthorizedKeys=["a", "b", "c"])),
    "a file that becomes a link": (
        files({"path": "/a", "mode": 1}, {"path": "/b"}),
        {"storage": {"links": [{"path": "/a", "target": "/b"}]}},
        files({"path": "/b"}, links=[{"path": "/a", "target": "/b"}]),
    ),
    "an argument that becomes unwanted": (
        {"kernelArguments": {"shouldExist": ["a", "b"]}},
        {"kernelArguments": {"shouldNotExist": ["a"]}},
        {"kernelArguments": {"shouldExist": ["b"], "shouldNotExist": ["a"]}},
    ),
    "a header without value takes the parent's away": (
        files({"path": "/a", "contents": {"httpHeaders": [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]}}),
        files({"path": "/a", "contents": {"httpHeaders": [{"name": "x"}, {"name": "z", "value": "3"}]}}),
        files({"path": "/a", "contents": {"httpHeaders": [{"name": "y", "value": "2"}, {"name": "z", "value": "3"}]}}),
    ),
    "partitions are known by their numbers, or else by their labels": (
        {"storage": {"disks": [{"device": "/d", "partitions": [{"number": 1, "label": "a"}, {"label": "b"}]}]}},
        {"storage": {"disks": [{"device": "/d", "partitions": [{"number": 1, "label": "c"}, {"label": "b", "sizeMiB": 5}, {"label": "a"}]}]}},
        {"storage": {"disks": [{"device": "/d", "partitions": [{"number": 1, "label": "c"}, {"label": "b", "sizeMiB": 5}, {"label": "a"}]}]}},
    ),
    "units are merged with their drop-ins": (
        {"systemd": {"units": [{"name": "a.service", "enabled": True, "dropins": [{"name": "x.conf", "contents": "1"}]}]}},
        {"systemd": {"units": [{"name": "a.service", "contents": "2", "dropins": [{"name": "y.conf"}]}]}},
        {"systemd": {"units": [{"name": "a.service", "enabled": True, "contents": "2", "dropins": [{"name": "x.conf", "contents": "1"}, {"name": "y.conf"}]}]}},
    ),
    "an unset version leaves the parent's": (
        {"ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 1}}},
        {},
        {"ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 1}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("parent, child, expected", CASES.values(), ids=CASES)
def test_two_configs_are_merged(parent, child, expected):
    before = deepcopy((parent, child))
    assert spec.merge(parent, child, "3.4.0") == expected
    assert (parent, child) == before


@settings(max_examples=40, deadline=None)
@given(configs("3.4.0"), configs("3.4.0"))
def test_merging_adds_no_fault_of_duplicates_that_neither_side_has(parent, child):
    if not spec.duplicates(parent, "3.4.0") and not spec.duplicates(child, "3.4.0"):
        assert spec.duplicates(spec.merge(parent, child, "3.4.0"), "3.4.0") == []


@settings(max_examples=40, deadline=None)
@given(configs("3.3.0"))
def test_an_empty_side_changes_nothing(config):
    body = spec.marshal(config, "3.3.0")
    assert spec.marshal(spec.merge(config, {}, "3.3.0"), "3.3.0") == body
    assert spec.marshal(spec.merge({}, config, "3.3.0"), "3.3.0") == body
