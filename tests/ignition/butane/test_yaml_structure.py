"""Keys, aliases, merge keys and nulls, and texts that are no YAML: gopkg.in/yaml.v3 and vcontext."""

import pytest

from pxed.ignition import butane
from pxed.ignition.butane.decode import MAX_ALIAS_STEPS
from pxed.ignition.butane.nodes import MAX_DEPTH
from tests.ignition.butane.support import config, messages, translated

TREE = (
    "context tree does not match content tree at {0}. Line and column reporting may be inconsistent. "
    "Unused keys may not be reported"
)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        pytest.param(
            "passwd: {}\npasswd: {}", ['  line 4: mapping key "passwd" already defined at line 3'], id="at the top"
        ),
        pytest.param(
            "storage:\n  files:\n    - path: /a\n      path: /b\n      path: /c",
            [
                '  line 6: mapping key "path" already defined at line 5',
                '  line 7: mapping key "path" already defined at line 5',
                '  line 7: mapping key "path" already defined at line 6',
            ],
            id="in an item, each pair",
        ),
        pytest.param(
            "storage: {disks: {a: 1, a: 2}}",
            ['  line 3: mapping key "a" already defined at line 3'],
            id="where a list belongs, before the wrong type",
        ),
        pytest.param(
            'systemd: {"a\\tb": 1, "a\\tb": 2}',
            ['  line 3: mapping key "a\\tb" already defined at line 3'],
            id="with an odd name, quoted as Go does",
        ),
    ],
)
def test_a_key_given_twice_is_an_error(body, errors):
    assert [line.removeprefix("Error unmarshaling yaml: ") for line in messages(body)] == [
        "yaml: unmarshal errors:",
        *errors,
    ]


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        pytest.param("foo: 1", ["$.foo, line 3 col 1: unused key foo"], id="at the top"),
        pytest.param(
            "storage:\n  files:\n    - path: /a\n      mod: 1\n",
            ["$.storage.files.0.mod, line 6 col 7: unused key mod"],
            id="in an item",
        ),
        pytest.param(
            "boot_device: {}", ["$.boot_device, line 3 col 1: unused key boot_device"], id="of another variant"
        ),
        pytest.param(
            "ignition: {version: 3.4.0}", ["$.ignition.version, line 3 col 12: unused key version"], id="of Ignition"
        ),
        pytest.param(
            "true: 1\n~: 2\n",
            ["$.true, line 3 col 1: unused key true", "$.~, line 4 col 1: unused key ~"],
            id="that are no strings",
        ),
        pytest.param(
            "é: 1\nstorage: {é: {}, files: []}",
            ["$.é, line 3 col 1: unused key é", "$.storage.é, line 4 col 11: unused key é"],
            id="that are not ASCII, columns counted in characters",
        ),
        pytest.param(
            "systemd: {a: 1}\nignition: {b: 1}\n",
            ["$.ignition.b, line 4 col 12: unused key b", "$.systemd.a, line 3 col 11: unused key a"],
            id="in the order of Butane's schema",
        ),
        pytest.param("storage:\n", [f"$.storage, line 3 col 9: {TREE.format('$.storage')}"], id="a null for a section"),
        pytest.param(
            "storage: {files: [~, {path: /a, x: 1}]}",
            [f"$.storage.files.0, line 3 col 19: {TREE.format('$.storage.files.0')}"],
            id="a null item shifts the indexes",
        ),
    ],
)
def test_unused_keys_and_what_does_not_match_are_warnings(body, warnings):
    assert messages(body) == [f"warning at {warning}" for warning in warnings]


@pytest.mark.parametrize(
    ("body", "files"),
    [
        pytest.param(
            "[&a {path: /a, mode: 0600}, {<<: *a, path: /b}]",
            [{"path": "/a", "mode": 0o600}, {"path": "/b", "mode": 0o600}],
            id="what is given wins",
        ),
        pytest.param(
            "[&a {path: /a, mode: 0600}, {path: /b, <<: *a}]",
            [{"path": "/a", "mode": 0o600}, {"path": "/b", "mode": 0o600}],
            id="wherever the merge key stands",
        ),
        pytest.param(
            "[&a {path: /a, mode: 0600}, &b {path: /b, mode: 0644, overwrite: false}, {<<: [*a, *b], path: /c}]",
            [
                {"path": "/a", "mode": 0o600},
                {"path": "/b", "mode": 0o644, "overwrite": False},
                {"path": "/c", "mode": 0o600, "overwrite": False},
            ],
            id="the earlier map of a list wins",
        ),
        pytest.param("[{<<: {path: /a}, mode: 0600}]", [{"path": "/a", "mode": 0o600}], id="a map written in place"),
        pytest.param(
            "[&a {path: /a, mode: 0600}, &b {<<: *a, path: /b}, {<<: *b, path: /c}]",
            [{"path": "/a", "mode": 0o600}, {"path": "/b", "mode": 0o600}, {"path": "/c", "mode": 0o600}],
            id="a merge in what is merged",
        ),
        pytest.param(
            "[&a {path: /a, mode: 0600}, {<<: *a, path: /b, mode: ~}]",
            [{"path": "/a", "mode": 0o600}, {"path": "/b"}],
            id="a null that is given wins too",
        ),
        pytest.param(
            "[&a {path: /a}, &a {path: /b, mode: 0600}, {<<: *a, path: /c}]",
            [{"path": "/a"}, {"path": "/b", "mode": 0o600}, {"path": "/c", "mode": 0o600}],
            id="an anchor defined again",
        ),
    ],
)
def test_merge_keys(body, files):
    result = butane.translate(config(f"storage: {{files: {body}}}"))
    assert result.error == ""
    assert all(entry.message == "unused key <<" for entry in result.entries)
    assert result.entries
    spelled = ", ".join("{" + ", ".join(f"{k}: {str(v).lower()}" for k, v in file.items()) + "}" for file in files)
    plain = butane.translate(config(f"storage: {{files: [{spelled}]}}"))
    assert result.output == plain.output


def test_a_quoted_merge_key_is_only_unused():
    assert messages('storage: {"<<": {files: [{path: x}]}}') == [
        "warning at $.storage.<<, line 3 col 11: unused key <<"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("storage: {<<: 5}", "yaml: map merge requires map or sequence of maps as the value"),
        ("storage: {<<: [5]}", "yaml: map merge requires map or sequence of maps as the value"),
        ("a: &a [x]\nstorage: {<<: *a}", "yaml: map merge requires map or sequence of maps as the value"),
        ("storage: &s {<<: *s}", "yaml: anchor 's' value contains itself"),
    ],
)
def test_merge_keys_that_cannot_be(body, message):
    assert messages(body) == [message]


def test_an_alias_works_and_hides_what_it_stands_for():
    body = "storage:\n  files:\n    - {path: /a, contents: &c {inline: x, y: 1}}\n    - {path: /b, contents: *c}\n"
    assert messages(body) == [
        "warning at $.storage.files.0.contents.y, line 5 col 43: unused key y",
        f"warning at $.storage.files.1.contents, line 6 col 28: {TREE.format('$.storage.files.1.contents')}",
    ]


def test_aliases_of_aliases_are_bounded():
    tang = ", ".join("*t" for _ in range(1000))
    luks = ", ".join("*l" for _ in range(1000))
    body = f"a: &t {{url: x}}\nb: &l {{name: n, clevis: {{tang: [{tang}]}}}}\nstorage: {{luks: [{luks}]}}"
    assert MAX_ALIAS_STEPS < 1000 * 1000
    assert messages(body) == ["yaml: document contains excessive aliasing"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_bounded(opening):
    (message,) = messages(f"foo:\n {opening * (MAX_DEPTH + 10)}")
    assert message.startswith("Error unmarshaling yaml: yaml: ")
    assert "depth" in message


def test_depth_within_the_bound_is_only_unused():
    deep = 900  # libyaml of 0.2.6 and later ends at 1,000 by itself, Go's at 10,000
    assert messages(f"foo: {'[' * deep}{']' * deep}") == ["warning at $.foo, line 3 col 1: unused key foo"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(b"", "error parsing variant; must be specified", id="nothing at all"),
        pytest.param(b"---\n", "error parsing variant; must be specified", id="an empty document"),
        pytest.param(b"a: b\x00", "Error unmarshaling yaml: yaml: control characters are not allowed", id="a NUL"),
        pytest.param(b"a: \xff", "Error unmarshaling yaml: yaml: invalid leading UTF-8 octet", id="no UTF-8"),
        pytest.param(b"a: 'b", "Error unmarshaling yaml: yaml: found unexpected end of stream", id="an open quote"),
        pytest.param(b"a: *x", "Error unmarshaling yaml: yaml: unknown anchor 'x' referenced", id="an unknown alias"),
        pytest.param(
            b"a:\n\tb: c",
            "Error unmarshaling yaml: yaml: line 2: found character that cannot start any token",
            id="a tab for indentation",
        ),
        pytest.param(
            b"a: b: c",
            "Error unmarshaling yaml: yaml: mapping values are not allowed in this context",
            id="a colon too many",
        ),
    ],
)
def test_texts_that_are_no_config(text, error):
    result = butane.translate(text)
    assert (result.output, result.error, result.entries) == (None, error, ())


def test_bytes_that_are_no_utf_8_stay_so_after_a_colon_that_was_hidden():
    result = butane.translate(b"variant: flatcar\nversion: 1.1.0\nx: [a:, b]\ny: '\xff'\n")
    assert (result.output, result.error[:29]) == (None, "Error unmarshaling yaml: yaml")


def test_a_lone_surrogate_in_a_python_string_is_no_utf_8():
    assert butane.translate("variant: \ud800").error.startswith("Error unmarshaling yaml: yaml: ")


def test_a_colon_at_the_end_of_a_plain_flow_scalar_belongs_to_it():
    body = "ignition: {proxy: {no_proxy: [fe80::, a:, b]}}"
    assert translated(body)["ignition"]["proxy"]["noProxy"] == ["fe80::", "a:", "b"]


def test_a_question_mark_in_a_plain_flow_scalar_has_to_be_quoted():
    (message,) = messages("ignition: {config: {merge: [{source: http://x/y?z=1}]}}")
    assert message.startswith("Error unmarshaling yaml: yaml: line 3: did not find expected ',' or '}'")
    assert messages("ignition: {config: {merge: [{source: 'http://x/y?z=1'}]}}") == []
