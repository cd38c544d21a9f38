"""Ignition's own tables of what it validates in resources, proxies and LUKS: config/v3_*/types/*_test.go.

Each row is one struct of the Go tables in its JSON form, put where it belongs in a config, and the findings at or below
its place. Rows without a version hold for 3.3.0 and all later specs.
"""

from __future__ import annotations

import pytest

from tests.ignition.reference.support import VERSIONS, check, findings

SHA512 = "sha512-" + "0123456789abcdef" * 8


FETCHED = [
    *[
            ({"source": "data:,a", "verification": {"hash": hash_}}, [(("verification", "hash"), text)] if text else [])
            for hash_, text in (
                ("xor-abcdef", "unrecognized hash function"),
                ("sha512-123", "incorrect size for hash sum"),
                (SHA512, ""),
                ("sha256-" + "0" * 64, ""),
                ("sha256-345", "incorrect size for hash sum"),
                ("sha512:01234567", "malformed hash specifier"),
                ("", "malformed hash specifier"),
            )
    ],
    *[
            ({"source": "http://x", "httpHeaders": [{"name": "a", "value": "b"}, {"name": "c"}]}, []),
            ({"source": "http://x", "httpHeaders": [{"value": "b"}]},
             [(("httpHeaders", 0, "name"), "HTTP header name can't be empty")]),
            ({"source": "http://x", "httpHeaders": [{"name": "a", "value": ""}]},
             [(("httpHeaders", 0, "value"), "unable to parse HTTP header")]),
            ({"source": "data:,x", "httpHeaders": [{"name": "a"}]},
             [(("httpHeaders",), "cannot use HTTP headers with this source scheme")]),
            ({"httpHeaders": [{"name": "a"}]}, [(("httpHeaders",), "unable to parse url")]),
            ({"source": "http://x", "httpHeaders": [{"name": "a"}, {"name": "a"}]},
             [(("httpHeaders", 1), "duplicate entry defined")]),
    ],
]  # fmt: skip
PROXIES = [
    (("ignition", "proxy"), {name: url}, [((name,), text)] if text else [])
    for name, url, text in (
        ("httpsProxy", "https://example.com", ""),
        ("httpProxy", "https://example.com", ""),
        ("httpsProxy", "http://example.com", "~insecure plaintext HTTP proxy specified for HTTPS resources"),
        ("httpProxy", "http://example.com", ""),
        ("httpsProxy", "ftp://example.com", "proxies must be http(s)"),
        ("httpProxy", "ftp://example.com", "proxies must be http(s)"),
        ("httpsProxy", "http://[::1]a", "unable to parse url"),
        ("httpProxy", "http://[::1]a", "unable to parse url"),
    )
]


@pytest.mark.parametrize(("contents", "expected"), FETCHED)
def test_resources(contents, expected):
    file = {"path": "/a", "contents": contents}
    check(("storage", "files", 0), file, [(("contents", *where), message) for where, message in expected])


@pytest.mark.parametrize(("path", "value", "expected"), PROXIES)
def test_proxies(path, value, expected):
    for version in VERSIONS:
        full = [("warning" if text.startswith("~") else "error", (*path, *where), text.removeprefix("~"))
                for where, text in expected]  # fmt: skip
        assert findings({"ignition": {"version": version, "proxy": value}}, version) == full


URLS = [
    ("", ""), ("http://example.com", ""), ("https://example.com", ""), ("tftp://example.com:69/foobar.txt", ""),
    ("data:,example%20file%0A", ""), ("bad://", "invalid url scheme"), ("s3://bucket/key", ""),
    ("s3://bucket/key?versionId=", "invalid S3 object VersionId"), ("s3://bucket/key?versionId=aVersionHash", ""),
    ("gs://bucket/object", ""), ("oem:///etc/custom.conf", "invalid url scheme"), ("file:///a", "invalid url scheme"),
]  # fmt: skip
ARN = "arn:aws:s3:us-west-2:123456789012:"
BAD_ARN = "invalid S3 ARN format"
ARNS = [
    ("Arn:", BAD_ARN), ("arn:aws:iam:us-west-2:123456789012:resource", BAD_ARN),
    ("arn:aws:s3:::bucket-name-but-no-key", BAD_ARN), (ARN + "accesspoint", BAD_ARN), (ARN + "accesspoint/", BAD_ARN),
    (ARN + "accesspoint/accesspoint-name-but-no-bucket", BAD_ARN), (ARN + "bucket-name/object-key", ""),
    (ARN + "bucket-name/object-key?versionId=aVersionHash", ""), (ARN + "accesspoint/accesspoint-name/object", ""),
    (ARN + "accesspoint/accesspoint-name/some/nested/object", ""),
    (ARN + "accesspoint/accesspoint-name/object?versionId=aVersionHash", ""),
    ("arn:aws:s3:::bucket-name/object-key", ""),
    ("arn:aws:s3:::bucket-name/some/nested/object", ""), ("arn:aws:s3:::bucket-name/object-key?versionId=aVersion", ""),
    (ARN + "bucket-name/object-key?versionId=", "invalid S3 object VersionId"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "message"), [*URLS, *ARNS])
def test_sources(url, message):
    arn = url.lower().startswith("arn:")
    for version in VERSIONS:
        text = "invalid url scheme" if arn and version == "3.3.0" else message
        check(
            ("storage", "files", 0),
            {"path": "/a", "contents": {"source": url}},
            [(("contents", "source"), text)] if text else [],
            (version,),
        )


SPECIAL = "~setuid/setgid/sticky bits are not supported or functional in spec versions older than 3.6.0"


@pytest.mark.parametrize("mode", [0o1755, 0o2755, 0o4755, 0o7777])
@pytest.mark.parametrize("kind", ["files", "directories"])
def test_special_mode_bits_are_warned_of_before_3_6_0(kind, mode):
    node = {"path": "/a", "mode": mode}
    check(("storage", kind, 0), node, [(("mode",), SPECIAL)], VERSIONS[:3])
    check(("storage", kind, 0), node, [], VERSIONS[3:])


WITH_OTHERS = "cannot use custom clevis config with tpm2, tang, or threshold"
TANG = {"url": "http://example.com", "thumbprint": "abc"}


@pytest.mark.parametrize(
    ("luks", "expected"),
    [
        ({"device": "/d"}, []),
        ({"device": "/d", "clevis": {"custom": {}}}, []),
        ({"device": "/d", "clevis": {"custom": {"config": "z", "needsNetwork": True, "pin": "sss"}}}, []),
        ({"device": "/d", "clevis": {"custom": {"config": "z"}}},
         [(("clevis", "custom", "pin"), "missing required custom clevis pin")]),
        ({"device": "/d", "clevis": {"custom": {"pin": "tpm2"}}},
         [(("clevis", "custom", "config"), "missing required custom clevis config")]),
        ({"device": "/d", "clevis": {"custom": {"config": "z", "pin": "tpm2"}, "tpm2": True}},
         [(("clevis",), WITH_OTHERS)]),
        ({"device": "/d", "clevis": {"custom": {"config": "z", "pin": "tpm2"}, "tpm2": False, "threshold": 0}}, []),
        ({"device": "/d", "clevis": {"custom": {"config": "z", "pin": "tpm2"}, "threshold": 1}},
         [(("clevis",), WITH_OTHERS)]),
        ({"device": "/d", "clevis": {"tang": [TANG]}}, []),
        ({"device": "/d", "clevis": {"tang": [{**TANG, "url": "httasfdsafadsf"}]}},
         [(("clevis", "tang", 0, "url"), "invalid url scheme")]),
        ({"device": "/d", "clevis": {"tang": [{"thumbprint": "abc"}]}},
         [(("clevis", "tang", 0, "url"), "invalid url scheme")]),
        ({"device": "/d", "clevis": {"tang": [{"url": "http://example.com"}]}},
         [(("clevis", "tang", 0, "thumbprint"), "thumbprint is required")]),
        ({"device": "/d", "label": "x" * 48},
         [(("label",), "luks device labels cannot be longer than 47 characters")]),
        ({}, [(("device",), "disk device is required")]),
    ],
)  # fmt: skip
def test_luks(luks, expected):
    check(("storage", "luks", 0), {"name": "z", **luks}, expected)


@pytest.mark.parametrize(
    ("advertisement", "expected"),
    [('{"payload": "x", "protected": "y"}', []), ("", []),
     ("{{", [(("clevis", "tang", 0, "advertisement"), "advertisement is not valid JSON")])],
)  # fmt: skip
def test_the_advertisement_of_a_tang_server(advertisement, expected):
    luks = {"name": "z", "device": "/d", "clevis": {"tang": [{**TANG, "advertisement": advertisement}]}}
    check(("storage", "luks", 0), luks, expected, VERSIONS[1:])


def test_only_some_options_may_repeat():
    luks = {"name": "z", "device": "/d", "options": ["a", "a"], "openOptions": ["b", "b"]}
    check(("storage", "luks", 0), luks, [(("openOptions", 1), "duplicate entry defined")], VERSIONS[1:])
    check(("storage", "raid", 0), {"name": "z", "level": "1", "devices": ["/d"], "options": ["a", "a"]}, [])
    filesystem = {"device": "/d", "format": "xfs", "options": ["a", "a"], "mountOptions": ["b", "b"]}
    check(("storage", "filesystems", 0), filesystem, [])
    check(("storage", "files", 0), {"path": "/a", "append": [{"source": "data:,a"}] * 2}, [])


def test_a_kernel_argument_is_wanted_or_not():
    arguments = {"shouldExist": ["foo", "bar"], "shouldNotExist": ["baz", "foo"]}
    check(("kernelArguments",), arguments, [(("shouldNotExist", 1), "duplicate entry defined")])


@pytest.mark.parametrize(
    ("luks", "expected"),
    [
        ({"cex": {"enabled": True}}, []),
        ({"cex": {"enabled": True}, "clevis": {"tpm2": True}}, [(("cex",), "cannot use cex with clevis")]),
        ({"cex": {"enabled": False}, "clevis": {"tpm2": True}}, []),
        ({"cex": {"enabled": True}, "keyFile": {"source": "data:,x"}}, [(("cex",), "cannot use key file with cex")]),
    ],
)
def test_cex(luks, expected):
    check(("storage", "luks", 0), {"name": "z", "device": "/d", **luks}, expected, VERSIONS[2:])
