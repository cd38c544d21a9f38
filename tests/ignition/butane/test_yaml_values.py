"""How scalars are read: as gopkg.in/yaml.v3 does, where plain YAML loaders go wrong."""

import base64
import json

import pytest

from pxed.ignition import butane
from tests.ignition.butane.support import config, messages, payload, translated


def text_of(value):
    """A value as a string field holds it; None when the field stays unset."""
    return translated(f"passwd: {{users: [{{name: a, gecos: {value}}}]}}")["passwd"]["users"][0].get("gecos")


def number_of(value):
    return translated(f"passwd: {{users: [{{name: a, uid: {value}}}]}}")["passwd"]["users"][0].get("uid")


def truth_of(value):
    return translated(f"passwd: {{users: [{{name: a, system: {value}}}]}}")["passwd"]["users"][0].get("system")


def refusal(field, value):
    """The one error for a value in a field of a user, without its prefix."""
    (first, second) = messages(f"passwd: {{users: [{{name: a, {field}: {value}}}]}}")
    assert first == "yaml: unmarshal errors:"
    return second.removeprefix("  line 3: cannot unmarshal ")


@pytest.mark.parametrize(
    ("written", "held"),
    [
        pytest.param(text, text, id=f"{text} stays as it is written")
        for text in (
            "123", "0644", "0x10", "0o17", "0b11", "1_000", "1.50", "1e3", ".inf", ".5", "+5", "-0", "true", "no", "y",
            "2020-01-01", "2001-12-14t21:59:43.10-05:00", "1:30", "52:54:00:12:34:56", "=", "<<", "a#b", "http://x/y",
        )
    ]
    + [
        pytest.param("~", None, id="a tilde leaves the field unset"),
        pytest.param("null", None, id="null leaves the field unset"),
        pytest.param("NULL", None, id="NULL leaves the field unset"),
        pytest.param("'~'", "~", id="a quoted tilde is text"),
        pytest.param("''", "", id="a quoted nothing is an empty text"),
        pytest.param("!!str ~", "~", id="a tilde tagged as a string is text"),
        pytest.param("!!int 7", "7", id="a tagged number is text in a string field"),
        pytest.param("!unknown x", "x", id="an unknown tag says nothing"),
        pytest.param('"\\x41\\u00e9\\t"', "Aé\t", id="double quotes know escapes"),
        pytest.param("'it''s'", "it's", id="single quotes double themselves"),
        pytest.param("!!binary aGVsbG8=", "hello", id="binary is decoded"),
    ],
)  # fmt: skip
def test_a_string_field_keeps_the_source_text(written, held):
    assert text_of(written) == held


@pytest.mark.parametrize(
    ("written", "held"),
    [
        pytest.param("420", 420, id="decimal"),
        pytest.param("0644", 0o644, id="a leading zero is octal"),
        pytest.param("0o644", 0o644, id="0o is octal"),
        pytest.param("0x1a4", 420, id="0x is hexadecimal"),
        pytest.param("0b110100100", 420, id="0b is binary"),
        pytest.param("1_000", 1000, id="underscores are ignored"),
        pytest.param("+5", 5, id="a plus sign"),
        pytest.param("-0", 0, id="minus nothing"),
        pytest.param("-0o17", -15, id="negative octal"),
        pytest.param("0888", 888, id="a leading zero with an 8 is a decimal float"),
        pytest.param("420.0", 420, id="a float without a fraction"),
        pytest.param("1.5", 1, id="a fraction is cut"),
        pytest.param("-1.9", -1, id="towards zero"),
        pytest.param("1e3", 1000, id="an exponent"),
        pytest.param(".5", 0, id="a float that begins with its point"),
        pytest.param("!!int '420'", 420, id="quoted, but tagged as an int"),
        pytest.param("!!float 420", 420, id="tagged as a float"),
        pytest.param("! 12", 12, id="the non-specific tag counts as none"),
        pytest.param("9223372036854775807", 2**63 - 1, id="the largest number of 64 bits"),
        pytest.param("-9223372036854775808", -(2**63), id="the smallest number of 64 bits"),
        pytest.param("-.inf", -(2**63), id="minus infinity becomes the smallest number, as on amd64"),
        pytest.param("null", None, id="null leaves the field unset"),
    ],
)
def test_an_int_field_takes_every_notation_of_go(written, held):
    assert number_of(written) == held


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("abc", "!!str `abc` into int"),
        ("'420'", "!!str `420` into int"),
        ("1:30", "!!str `1:30` into int"),
        ("0o8", "!!str `0o8` into int"),
        ("0x", "!!str `0x` into int"),
        ("_1", "!!str `_1` into int"),
        ("1e400", "!!str `1e400` into int"),
        ("yes", "!!str `yes` into int"),
        ("true", "!!bool `true` into int"),
        (".inf", "!!float `.inf` into int"),
        (".nan", "!!float `.nan` into int"),
        ("9223372036854775808", "!!int `9223372...` into int"),
        ("99999999999999999999", "!!float `9999999...` into int"),
        ("9" * 5000, "!!str `9999999...` into int"),
        ("2020-01-01", "!!timestamp `2020-01-01` into int"),
        ("2020-13-01", "!!str `2020-13-01` into int"),
        ("<<", "!!merge `<<` into int"),
        ("[1]", "!!seq into int"),
        ("{a: 1}", "!!map into int"),
        ("'exactly 10'", "!!str `exactly 10` into int"),
        ("'more than ten'", "!!str `more th...` into int"),
    ],
)
def test_an_int_field_refuses(written, message):
    assert refusal("uid", written) == message


@pytest.mark.parametrize(
    "written", ["true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "'yes'", '"on"']
)
def test_a_bool_field_takes_for_true(written):
    assert truth_of(written) is True


@pytest.mark.parametrize(
    "written", ["false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF", "'n'", '"NO"']
)
def test_a_bool_field_takes_for_false(written):
    assert truth_of(written) is False


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("maybe", "!!str `maybe` into bool"),
        ("yEs", "!!str `yEs` into bool"),
        ("'true'", "!!str `true` into bool"),
        ("1", "!!int `1` into bool"),
        ("0.0", "!!float `0.0` into bool"),
        ("[]", "!!seq into bool"),
    ],
)
def test_a_bool_field_refuses(written, message):
    assert refusal("system", written) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("storage: {files: x}", "!!str `x` into []v0_5.File"),
        ("storage: {files: {path: /a}}", "!!map into []v0_5.File"),
        ("storage: {files: [x]}", "!!str `x` into v0_5.File"),
        ("storage: {files: [[]]}", "!!seq into v0_5.File"),
        ("storage: {files: [{contents: x}]}", "!!str `x` into v0_5.Resource"),
        ("storage: {files: [{contents: {http_headers: 1}}]}", "!!int `1` into v0_5.HTTPHeaders"),
        ("storage: {raid: [{devices: [[x]]}]}", "!!seq into v0_5.Device"),
        ("passwd: {users: [{groups: [{a: b}]}]}", "!!map into v0_5.Group"),
        ("passwd: {users: [{ssh_authorized_keys: k}]}", "!!str `k` into []v0_5.SSHAuthorizedKey"),
        ("kernel_arguments: {should_exist: x}", "!!str `x` into []v0_5.KernelArgument"),
        ("systemd: []", "!!seq into v0_5.Systemd"),
        ("systemd: {[a]: b}", "!!seq into string"),
    ],
)
def test_wrong_types_are_named_as_go_names_them(body, message):
    assert messages(body) == ["yaml: unmarshal errors:", f"  line 3: cannot unmarshal {message}"]


def test_every_wrong_type_is_listed_at_once():
    assert messages("storage:\n  files:\n    - mode: a\n    - overwrite: b\n") == [
        "yaml: unmarshal errors:",
        "  line 5: cannot unmarshal !!str `a` into int",
        "  line 6: cannot unmarshal !!str `b` into bool",
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("!!int x", "yaml: cannot decode !!str `x` as a !!int"),
        ("!!bool yes", "yaml: cannot decode !!str `yes` as a !!bool"),
        ("!!null x", "yaml: cannot decode !!str `x` as a !!null"),
        ("!!int 1.5", "yaml: cannot decode !!float `1.5` as a !!int"),
        ("!!binary '*'", "yaml: !!binary value contains invalid base64 data"),
    ],
)
def test_a_value_that_does_not_fit_its_tag_ends_the_work(value, message):
    assert messages(f"storage: {{files: [{{path: {value}}}, {{mode: abc}}]}}") == [message]


def test_binary_contents_keep_every_byte():
    data = bytes(range(256))
    body = f"storage: {{files: [{{path: /a, contents: {{inline: !!binary {base64.b64encode(data).decode()}}}}}]}}"
    assert payload(translated(body)["storage"]["files"][0]["contents"]) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("variant: flatcar\nversion: 1.1.0\n", id="line feeds"),
        pytest.param("variant: flatcar\r\nversion: 1.1.0\r\n", id="carriage returns with line feeds"),
        pytest.param("\ufeffvariant: flatcar\nversion: 1.1.0\n", id="a byte order mark"),
        pytest.param('{"variant": "flatcar", "version": "1.1.0"}', id="JSON"),
        pytest.param("%YAML 1.1\n---\nvariant: flatcar\nversion: 1.1.0\n", id="a directive"),
        pytest.param(
            "variant: flatcar\nversion: 1.1.0\n---\nvariant: other\n: [", id="a second document, whatever it holds"
        ),
        pytest.param("variant: flatcar\nversion: 1.1.0\n...\n", id="an end mark"),
        pytest.param("variant: &v flatcar\nversion: '1.1.0'\n", id="anchors and quotes"),
        pytest.param("variant: flatcar\nversion: 01.1.0\n", id="a version that is written otherwise"),
    ],
)
def test_a_config_may_come_with(text):
    result = butane.translate(text)
    assert (result.output, result.error) == (b'{"ignition":{"version":"3.4.0"}}', "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_config_may_be_encoded_with_a_byte_order_mark_as(encoding):
    result = butane.translate(config("storage: {files: [{path: /é}]}").encode(encoding))
    assert result.output == '{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/é"}]}}'.encode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_other_encodings_never_raise(encoding):
    assert butane.translate(config("é: [a:, b:]").encode(encoding)).output is None


def test_carriage_returns_are_no_part_of_a_block_of_text():
    text = config("storage:\n  files:\n    - path: /a\n      contents:\n        inline: |\n          a\n          b\n")
    result = butane.translate(text.replace("\n", "\r\n"))
    assert result.output is not None
    assert payload(json.loads(result.output)["storage"]["files"][0]["contents"]) == b"a\nb\n"


@pytest.mark.parametrize(
    ("version", "types"),
    [("1.0.0", ("v0_4.LuksOption", "v0_4.RaidOption")), ("1.1.0", ("string", "string"))],
)
def test_the_oldest_version_has_named_types_for_options(version, types):
    assert messages("storage: {luks: [{options: [[a]]}], raid: [{options: [[a]]}]}", version)[1:] == [
        f"  line 3: cannot unmarshal !!seq into {name}" for name in types
    ]
