"""Ignition's own tables of what it validates in nodes, units and disks: config/v3_*/types/*_test.go.

Each row is one struct of the Go tables in its JSON form, put where it belongs in a config, and the findings at or below
its place. Rows without a version hold for 3.3.0 and all later specs.
"""

from __future__ import annotations

import pytest

from tests.ignition.reference.support import VERSIONS, check, findings

SHA512 = "sha512-" + "0123456789abcdef" * 8

UNIT_CONFLICT = "path conflicts with systemd unit or dropin"
TEXT = "[Foo]\nQux=Bar"
DROPIN = [{"name": "foo.service", "dropins": [{"name": "bar.conf", "contents": TEXT}]}]
UNIT = [{"name": "foo.service", "contents": TEXT}]


@pytest.mark.parametrize(
    ("kind", "more"), [("files", {}), ("directories", {}), ("links", {"target": "/qux.conf"})], ids=str
)
@pytest.mark.parametrize(
    ("path", "units"),
    [("/etc/systemd/system/foo.service.d/bar.conf", DROPIN), ("/etc/systemd/system/foo.service", UNIT)],
    ids=["a drop-in", "a unit"],
)
def test_nodes_in_the_way_of_units(kind, more, path, units):
    config = {"storage": {kind: [{"path": path, **more}]}, "systemd": {"units": units}}
    for version in VERSIONS:
        assert findings(config, version) == [("error", ("storage", kind, 0, "path"), UNIT_CONFLICT)]


def test_nodes_beside_units():
    system = "/etc/systemd/system/"
    config = {
        "storage": {
            "files": [{"path": system + name} for name in (
                "bar.service.d/baz.conf", "bar.service", "foo.service.d/qux.conf")],
            "links": [{"path": system + "qux.service", "target": "/qux.conf"},
                      {"path": system + "quux.service.d/foo.conf", "target": "/foo.conf"}],
            "directories": [{"path": system + "quux.service.d"}],
        },
        "systemd": {"units": [
            {"name": "foo.service", "contents": TEXT},
            {"name": "bar.service", "dropins": [{"name": "baz.conf"}], "enabled": True},
            {"name": "qux.service", "dropins": [{"name": "bar.conf", "contents": TEXT}]},
            {"name": "quux.service", "contents": TEXT},
        ]},
    }  # fmt: skip
    for version in VERSIONS:
        assert findings(config, version) == []


OWNER = "~user/group ignored for hard link"


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ({"links": [{"path": "/foo", "target": "/t"}, {"path": "/quux", "target": "/u"}], "files": [{"path": "/bar"}],
          "directories": [{"path": "/baz"}]}, []),
        ({"links": [{"path": "/foo", "target": "/t"}], "files": [{"path": "/foo/bar"}]},
         [(("files", 0), "file path includes link in config")]),
        ({"links": [{"path": "/foo", "target": "/t"}], "directories": [{"path": "/foo/bar"}]},
         [(("directories", 0), "directory path includes link in config")]),
        ({"links": [{"path": "/foo", "target": "/t"}, {"path": "/foo/bar", "target": "/u"}]},
         [(("links", 1), "link path includes link in config")]),
        ({"links": [{"path": "/foo", "hard": True}]}, [(("links", 0, "target"), "link target is required")]),
        ({"links": [{"path": "/foo", "target": ""}]}, [(("links", 0, "target"), "link target is required")]),
        ({"links": [{"path": "/foo", "target": "/t"}, {"path": "/foob/bar", "target": "/u"}]}, []),
        ({"links": [{"path": "/quux", "target": "/foo/bar", "hard": True}], "directories": [{"path": "/foo/bar"}]},
         [(("links", 0), "hard link target is a directory")]),
        ({"links": [{"path": "/quux", "target": "/foo/bar/", "hard": True}], "directories": [{"path": "/foo/bar"}]},
         [(("links", 0), "hard link target is a directory")]),
        ({"links": [{"path": "/quux", "target": "/f", "hard": True, "user": {"id": 10}}]},
         [(("links", 0, "user", "id"), OWNER)]),
        ({"links": [{"path": "/quux", "target": "/f", "hard": True, "user": {"name": "bovik"}}]},
         [(("links", 0, "user", "name"), OWNER)]),
        ({"links": [{"path": "/quux", "target": "/f", "hard": True, "group": {"id": 0}}]},
         [(("links", 0, "group", "id"), OWNER)]),
        ({"links": [{"path": "/quux", "target": "/f", "hard": True, "group": {"name": ""}}]},
         [(("links", 0, "group", "name"), OWNER)]),
        ({"disks": [{"device": "/dev/sda", "partitions": [{"number": 1}, {"number": 2}]}],
          "filesystems": [{"device": "/dev/sda"}]},
         [(("filesystems", 0, "device"), "~filesystem overwrites partitioned device")]),
        ({"disks": [{"device": "/dev/sda", "wipeTable": True}], "filesystems": [{"device": "/dev/sda"}]},
         [(("filesystems", 0, "device"),
           "~device matches disk with wipeTable enabled; filesystem will be wiped")]),
        ({"disks": [{"device": "/dev/sda", "wipeTable": False}], "filesystems": [{"device": "/dev/sda"}]}, []),
        ({"disks": [{"device": "/dev/sdb"}], "filesystems": [{"device": "/dev/sdb"}]}, []),
    ],
)  # fmt: skip
def test_storage(storage, expected):
    check(("storage",), storage, expected)


TEMPLATE = '~template unit "test@.service" for "test@foo.service" doesn\'t have Install section'
INSTALLED = "[Service]\nType=oneshot\n[Install]\nWantedBy=multi-user.target\n"


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([{"name": "test@.service", "contents": TEXT}, {"name": "test@foo.service", "enabled": True}],
         [((1, "contents"), TEMPLATE)]),
        ([{"name": "test2@.service", "contents": TEXT}], []),
        ([{"name": "test@.service", "contents": TEXT}, {"name": "test@foo.service", "enabled": False}], []),
        ([{"name": "test@.service", "contents": INSTALLED}, {"name": "test@foo.service", "enabled": True}], []),
        ([{"name": "test@.service", "contents": INSTALLED}, {"name": "test2@foo.service", "enabled": True}], []),
        ([{"name": "test@.service"}, {"name": "test@bar.service", "enabled": True}], []),
        ([{"name": "foo.bar", "contents": TEXT}], [((0, "name"), "invalid systemd unit extension")]),
        ([{"name": "a.service", "enabled": True, "contents": "[Foo]\nlemon=lime"}],
         [((0, "contents"),
           '~unit "a.service" is enabled, but has no install section so enable does nothing')]),
    ],
)  # fmt: skip
def test_systemd(units, expected):
    check(("systemd",), {"units": units}, [(("units", *where), message) for where, message in expected])


def one(path, rows):
    """Rows for a struct: its value and what is said of it."""
    return [(path, value, expected) for value, expected in rows]


FORMAT = "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is specified"
GUID = 'doesn\'t match the form "01234567-89AB-CDEF-EDCB-A98765432101"'
NODES = [
    *one(("storage", "files", 0), [({"path": "not/absolute"}, [(("path",), "path not absolute")])]),
    *[
        row
        for owner in ("user", "group")
        for row in [
            (("storage", "files", 0), {"path": "/a", owner: {"id": 0, "name": ""}}, []),
            (("storage", "files", 0), {"path": "/a", owner: {"name": "core"}}, []),
            (("storage", "files", 0), {"path": "/a", owner: {"id": 1000, "name": "core"}},
             [((owner,), "cannot set both id and name")]),
        ]
    ],
    *one(
        ("storage", "files", 0),
        [
            ({"path": "/a", "overwrite": True},
             [(("overwrite",), "overwrite must be false if source is unspecified")]),
            ({"path": "/a", "overwrite": True, "contents": {"source": ""}}, []),
            ({"path": "/a", "overwrite": True, "contents": {"source": "http://example.com"}}, []),
            ({"path": "/a", "contents": {"source": "", "verification": {"hash": SHA512}}}, []),
            ({"path": "/a", "contents": {"verification": {"hash": SHA512}}},
             [(("contents", "verification", "hash"), "source must be specified if verification is specified")]),
            ({"path": "/a", "mode": 0}, []),
            ({"path": "/a", "mode": 0o777}, []),
            ({"path": "/a", "mode": 0o10000}, [(("mode",), "illegal file mode")]),
        ],
    ),
]  # fmt: skip
FILESYSTEMS = one(
    ("storage", "filesystems", 0),
    [
        *[({"device": "/d", "format": name}, []) for name in ("ext4", "btrfs", "xfs", "vfat", "swap", "none", "")],
        ({"device": "/d", "format": "ntfs"}, [(("format",), "invalid filesystem format")]),
        ({"device": "/d", "label": "z"},
         [(("format",), FORMAT), (("label",), "filesystem must specify format if label is specified")]),
        *[({"device": "/d", **more}, [(("format",), FORMAT)]) for more in (
            {"mountOptions": ["z"]}, {"options": ["z"]}, {"format": "", "path": "/"}, {"path": "/"}, {"uuid": "z"},
            {"wipeFilesystem": True})],
        ({"device": "/d", "wipeFilesystem": False, "uuid": "", "path": "", "label": ""}, []),
        ({"device": "/d", "format": "ext4", "path": "foo"}, [(("path",), "path not absolute")]),
        ({"device": "", "format": "ext4"}, [(("device",), "path not specified")]),
        ({"device": "vda1"}, [(("device",), "path not absolute")]),
        *[({"device": "/d", "format": kind, "label": "x" * length}, [] if ok else [(("label",),
            f"filesystem labels cannot be longer than {length - 1} characters when using {kind}")])
          for kind, limit in (("ext4", 16), ("btrfs", 256), ("xfs", 12), ("swap", 15), ("vfat", 11))
          for length, ok in ((limit, True), (limit + 1, False))],
    ],
)  # fmt: skip
DISKS = one(
    ("storage", "disks", 0),
    [
        *[({"device": "/d", "partitions": [{"number": 1, "label": label}]},
           [(("partitions", 0, "label"), text)] if text else []) for label, text in (
            ("root", ""), ("", ""), ("1" * 36, ""), ("1" * 37, "partition labels may not exceed 36 characters"),
            ("test:", "partition label will be truncated to text before the colon"))],
        *[({"device": "/d", "partitions": [{"number": 1, field: guid}]},
           [(("partitions", 0, field), text)] if text else [])
          for field in ("guid", "typeGuid") for guid, text in (
            ("5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", ""), ("5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6", ""), ("", ""),
            ("not-a-valid-typeguid", GUID), ("5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6\n", GUID))],
        ({"device": "/d", "partitions": [{"number": 1, "startMiB": 1, "sizeMiB": 5},
                                         {"number": 2, "startMiB": 5, "sizeMiB": 5}]},
         [(("partitions", 1), "partitions overlap")]),
        ({"device": "/d", "partitions": [{"number": 1, "startMiB": 1, "sizeMiB": 5},
                                         {"number": 2, "startMiB": 6, "sizeMiB": 0},
                                         {"number": 3, "startMiB": 0, "sizeMiB": 9}]}, []),
        ({"device": ""}, [(("device",), "disk device is required")]),
    ],
)  # fmt: skip
RAID = one(
    ("storage", "raid", 0),
    [
        ({"name": "n", "level": "0", "devices": ["/d"], "spares": 0}, []),
        ({"name": "n", "devices": ["/d"]}, [(("level",), "raid level is required")]),
        ({"name": "n", "level": "0", "devices": ["/d"], "spares": 1},
         [(("level",), "spares unsupported for linear and raid0 arrays")]),
        ({"name": "n", "level": "zzz", "devices": ["/d"]}, [(("level",), "unrecognized raid level")]),
        ({"name": "n", "level": "0"}, [(("devices",), "raid devices required")]),
        ({"name": "n", "level": "raid1", "devices": ["d"]}, [(("devices", 0), "path not absolute")]),
        *[({"name": "n", "level": level, "devices": ["/d"], "spares": 1}, []) for level in
          ("raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10")],
        *[({"name": "n", "level": level, "devices": ["/d"], "spares": 1},
           [(("level",), "spares unsupported for linear and raid0 arrays")]) for level in
          ("linear", "raid0", "0", "stripe")],
    ],
)  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), [*NODES, *FILESYSTEMS, *DISKS, *RAID])
def test_structs(path, value, expected):
    check(path, value, expected)
