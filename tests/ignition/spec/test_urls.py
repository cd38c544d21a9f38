"""URLs as Go takes them apart, and data: URLs as Ignition's package for them reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.ignition.spec.dataurl import data_url_error
from pxed.ignition.spec.gourl import parse_url

PARSED = {
    "a web address": ("http://h/a?b=c#d", ("http", "", "b=c")),
    "a scheme in capitals": ("HTTPS://h", ("https", "", "")),
    "a path without root": ("arn:aws:s3:::b/k?v=1", ("arn", "aws:s3:::b/k", "v=1")),
    "bad escapes in a path without root": ("data:,%zz", ("data", ",%zz", "")),
    "no scheme": ("/a/b", ("", "", "")),
    "an asterisk": ("*", ("", "", "")),
    "nothing": ("", ("", "", "")),
    "a scheme that begins with a digit": ("1a:/b", None),
    "a colon in the first part of a path": ("a b:c", None),
    "a colon at the front": (":a", None),
    "a control character": ("http://h/\x7f", None),
    "a bad escape in the path": ("http://h/%zz", None),
    "a bad escape in the fragment": ("http://h/#%z", None),
    "a bad escape in the query, which Go does not look at": ("http://h/?%zz", ("http", "", "%zz")),
    "a port": ("http://h:80/", ("http", "", "")),
    "an empty port": ("http://h:/", ("http", "", "")),
    "a port that is no number": ("http://h:x/", None),
    "a space in the host": ("http://a b/", None),
    "an escape in the host": ("http://%41/", None),
    "an escape beyond ASCII in the host": ("http://%c3%a9/", ("http", "", "")),
    "a user": ("http://u:p@h/", ("http", "", "")),
    "a user with a space": ("http://u p@h/", None),
    "an IPv6 address": ("http://[fe80::1]:80/", ("http", "", "")),
    "an IPv6 address with a zone": ("http://[fe80::1%25eth0]/", ("http", "", "")),
    "an IPv6 address without end": ("http://[::1/", None),
    "brackets around a name": ("http://[h]/", None),
    "brackets in the middle": ("http://h[::1]/", None),
    "three slashes without scheme": ("///a:b", ("", "", "")),
}


@pytest.mark.parametrize("text, expected", PARSED.values(), ids=PARSED)
def test_a_url(text, expected):
    url = parse_url(text)
    assert (url and (url.scheme, url.opaque, url.query)) == expected


QUERIES = {
    "a value": ("v=1", "1"),
    "the first of two": ("v=&v=1", ""),
    "a name alone": ("v", ""),
    "another name": ("w=1", None),
    "a semicolon, which Go skips": ("v=;", None),
    "a bad escape, which Go skips": ("v=%z&v=2", "2"),
}


@pytest.mark.parametrize("query, expected", QUERIES.values(), ids=QUERIES)
def test_a_parameter(query, expected):
    url = parse_url(f"s3://b/k?{query}")
    assert url is not None and url.first("v") == expected


DATA = {
    "data": ("data:,a%20b", ""),
    "no data": ("data:,", ""),
    "base64": ("data:;base64,YQ==", ""),
    "base64 with newlines": ("data:;base64,Y\nQ=\n=\n", ""),
    "a media type": ("data:text/plain;charset=utf-8,a", ""),
    "a media type of one's own": ("data:x-a/b,c", ""),
    "a quoted parameter": (r'data:text/plain;a="b\x41\"",c', ""),
    "another scheme": ("dato:,a", "missing data prefix"),
    "no comma": ("data:", "missing comma before data"),
    "a slash at the front": ("data:/a,b", "invalid character after data prefix"),
    "an unknown media type": ("data:foo/bar,a", "invalid media type"),
    "half a media type": ("data:text,a", "invalid character for media type"),
    "half a media type and no data": ("data:text", "missing media type slash"),
    "a media type without comma": ("data:text/plain", "incomplete media type"),
    "a bad subtype": ("data:text/é,", "invalid character for media subtype"),
    "a parameter without end": ("data:;a", "unterminated parameter sequence"),
    "a parameter without name": ("data:;=b,", "unterminated parameter sequence"),
    "a bad parameter name": ("data:;a(,", "invalid character for parameter attribute"),
    "a parameter that is not base64": ("data:;base63,a", "expected base64, got base63"),
    "a bad parameter value": ("data:;a=(,", "invalid character for parameter value"),
    "a parameter without data": ("data:;a=b", "missing comma before data"),
    "a quote without end": ('data:;a="b,', "unclosed quoted string"),
    "a bad escape in quotes": (r"""data:;a="\'",""", "invalid syntax"),
    "a letter beyond ASCII in quotes": ('data:;a="é",', "invalid character for parameter value"),
    "text after quotes": ('data:;a="b"c,', "expected semicolon or comma"),
    "a character that no URL holds": ("data:,a b", "invalid data character"),
    "a bad escape": ("data:,%zz", "rfc2396: invalid char 0x25 in unescape sequence"),
    "half an escape": ("data:,%4", "rfc2396: unexpected end of unescape sequence"),
    "a bad escape in a parameter": ("data:;a=%4,b", "rfc2396: unexpected end of unescape sequence"),
    "a character that is no base64": ("data:;base64,YQ-", "invalid data character"),
    "base64 cut off": ("data:;base64,YQ", "illegal base64 data at input byte 0"),
    "base64 with half its padding": ("data:;base64,YQ=", "illegal base64 data at input byte 3"),
    "base64 with padding at the front": ("data:;base64,=", "illegal base64 data at input byte 0"),
    "base64 that goes on behind padding": ("data:;base64,YQ==YQ==", "illegal base64 data at input byte 4"),
}


@pytest.mark.parametrize("url, message", DATA.values(), ids=DATA)
def test_a_data_url(url, message):
    assert data_url_error(url) == message


PIECES = [
    "data:",
    ",",
    ";",
    "base64",
    "=",
    '"',
    "\\",
    "text/plain",
    "%41",
    "%",
    "YQ==",
    "é",
    "[",
    "]",
    "@",
    ":",
    "//",
    "?",
]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=10).map("".join)))
def test_any_text_is_taken_apart_or_refused(text):
    data_url_error("data:" + text)
    url = parse_url(text)
    assert url is None or url.scheme == url.scheme.lower()
