"""JSON as Go writes Ignition's structs: order, what is left out, escapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from pxed.ignition import spec
from tests.ignition.spec.configs import configs

V33 = {"version": "3.3.0"}


def user(**fields: Any) -> dict[str, Any]:
    return {"ignition": V33, "passwd": {"users": [fields]}}


def written(text: str) -> str:
    """A user's gecos as it stands in the JSON."""
    return (
        spec.marshal(user(name="a", gecos=text), "3.3.0")
        .decode()
        .partition('"gecos":"')[2]
        .removesuffix('","name":"a"}]}}')
    )


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "keys come in the order of the Go structs": (
        {"systemd": {"units": [{"name": "a.service", "mask": True, "enabled": False}]}, "ignition": V33},
        '{"ignition":{"version":"3.3.0"},"systemd":{"units":[{"enabled":false,"mask":true,"name":"a.service"}]}}',
    ),
    "a file's own fields stand among those of every node": (
        {"ignition": V33, "storage": {"files": [{"mode": 420, "path": "/a", "contents": {"source": "data:,"}}]}},
        '{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/a","contents":{"source":"data:,"},"mode":420}]}}',
    ),
    "pointers to zero values are kept": (
        user(name="", uid=0, system=False, shell=""),
        '{"ignition":{"version":"3.3.0"},"passwd":{"users":[{"name":"","shell":"","system":false,"uid":0}]}}',
    ),
    "names that are not set are written": (
        {"ignition": V33, "storage": {"raid": [{}]}},
        '{"ignition":{"version":"3.3.0"},"storage":{"raid":[{"name":""}]}}',
    ),
    "a partition's number is left out when it is zero": (
        {"ignition": V33, "storage": {"disks": [{"device": "/dev/a", "partitions": [{"number": 0, "label": "x"}]}]}},
        '{"ignition":{"version":"3.3.0"},"storage":{"disks":[{"device":"/dev/a","partitions":[{"label":"x"}]}]}}',
    ),
    "empty lists and structs are left out": (
        {"ignition": {**V33, "config": {"merge": [], "replace": {}}, "security": {"tls": {}}}, "storage": {}},
        '{"ignition":{"version":"3.3.0"}}',
    ),
    "an empty entry of a list is kept": (
        {"ignition": {**V33, "config": {"merge": [{}]}}},
        '{"ignition":{"config":{"merge":[{}]},"version":"3.3.0"}}',
    ),
    "keys that are not in the spec are left out": ({"ignition": V33, "other": 1}, '{"ignition":{"version":"3.3.0"}}'),
    "a version that is not set is empty": ({}, '{"ignition":{"version":""}}'),
}


@pytest.mark.parametrize("config, expected", CASES.values(), ids=CASES)
def test_a_config_is_written(config, expected):
    assert spec.marshal(config, "3.3.0").decode() == expected


ESCAPES = {
    "quotes and backslashes": ('"\\', '\\"\\\\'),
    "newline, return and tab": ("\n\r\t", "\\n\\r\\t"),
    "other control characters, which have no short form": ("\x00\b\f\x1b", "\\u0000\\u0008\\u000c\\u001b"),
    "a backslash before a letter": ("\\b\\f", "\\\\b\\\\f"),
    "what HTML gives a meaning": ("<a>&", "\\u003ca\\u003e\\u0026"),
    "line separators of JavaScript": ("\u2028\u2029", "\\u2028\\u2029"),
    "other characters as they are": ("é\x7f😀", "é\x7f😀"),
    "a byte that is no UTF-8": ("a\udce4", "a\\ufffd"),
}


@pytest.mark.parametrize("text, expected", ESCAPES.values(), ids=ESCAPES)
def test_a_string_is_escaped(text, expected):
    assert written(text) == expected


def test_tang_is_written_in_the_order_of_3_4_0():
    tang = {"url": "http://t", "thumbprint": "x", "advertisement": "{}"}
    config = {"ignition": {"version": "3.4.0"}, "storage": {"luks": [{"name": "a", "clevis": {"tang": [tang]}}]}}
    assert b'[{"advertisement":"{}","thumbprint":"x","url":"http://t"}]' in spec.marshal(config, "3.4.0")
    assert b'[{"thumbprint":"x","url":"http://t"}]' in spec.marshal(config, "3.3.0")


def test_lists_without_omitempty_are_null_in_3_2_0():
    config = {"ignition": {"version": "3.2.0"}, "storage": {"raid": [{"name": "a"}]}}
    assert b'{"devices":null,"level":"","name":"a"}' in spec.marshal(config, "3.2.0")


def test_pretty_indents_by_two_spaces():
    assert spec.marshal({"ignition": {**V33, "config": {"merge": [{}]}}}, "3.3.0", pretty=True).decode().split(
        "\n"
    ) == [
        "{",
        '  "ignition": {',
        '    "config": {',
        '      "merge": [',
        "        {}",
        "      ]",
        "    },",
        '    "version": "3.3.0"',
        "  }",
        "}",
    ]


@settings(max_examples=40, deadline=None)
@given(configs("3.4.0"))
def test_what_is_written_is_read_back_the_same(config):
    body = spec.marshal(config, "3.4.0")
    read, findings = spec.parse(body, "3.4.0")
    assert read is not None and not findings
    assert spec.marshal(read, "3.4.0") == body
    assert json.loads(spec.marshal(config, "3.4.0", pretty=True)) == json.loads(body)
