"""Butane's own tables of what it refuses before translating: base/v0_5/validate_test.go, base/util/file_test.go."""

from __future__ import annotations

import pytest

from pxed.ignition import butane
from pxed.ignition.butane.modes import looks_decimal
from pxed.ignition.butane.names import camel, snake
from tests.ignition.butane.support import Memory, config

RESOURCES = "only one of the following can be set: inline, local, source"
SYSTEMD = "only one of the following can be set: contents, contents_local"
DECIMAL = "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero"

BAD_DIRECTORIES = {
    *(500, 550, 555, 700, 750, 755, 770, 775, 777, 1700, 1750, 1755, 1770, 1775, 1777),
    *(2700, 2750, 2755, 2770, 2775, 2777, 3700, 3750, 3755, 3770, 3775, 3777),
}
BAD_FILES = {
    *(400, 440, 444, 500, 550, 555, 600, 640, 644, 660, 664, 666, 700, 750, 755, 770, 775, 777),
    *(2500, 2550, 2555, 2700, 2750, 2755, 2770, 2775, 4500, 4550, 4555, 4700, 4750, 4755, 4770, 4775),
    *(6500, 6550, 6555, 6700, 6750, 6755, 6770, 6775),
}


@pytest.mark.parametrize(("directory", "bad"), [(True, BAD_DIRECTORIES), (False, BAD_FILES)])
def test_all_modes_up_to_10000_that_were_meant_as_octal(directory, bad):
    assert {mode for mode in range(-1, 10001) if looks_decimal(mode, directory)} == bad


def said(body, version="1.1.0"):
    """Severity, path and message of every entry."""
    result = butane.translate(config(body, version), files=Memory({"hello": b"hello", "unit": b""}))
    return [(str(entry.severity), entry.path, entry.message) for entry in result.entries]


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        ("", None),
        ("source: 'http://example/com', compression: gzip", None),
        ("inline: hello, compression: gzip", None),
        ("local: hello, compression: gzip", None),
        ("source: 'data:,hello', inline: hello", "source"),
        ("source: 'data:,hello', local: hello", "source"),
        ("inline: hello, local: hello", "inline"),
        ("source: 'data:,hello', inline: hello, local: hello", "source"),
        ("source: '', inline: ''", "source"),
        ("source: ~, inline: '', local: ~", None),
    ],
)
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("storage: {files: [{path: /a, contents: {%s}}]}", "$.storage.files.0.contents"),
        ("storage: {files: [{path: /a, append: [{}, {%s}]}]}", "$.storage.files.0.append.1"),
        ("storage: {luks: [{name: a, device: /a, key_file: {%s}}]}", "$.storage.luks.0.key_file"),
    ],
)
def test_a_resource_has_at_most_one_source(resource, field, body, path):
    assert said(body % resource) == ([("error", f"{path}.{field}", RESOURCES)] if field else [])


def test_a_tree_needs_a_directory():
    assert said("storage: {trees: [{}, {local: ''}, {path: /x}]}") == [
        ("error", f"$.storage.trees.{index}", "local is required") for index in range(3)
    ]


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ("files: [{path: /a}]", None),
        ("files: [{path: /a, mode: 0600}]", None),
        ("files: [{path: /a, mode: 600}]", "$.storage.files.0.mode"),
        ("directories: [{path: /a}]", None),
        ("directories: [{path: /a, mode: 0770}]", None),
        ("directories: [{path: /a, mode: 0o770}]", None),
        ("directories: [{path: /a, mode: 770}]", "$.storage.directories.0.mode"),
    ],
)
def test_a_mode_in_decimal_is_a_warning(nodes, path):
    # 600 is 01130 and 770 is 01402: sticky bits besides.
    assert [entry for entry in said(f"storage: {{{nodes}}}") if "setuid" not in entry[2]] == (
        [("warning", path, DECIMAL)] if path else []
    )


@pytest.mark.parametrize(
    ("filesystem", "field", "message"),
    [
        ("device: /dev/foo", None, ""),
        ("device: /dev/foo, format: xfs, path: /z, with_mount_unit: true", None, ""),
        ("device: /dev/foo, format: swap, with_mount_unit: true", None, ""),
        ("device: /dev/foo, with_mount_unit: false", None, ""),
        ("device: /dev/foo, with_mount_unit: true", "format", "format is required if with_mount_unit is true"),
        (
            "device: /dev/foo, format: zzz, with_mount_unit: true",
            "path",
            "path is required if with_mount_unit is true and format is not swap",
        ),
    ],
)
def test_a_mount_unit_needs_a_format_and_a_path(filesystem, field, message):
    expected = [("error", f"$.storage.filesystems.0.{field}", message)] if field else []
    assert said(f"storage: {{filesystems: [{{{filesystem}}}]}}") == expected


@pytest.mark.parametrize(
    ("contents", "wrong"),
    [
        ("", False),
        (", contents: ''", False),
        (", contents_local: unit", False),
        (", contents: '', contents_local: unit", True),
        (", contents: '', contents_local: ''", True),
    ],
)
@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("{name: a.service%s}", "$.systemd.units.0.contents_local"),
        ("{name: a.service, dropins: [{name: a.conf%s}]}", "$.systemd.units.0.dropins.0.contents_local"),
    ],
)
def test_a_unit_has_at_most_one_text(contents, wrong, unit, path):
    assert said(f"systemd: {{units: [{unit % contents}]}}") == ([("error", path, SYSTEMD)] if wrong else [])


@pytest.mark.parametrize(
    ("name", "result"),
    [("", ""), ("foo", "foo"), ("snakeCase", "snake_case"), ("longSnakeCase", "long_snake_case"),
     ("snake_already", "snake_already"), ("sizeMiB", "size_mib"), ("typeGuid", "type_guid")],
)  # fmt: skip
def test_snake(name, result):
    assert snake(name) == result


@pytest.mark.parametrize(
    ("name", "result"),
    [("", ""), ("foo", "foo"), ("snake_case", "snakeCase"), ("long_snake_case", "longSnakeCase"),
     ("camelAlready", "camelAlready"), ("size_mib", "sizeMiB"), ("type_guid", "typeGuid")],
)  # fmt: skip
def test_camel(name, result):
    assert camel(name) == result


def test_an_inlined_config_is_told_of_by_its_own_paths():
    """ValidateIgnitionConfig: json paths of the inner config; only the outer `inline` is a path of this one."""
    inner = '{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"a"},{"path":"/b"},{"path":"/b"}]},"x":1}'
    for place in ("merge: [{inline: '%s'}]", "replace: {inline: '%s'}"):
        assert said(f"ignition: {{config: {{{place % inner}}}}}") == [
            ("error", "$.storage.files.0.path", "path not absolute"),
            ("error", "$.storage.files.2", "duplicate entry defined"),
            ("warning", "$.x", "unused key x"),
        ]


@pytest.mark.parametrize(
    ("place", "path"),
    [("merge: [{inline: '%s'}]", "merge.0"), ("replace: {inline: '%s'}", "replace")],
)
@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('{"ignition":{"version":"3.4.0"}}', []),
        (
            '{"ignition":{"version":"3.99.0"}}',
            [("warning", "version",
              "skipping validation for the merge/replace ignition config due to an unkown version")],
        ),
        ('{"ignition":{"version":"3.3.0"}}', [("warning", "version",
              "skipping validation for the merge/replace ignition config due to an unkown version")]),
    ],
)  # fmt: skip
def test_an_inlined_config_of_another_version_is_not_looked_into(place, path, inner, expected):
    assert said(f"ignition: {{config: {{{place % inner}}}}}") == [
        (severity, f"$.ignition.config.{path}.{field}", message) for severity, field, message in expected
    ]
