"""Butane's own tables of what is translated to what: base/v0_5/translate_test.go, config/flatcar and config/fcos tests.

The Go tables hold structs and call one translator; here the same data is a Butane config that goes the whole way, so
parts that the Go tables leave invalid because nothing validates them there are given valid values.
"""

from __future__ import annotations

import pytest

from pxed.assets.filesdir import FilesDir
from pxed.ignition import butane
from tests.ignition.butane.support import config, payload
from tests.ignition.reference.support import ESCAPE, NO_DIR, errors, output

ZZZ = "z" * 145
RANDOM = b"\xc0\x9cl\x01\x89i\xa5\xbfW\xe4\x1b\xf4J_\xb79P\xa3#\xa7"
RANDOM_B64 = "data:;base64,wJxsAYlppb9X5Bv0Sl+3OVCjI6c="


@pytest.fixture
def files(tmp_path):
    """The files that Butane's tests of `local` use."""
    for name, contents in {
        "file-1": b"file contents\n",
        "file-2": ZZZ.encode(),
        "file-3": RANDOM,
        "subdir/file-4": b"subdir file contents\n",
        "id_rsa.pub": b"ssh-rsa BBBBBBBBB",
        "multiple.pub": b"ssh-rsa CCCCCCCCC\n#comment\n\n\nssh-rsa DDDDDDDDD\n",
        "empty.pub": b"",
        "blank.pub": b"\n\t",
        "windows.pub": b"ssh-rsa BBBBBBBBB\r\n#comment\r\n",
        "example.service": b"[Service]\nExecStart=/bin/true\n",
        "empty.service": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(contents)
    return FilesDir(tmp_path)


def test_a_file_with_everything_is_carried_over_field_by_field(files):
    hash_ = "sha256-" + "0" * 64
    header = "http_headers: [{name: Header, value: v}], verification: {hash: " + hash_ + "}"
    (file,) = output(
        "storage: {files: [{path: /foo, group: {name: foobar}, user: {id: 1}, mode: 420, overwrite: true, append: ["
        f"{{source: 'http://example/com', compression: gzip, {header}}}, {{inline: hello, compression: gzip}}, "
        f"{{local: file-1}}], contents: {{source: 'http://example/com', compression: gzip, {header}}}}}]}}",
        files,
    )["storage"]["files"]
    resource = {
        "compression": "gzip",
        "httpHeaders": [{"name": "Header", "value": "v"}],
        "source": "http://example/com",
        "verification": {"hash": hash_},
    }
    assert file == {
        "group": {"name": "foobar"},
        "overwrite": True,
        "path": "/foo",
        "user": {"id": 1},
        "append": [
            resource,
            {"compression": "gzip", "source": "data:,hello"},
            {"compression": "", "source": "data:,file%20contents%0A"},
        ],
        "contents": resource,
        "mode": 420,
    }


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param("inline: xyzzy", {"compression": "", "source": "data:,xyzzy"}, id="text is escaped"),
        pytest.param(
            "local: file-1", {"compression": "", "source": "data:,file%20contents%0A"}, id="a local file is read"
        ),
        pytest.param(
            "local: subdir/file-4",
            {"compression": "", "source": "data:,subdir%20file%20contents%0A"},
            id="a local file in a directory is read",
        ),
        pytest.param("local: file-3", {"compression": "", "source": RANDOM_B64}, id="a binary local file is base64"),
        pytest.param(
            'inline: !!binary "wJxsAYlppb9X5Bv0Sl+3OVCjI6c="',
            {"compression": "", "source": RANDOM_B64},
            id="binary inline is base64",
        ),
    ],
)
def test_contents_become_the_shortest_data_url(contents, expected, files):
    assert output(f"storage: {{files: [{{path: /foo, contents: {{{contents}}}}}]}}", files) == {
        "ignition": {"version": "3.4.0"},
        "storage": {"files": [{"path": "/foo", "contents": expected}]},
    }


@pytest.mark.parametrize("source", [f"inline: {ZZZ}", "local: file-2"], ids=["inline", "local"])
def test_what_compresses_well_is_compressed(source, files):
    (file,) = output(f"storage: {{files: [{{path: /foo, contents: {{{source}}}}}]}}", files)["storage"]["files"]
    assert file["contents"]["source"].startswith("data:;base64,H4sIAAAAAAAC/")
    assert payload(file["contents"]) == ZZZ.encode()


@pytest.mark.parametrize("source", [f"inline: {ZZZ}", "local: file-2"], ids=["inline", "local"])
def test_what_the_user_compressed_is_not_compressed_again(source, files):
    contents = f"{{{source}, compression: gzip}}"
    assert output(f"storage: {{files: [{{path: /foo, append: [{contents}]}}]}}", files)["storage"]["files"] == [
        {"path": "/foo", "append": [{"compression": "gzip", "source": f"data:,{ZZZ}"}]}
    ]


@pytest.mark.parametrize(
    ("contents", "has_dir", "message"),
    [
        pytest.param("file-1", False, NO_DIR, id="without a files directory"),
        pytest.param("../file-1", True, ESCAPE, id="outside of the files directory"),
        pytest.param("file-missing", True, "open {}/file-missing: no such file or directory", id="a missing file"),
    ],
)
def test_a_local_file_that_cannot_be_read(contents, has_dir, message, files):
    assert errors(
        f"storage: {{files: [{{path: /foo, contents: {{local: {contents}}}}}]}}", files if has_dir else None
    ) == [("$.storage.files.0.contents.local", message.format(files.directory))]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("ignition: {}", {}, id="nothing"),
        pytest.param(
            "ignition: {proxy: {http_proxy: 'https://example.com:8080', no_proxy: [example.com]}}",
            {"proxy": {"httpProxy": "https://example.com:8080", "noProxy": ["example.com"]}},
            id="proxies",
        ),
        pytest.param(
            "ignition: {security: {tls: {certificate_authorities: [{inline: xyzzy}]}}}",
            {"security": {"tls": {"certificateAuthorities": [{"compression": "", "source": "data:,xyzzy"}]}}},
            id="certificate authorities",
        ),
        pytest.param(
            "ignition: {timeouts: {http_response_headers: 0, http_total: 5}}",
            {"timeouts": {"httpResponseHeaders": 0, "httpTotal": 5}},
            id="timeouts",
        ),
    ],
)
def test_the_ignition_section(body, expected):
    assert output(body) == {"ignition": {**expected, "version": "3.4.0"}}


def test_kernel_arguments():
    assert output("kernel_arguments: {should_exist: [foo], should_not_exist: [bar]}")["kernelArguments"] == {
        "shouldExist": ["foo"],
        "shouldNotExist": ["bar"],
    }


@pytest.mark.parametrize(
    ("inline", "names", "keys"),
    [
        ("", "id_rsa.pub", ["ssh-rsa BBBBBBBBB"]),
        ("", "multiple.pub", ["ssh-rsa CCCCCCCCC", "#comment", "ssh-rsa DDDDDDDDD"]),
        ("", "id_rsa.pub, multiple.pub", ["ssh-rsa BBBBBBBBB", "ssh-rsa CCCCCCCCC", "#comment", "ssh-rsa DDDDDDDDD"]),
        ("ssh-rsa A", "id_rsa.pub", ["ssh-rsa A", "ssh-rsa BBBBBBBBB"]),
        ("ssh-rsa A", "multiple.pub", ["ssh-rsa A", "ssh-rsa CCCCCCCCC", "#comment", "ssh-rsa DDDDDDDDD"]),
        ("", "empty.pub", None),
        ("", "blank.pub", ["\t"]),
        ("", "windows.pub", ["ssh-rsa BBBBBBBBB", "#comment"]),
        ("ssh-rsa A", "", ["ssh-rsa A"]),
    ],
)
def test_keys_from_files(inline, names, keys, files):
    (user,) = output(
        f"passwd: {{users: [{{name: u, ssh_authorized_keys: [{inline}], ssh_authorized_keys_local: [{names}]}}]}}",
        files,
    )["passwd"]["users"]
    assert user.get("sshAuthorizedKeys") == keys


def test_key_files_that_cannot_be_read(files):
    body = "passwd: {users: [{name: u, ssh_authorized_keys_local: [none, id_rsa.pub, ../x]}]}"
    field = "$.passwd.users.0.ssh_authorized_keys_local"
    assert errors(body, files) == [
        (f"{field}.0", f"open {files.directory}/none: no such file or directory"),
        (f"{field}.2", ESCAPE),
    ]
    assert errors(body) == [(field, NO_DIR)]


def test_a_key_that_comes_twice_points_at_its_file(files):
    keys = "[ssh-rsa BBBBBBBBB], ssh_authorized_keys_local: [multiple.pub, id_rsa.pub]"
    assert errors(f"passwd: {{users: [{{name: u, ssh_authorized_keys: {keys}}}]}}", files) == [
        ("$.passwd.users.0.ssh_authorized_keys_local.1", "duplicate entry defined")
    ]


TRUE = "[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("name: example.service, contents_local: example.service", {"contents": TRUE, "name": "example.service"}),
        ("name: example.service, contents_local: empty.service", {"contents": "", "name": "example.service"}),
        ("name: example.service, contents_local: ''", {"name": "example.service"}),
        (
            "name: a.service, dropins: [{name: a.conf, contents_local: example.service}]",
            {"dropins": [{"contents": TRUE, "name": "a.conf"}], "name": "a.service"},
        ),
        (
            "name: a.service, dropins: [{name: a.conf, contents_local: empty.service}]",
            {"dropins": [{"contents": "", "name": "a.conf"}], "name": "a.service"},
        ),
        ("name: a.service, dropins: []", {"name": "a.service"}),
    ],
)
def test_units_from_files(unit, expected, files):
    assert output(f"systemd: {{units: [{{{unit}}}]}}", files)["systemd"]["units"] == [expected]


def test_unit_files_that_cannot_be_read(files):
    body = "systemd: {units: [{name: a.service, contents_local: x, dropins: [{name: a.conf, contents_local: y}]}]}"
    missing = f"open {files.directory}/{{}}: no such file or directory"
    unit = "$.systemd.units.0"
    assert errors(body, files) == [
        (f"{unit}.dropins.0.contents_local", missing.format("y")),
        (f"{unit}.contents_local", missing.format("x")),
    ]
    assert errors(body) == [(f"{unit}.dropins.0.contents_local", NO_DIR), (f"{unit}.contents_local", NO_DIR)]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_clevis_is_refused_where_it_is_used(version):
    luks = "[{name: data, device: /dev/a}, {name: data-bis, device: /dev/b, clevis: {tpm2: true}}]"
    assert errors(f"storage: {{luks: {luks}}}", version=version) == [
        ("$.storage.luks.1.clevis", "clevis is not supported in this spec version")
    ]


@pytest.mark.parametrize(
    ("body", "message", "line"),
    [
        ("- path: /z\n      q: z", "unused key q", 4),
        (
            "- path: /z\n      contents:\n        source: https://example.com\n        inline: z",
            "only one of the following can be set: inline, local, source",
            5,
        ),
        (
            "- path: /z\n      mode: 444",
            "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero",
            4,
        ),
        ("- path: /z\n      contents:\n        local: z", NO_DIR, 5),
        ("- path: z", "path not absolute", 3),
        ("- path: /z\n    - path: /z", "duplicate entry defined", 4),
    ],
)
def test_reports_name_the_line(body, message, line):
    """TestReportCorrelation; the lines there begin with `storage:`."""
    (entry,) = butane.translate(config(f"storage:\n  files:\n    {body}")).entries
    assert (entry.message, entry.line) == (message, line + 2)


@pytest.mark.parametrize(
    ("partitions", "message", "line"),
    [
        ("- start_mib: 5", "a partition number >= 1 or a label must be specified", 5),
        (
            "- number: 1\n          should_exist: false\n        - label: z",
            "shouldExist is false for a partition and other partition(s) has start or size 0",
            5,
        ),
    ],
)
def test_reports_on_partitions_name_the_line(partitions, message, line):
    body = f"storage:\n  disks:\n    - device: /dev/z\n      partitions:\n        {partitions}"
    (entry,) = butane.translate(config(body)).entries
    assert (entry.message, entry.line) == (message, line + 2)
