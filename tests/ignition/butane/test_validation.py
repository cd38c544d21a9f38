"""Butane's own validation, the order of the steps, and what each version knows."""

import pytest

from pxed.ignition import butane
from pxed.ignition.butane.modes import looks_decimal
from tests.ignition.butane.support import Memory, config, messages, translated

SOURCE, RESULT = "source config is invalid", "config generated was invalid"
DECIMAL = "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("version: 1.1.0", "error parsing variant; must be specified"),
        ("variant: flatcar", "error parsing version; must be a valid semver"),
        ("variant: flatcar\nversion: 1.1", "error parsing version; must be a valid semver"),
        ("variant: flatcar\nversion: 1.1.0.0", "error parsing version; must be a valid semver"),
        ("variant: flatcar\nversion: 1.1.x", "error parsing version; must be a valid semver"),
        ("variant: flatcar\nversion: 1.2.0", "No translator exists for variant flatcar with version 1.2.0"),
        ("variant: flatcar\nversion: 1.1.0-rc.1", "No translator exists for variant flatcar with version 1.1.0-rc.1"),
        ("variant: flatcar\nversion: 1.1.0+b", "No translator exists for variant flatcar with version 1.1.0+b"),
        ("variant: fcos\nversion: 1.5.0", "No translator exists for variant fcos with version 1.5.0"),
        ("variant: Flatcar\nversion: 1.1.0", "No translator exists for variant Flatcar with version 1.1.0"),
    ],
)
def test_a_config_says_what_it_is(text, error):
    assert butane.translate(text) == butane.Result(None, (), error, "", ())


@pytest.mark.parametrize(
    ("contents", "field", "column"),
    [
        ("{source: 'http://x', inline: y}", "source", 49),
        ("{inline: y, local: z}", "inline", 49),
        ("{local: z, source: 'http://x'}", "source", 59),
        ("{source: ~, local: z, inline: ''}", "inline", 70),
    ],
)
def test_a_resource_has_one_source(contents, field, column):
    assert messages(f"storage: {{files: [{{path: /a, contents: {contents}}}]}}", files=Memory({"z": b""})) == [
        f"error at $.storage.files.0.contents.{field}, line 3 col {column}: "
        "only one of the following can be set: inline, local, source",
        SOURCE,
    ]


@pytest.mark.parametrize(
    ("filesystem", "message"),
    [
        ("{device: /a, with_mount_unit: true}", "format, line 3 col 25: format is required if with_mount_unit is true"),
        (
            "{device: /a, format: '', path: /x, with_mount_unit: true}",
            "format, line 3 col 46: format is required if with_mount_unit is true",
        ),
        (
            "{device: /a, format: ext4, with_mount_unit: true}",
            "path, line 3 col 25: path is required if with_mount_unit is true and format is not swap",
        ),
        (
            "{device: /a, format: ext4, path: '', with_mount_unit: true}",
            "path, line 3 col 58: path is required if with_mount_unit is true and format is not swap",
        ),
    ],
)
def test_a_mount_unit_needs_format_and_path(filesystem, message):
    assert messages(f"storage: {{filesystems: [{filesystem}]}}") == [
        f"error at $.storage.filesystems.0.{message}",
        SOURCE,
    ]


@pytest.mark.parametrize(
    "filesystem", ["{device: /a, with_mount_unit: false}", "{device: /a, format: swap, with_mount_unit: true}"]
)
def test_a_filesystem_that_needs_neither(filesystem):
    assert messages(f"storage: {{filesystems: [{filesystem}]}}") == []


@pytest.mark.parametrize(
    ("mode", "directory"),
    [(644, False), (755, False), (600, False), (444, False), (4755, False), (755, True), (1777, True), (2775, True)],
)
def test_a_mode_in_decimal_is_noticed(mode, directory):
    assert looks_decimal(mode, directory)
    kind = "directories" if directory else "files"
    said = messages(f"storage: {{{kind}: [{{path: /a, mode: {mode}}}]}}")
    assert any(line.startswith(f"warning at $.storage.{kind}.0.mode, ") and line.endswith(DECIMAL) for line in said)


@pytest.mark.parametrize(
    ("mode", "directory"),
    [
        (0o644, False), (0o755, False), (0o600, False), (0o400, False), (0, False), (0o4755, False), (0o1777, True),
        (0o700, True), (888, False), (9999, False), (-1, False), (8000, False), (777777, True),
    ],
)  # fmt: skip
def test_a_mode_that_is_as_it_should_be_or_no_better_in_octal(mode, directory):
    assert not looks_decimal(mode, directory)


INLINE = "ignition:\n  config:\n    merge:\n      - inline: '{}'\n"


@pytest.mark.parametrize(
    ("inlined", "lines"),
    [
        pytest.param('{"ignition":{"version":"3.4.0"}}', [], id="a good one"),
        pytest.param(
            "[]",
            [
                "error at line 1 col 1: json: cannot unmarshal array into Go value of type types.Config",
                "error at $.ignition.config.merge.0.inline, line 6 col 17: config is not valid",
                SOURCE,
            ],
            id="no object",
        ),
        pytest.param(
            "",
            [
                "error at line 1 col 1: unexpected end of JSON input",
                "error at $.ignition.config.merge.0.inline, line 6 col 17: config is not valid",
                SOURCE,
            ],
            id="nothing",
        ),
        pytest.param(
            '{"ignition":{"version":"3.3.0"}}',
            [
                "warning at $.ignition.config.merge.0.version, line 6 col 9: skipping validation for the merge/replace "
                "ignition config due to an unkown version"
            ],
            id="of another version",
        ),
        pytest.param(
            '{"ignition":{"version":"x"}}',
            ["error at $.ignition.version, line 4 col 3: invalid config version (couldn't parse)", SOURCE],
            id="of no version",
        ),
        pytest.param(
            '{"ignition":{"version":"3.4.0"},"foo":1}',
            ["warning at $.foo, line 1 col 1: unused key foo"],
            id="an unknown key",
        ),
        pytest.param(
            '{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/a"},{"path":"/a"}]}}',
            ["error at $.storage.files.1, line 1 col 1: duplicate entry defined", SOURCE],
            id="a duplicate",
        ),
    ],
)
def test_an_inlined_config_is_validated_as_one_of_the_target_version(inlined, lines):
    assert messages(INLINE.format(inlined)) == lines


def test_an_inlined_file_elsewhere_is_not_taken_for_a_config():
    assert messages("storage: {files: [{path: /a, contents: {inline: x}}]}") == []


@pytest.mark.parametrize(
    ("body", "version", "unused"),
    [
        ("systemd: {units: [{name: a.service, contents_local: x}]}", "1.0.0", "contents_local"),
        ("passwd: {users: [{name: a, ssh_authorized_keys_local: [x]}]}", "1.0.0", "ssh_authorized_keys_local"),
        ("storage: {luks: [{name: a, device: /a, discard: true}]}", "1.0.0", "discard"),
        ("storage: {luks: [{name: a, device: /a, open_options: [x]}]}", "1.0.0", "open_options"),
        ("storage: {luks: [{name: a, device: /a, cex: {enabled: true}}]}", "1.1.0", "cex"),
        ("systemd: {quadlets: []}", "1.1.0", "quadlets"),
    ],
)
def test_what_a_version_does_not_know_yet_is_unused(body, version, unused):
    (line,) = messages(body, version)
    assert line.startswith("warning at ")
    assert line.endswith(f": unused key {unused}")


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize(
    "clevis", ["{tpm2: true}", "{tpm2: false}", "{tang: [{url: 'http://x'}]}", "{custom: {pin: a}}"]
)
def test_clevis_is_not_for_flatcar(version, clevis):
    first, last = messages(f"storage: {{luks: [{{name: a, device: /a, clevis: {clevis}}}]}}", version)
    assert first.startswith("error at $.storage.luks.0.clevis, line 3 col ")
    assert first.endswith(": clevis is not supported in this spec version")
    assert last == SOURCE


@pytest.mark.parametrize("clevis", ["{}", "{tang: []}", "{custom: {}}", "~"])
def test_an_empty_clevis_is_none(clevis):
    result = butane.translate(config(f"storage: {{luks: [{{name: a, device: /a, clevis: {clevis}}}]}}"))
    assert result.output is not None


def test_each_step_ends_the_work_when_it_fails():
    bad_type, bad_source, bad_result = "{mode: x}", "{path: /a, contents: {inline: a, local: b}}", "{path: rel}"
    assert messages(f"storage: {{files: [{bad_type}, {bad_source}, {bad_result}]}}")[0] == "yaml: unmarshal errors:"
    assert messages(f"storage: {{files: [{bad_source}, {bad_result}]}}")[-1] == SOURCE
    assert len(messages(f"storage: {{files: [{bad_source}, {bad_result}]}}")) == 2
    assert messages(f"storage: {{files: [{bad_result}]}}")[-1] == RESULT


def test_the_output_is_given_with_warnings_and_says_so():
    result = butane.translate(config("foo: 1"))
    assert (result.output, result.error, result.ok) == (b'{"ignition":{"version":"3.4.0"}}', "", False)
    assert butane.translate(config("")).ok


def test_zero_values_that_are_given_are_kept():
    body = "passwd: {users: [{name: a, uid: 0, system: false, gecos: ''}]}\nignition: {timeouts: {http_total: 0}}"
    assert translated(body) == {
        "ignition": {"timeouts": {"httpTotal": 0}, "version": "3.4.0"},
        "passwd": {"users": [{"gecos": "", "name": "a", "system": False, "uid": 0}]},
    }
