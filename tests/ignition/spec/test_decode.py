"""JSON as Ignition reads it: Go's messages, Go's ideas of types and keys, and where each fault stands."""
# ruff: noqa: E501

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.ignition import spec

HEAD = '{"ignition":{"version":"3.3.0"}'


MARKS = "①②③④"  # in a text: where a finding of that number stands


def unmarked(text: str) -> bytes:
    return text.translate(dict.fromkeys(map(ord, MARKS))).encode()


def placed(text: str, line: str) -> str:
    """An expected finding that begins with a mark, with the line and column of the mark instead."""
    if line[0] not in MARKS:
        return line
    before = unmarked(text[: text.index(line[0])]).decode().split("\n")
    head, _, message = line[1:].partition(": ")
    return f"{head}{',' if ' at ' in head else ' at'} line {len(before)} col {len(before[-1]) + 1}: {message}"


def complaints(body: str) -> list[str]:
    return [str(finding) for finding in spec.parse(unmarked(body), "3.3.0")[1]]


SYNTAX = {
    'nothing at all': ('', 'error: not a config (empty)'),
    'spaces alone': ('  ①', '①error: unexpected end of JSON input'),
    'YAML': ('①variant: flatcar\n', "①error: invalid character 'v' looking for beginning of value"),
    'a byte order mark': ('①\ufeff{}', "①error: invalid character 'ï' looking for beginning of value"),
    'an object without end': ('{"a":1①', '①error: unexpected end of JSON input'),
    'a comma at the end of an object': ('{"a":1,①}', "①error: invalid character '}' looking for beginning of object key string"),
    'a comma at the end of an array': ('[1,\n①]', "①error: invalid character ']' looking for beginning of value"),
    'a key without quotes': ('{①a:1}', "①error: invalid character 'a' looking for beginning of object key string"),
    'a key without colon': ('{"a" ①1}', "①error: invalid character '1' after object key"),
    'two members without comma': ('{"a":1 ①"b":2}', '①error: invalid character \'"\' after object key:value pair'),
    'two items without comma': ('[1 ①2]', "①error: invalid character '2' after array element"),
    'text after the end': ('{} ①x', "①error: invalid character 'x' after top-level value"),
    'single quotes': ("{①'a':1}", "①error: invalid character '\\'' looking for beginning of object key string"),
    'a newline in a string': ('{"a":"b①\nc"}', "①error: invalid character '\\n' in string literal"),
    'a string without end': ('{"a":"b①', '①error: unexpected end of JSON input'),
    'an unknown escape': ('{"a":"\\①x"}', "①error: invalid character 'x' in string escape code"),
    'a bad unicode escape': ('{"a":"\\u12①g4"}', "①error: invalid character 'g' in \\u hexadecimal character escape"),
    'a sign without number': ('{"a":-①}', "①error: invalid character '}' in numeric literal"),
    'a leading zero': ('{"a":0①644}', "①error: invalid character '6' after object key:value pair"),
    'a fraction without digits': ('{"a":1.①}', "①error: invalid character '}' after decimal point in numeric literal"),
    'an exponent without digits': ('{"a":1e+①}', "①error: invalid character '}' in exponent of numeric literal"),
    'a word cut off': ('{"a":tru①}', "①error: invalid character '}' in literal true (expecting 'e')"),
    'columns count characters': ('{"é":①x}', "①error: invalid character 'x' looking for beginning of value"),
}  # fmt: skip


@pytest.mark.parametrize("body, expected", SYNTAX.values(), ids=SYNTAX)
def test_what_is_no_json(body, expected):
    assert complaints(body) == [placed(body, expected)]
    assert spec.parse(unmarked(body), "3.3.0")[0] is None


TYPES = {
    'a list for the whole': ('①[]', '①error: json: cannot unmarshal array into Go value of type types.Config'),
    'a number for a string': (HEAD + ',"storage":{"files":[{"path":①3}]}}', '①error: json: cannot unmarshal number into Go struct field File.storage.files.Node.path of type string'),
    'a string for a number': (HEAD + ',"storage":{"files":[{"mode":①"0644"}]}}', '①error: json: cannot unmarshal string into Go struct field File.storage.files.FileEmbedded1.mode of type int'),
    'a fraction for an integer': (HEAD + ',"passwd":{"users":[{"uid":①1.0}]}}', '①error: json: cannot unmarshal number 1.0 into Go struct field PasswdUser.passwd.users.uid of type int'),
    'an integer too large': (HEAD + ',"passwd":{"users":[{"uid":①9223372036854775808}]}}', '①error: json: cannot unmarshal number 9223372036854775808 into Go struct field PasswdUser.passwd.users.uid of type int'),
    'a word for a boolean': (HEAD + ',"passwd":{"users":[{"system":①"yes"}]}}', '①error: json: cannot unmarshal string into Go struct field PasswdUser.passwd.users.system of type bool'),
    'an object for a list': (HEAD + ',"storage":{"files":①{}}}', '①error: json: cannot unmarshal object into Go struct field Storage.storage.files of type []types.File'),
    'a list for an object': (HEAD + ',"passwd":①[]}', '①error: json: cannot unmarshal array into Go struct field Config.passwd of type types.Passwd'),
    'a string in a list of objects': (HEAD + ',"storage":{"files":[①"/a"]}}', '①error: json: cannot unmarshal string into Go struct field Storage.storage.files of type types.File'),
    'a number in a list of devices': (HEAD + ',"storage":{"raid":[{"devices":[①1]}]}}', '①error: json: cannot unmarshal number into Go struct field Raid.storage.raid.devices of type types.Device'),
    'an object for headers': (HEAD + ',"storage":{"files":[{"contents":{"httpHeaders":①{}}}]}}', '①error: json: cannot unmarshal object into Go struct field Resource.storage.files.FileEmbedded1.contents.httpHeaders of type types.HTTPHeaders'),
}  # fmt: skip


@pytest.mark.parametrize("body, expected", TYPES.values(), ids=TYPES)
def test_what_has_the_wrong_type(body, expected):
    assert complaints(body) == [placed(body, expected)]


def test_the_first_of_two_wrong_types_is_named():
    assert len(complaints(HEAD + ',"passwd":{"users":[{"uid":"a","name":1}]}}')) == 1


READ = {
    "null is nothing": (HEAD + ',"storage":null,"passwd":{"users":null}}', {"passwd": {}}),
    "null in a list is an empty entry": (HEAD + ',"passwd":{"users":[{"name":"a","groups":[null]}]}}', {"passwd": {"users": [{"name": "a", "groups": [""]}]}}),
    "an empty list is nothing": (HEAD + ',"passwd":{"users":[]}}', {"passwd": {}}),
    "the last of equal keys counts": (HEAD + ',"passwd":{"users":[{"name":"a","name":"b"}]}}', {"passwd": {"users": [{"name": "b"}]}}),
    "equal keys of objects add up": (HEAD + ',"passwd":{"users":[{"name":"a"}]},"passwd":{"groups":[{"name":"g"}]}}', {"passwd": {"users": [{"name": "a"}], "groups": [{"name": "g"}]}}),
    "zero values that are set are kept": (HEAD + ',"passwd":{"users":[{"name":"","uid":-0,"system":false}]}}', {"passwd": {"users": [{"name": "", "uid": 0, "system": False}]}}),
    "escapes": (HEAD + ',"passwd":{"users":[{"name":"\\u00e9\\ud83d\\ude00\\ud800\\/"}]}}', {"passwd": {"users": [{"name": "é😀\ufffd/"}]}}),
}  # fmt: skip


@pytest.mark.parametrize("body, expected", READ.values(), ids=READ)
def test_what_is_read(body, expected):
    config, _ = spec.parse(body.encode(), "3.3.0")
    assert config == {"ignition": {"version": "3.3.0"}, **expected}


def test_bytes_that_are_no_utf8_become_replacement_characters():
    config, _ = spec.parse(HEAD.encode() + b',"passwd":{"users":[{"name":"\xe4\xf0\x9f"}]}}', "3.3.0")
    assert config is not None and config["passwd"]["users"][0]["name"] == "\ufffd\ufffd\ufffd"


UNUSED = {
    'an unknown key': (HEAD + ',①"foo":1}', ['①warning at $.foo: unused key foo']),
    'unknown keys of a struct before those below it': ('{"ignition":{"version":"3.3.0","timeouts":{③"b":1},②"a":[]},\n①"c":1}', ['①warning at $.c: unused key c', '②warning at $.ignition.a: unused key a', '③warning at $.ignition.timeouts.b: unused key b']),
    'a key of a later version': (HEAD + ',"storage":{"luks":[{"name":"a",①"discard":true}]}}', ['①warning at $.storage.luks.0.discard: unused key discard']),
    'a key in other case, which Go takes all the same': ('{"ignition":{①"Version":"3.3.0"}}', ['①warning at $.ignition.Version: unused key Version']),
    'nothing in place of an object': (HEAD + ',"storage":①null}', ['①warning at $.storage: context tree does not match content tree at $.storage. Line and column reporting may be inconsistent. Unused keys may not be reported']),
}  # fmt: skip


@pytest.mark.parametrize("body, expected", UNUSED.values(), ids=UNUSED)
def test_keys_that_nothing_reads(body, expected):
    assert complaints(body) == [placed(body, line) for line in expected]
    assert spec.parse(unmarked(body), "3.3.0")[0] is not None


CHECKED = {
    'a good config': (HEAD + "}", '3.3.0', []),
    'a config with faults, each with its place': (HEAD + ',\n "storage":{"files":[\n  {"path":②"a"},\n  ④{"path":③"a",①"x":1}]}}', '3.3.0', ['①warning at $.storage.files.1.x: unused key x', '②error at $.storage.files.0.path: path not absolute', '③error at $.storage.files.1.path: path not absolute', '④error at $.storage.files.1: duplicate entry defined']),
    'a missing key has the place of what lacks it': (HEAD + ',"storage":{"files":[①{}]}}', '3.3.0', ['①error at $.storage.files.0.path: path not specified']),
    'spec 2, which Flatcar converts': ('{"ignition":{"version":"2.3.0"}}', '2.3.0', []),
    'spec 1, which Flatcar converts': ('{"ignitionVersion":1}', '1.0.0', []),
    'a version to come': ('{"ignition":{"version":①"3.9.0"}}', '3.9.0', ['①error at $.ignition.version: unsupported config version']),
    'an experimental version': ('{"ignition":{"version":①"3.7.0-experimental"}}', '3.7.0-experimental', ['①error at $.ignition.version: unsupported config version']),
    'no version': ('①{}', '', ["①error at $.ignition.version: invalid config version (couldn't parse)"]),
    'a version that is a number': ('{"ignition":{"version":①3}}', '', ["①error at $.ignition.version: invalid config version (couldn't parse)"]),
    'no JSON': ('①x', '', ["①error: invalid character 'x' looking for beginning of value"]),
    'nothing': ('', '', ['error: not a config (empty)']),
}  # fmt: skip


@pytest.mark.parametrize("body, version, expected", CHECKED.values(), ids=CHECKED)
def test_a_text_is_checked(body, version, expected):
    checked = spec.check(unmarked(body))
    found = [str(finding) for finding in checked.findings]
    assert (checked.version, found) == (version, [placed(body, line) for line in expected])
    assert checked.fatal is any("error" in line for line in expected)


def test_nesting_ends_at_ten_thousand():
    assert complaints("[" * 10_001) == ["error at line 1 col 10001: exceeded max depth"]
    deep = HEAD + ',"x":' + "[" * 9_000 + "]" * 9_000 + "}"
    assert complaints(deep) == ["warning at $.x, line 1 col 33: unused key x"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ignition", "version", "storage", "files", "path", "a"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_checked_without_an_exception(body):
    assert isinstance(spec.check(body), spec.Checked)
