"""Makes Ignition configs for property tests, out of the spec's own schema: right ones and wrong ones.

Each field draws from a short pool of values that rules look at, so that rules meet: duplicate paths, links above files,
overlapping partitions.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pxed.ignition.spec.schema import Field, Struct, spec_of

PATHS = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/l",
    "/l/x",
    "/etc/systemd/system/a.service",
    "rel",
    "",
    "/a/",
    "/a//b",
    "/a/../b",
    "/",
]
DEVICES = ["/dev/a", "/dev/b", "/dev/c", "dev", ""]
URLS = [
    *("http://h/a", "https://h/a", "tftp://h/a", "gs://b/a", "s3://b/a", "s3://b/a?versionId=", "s3://b/a?versionId=1"),
    *(
        "data:,a%20b",
        "data:;base64,YQ==",
        "data:;base64,YQ=",
        "data:,%zz",
        "data:text/plain;charset=utf-8,x",
        "data:;x",
    ),
    *("ftp://h/a", "oem:///a", "arn:aws:s3:::b/k", "http://h:x/", "http://[::1/", "%zz", "/a", "", "a b:c", "HTTP://h"),
]
UNITS = [
    *("[Unit]\nA=b\n", "[Install]\nWantedBy=x\n", "[Install]\n", "[Unit", "[Unit] x\n", "[Unit]\nA\n", "[Unit]\nA"),
    *("x=y\n", "# c\\\n[Unit]\n[Service]\nA=b \\\n c\n", "[Unit]\n=\n", "[Unit]\nA=" + "x" * 3000 + "\n", "", "[\n]"),
]
POOLS: dict[str, list[Any]] = {
    "path": PATHS,
    "device": DEVICES,
    "target": PATHS,
    "source": URLS,
    "httpProxy": URLS,
    "httpsProxy": URLS,
    "hash": [*(f"sha512-{'a' * n}" for n in (128, 127)), "sha256-" + "b" * 64, "md5-a", "abc", ""],
    "compression": ["", "gzip", "xz"],
    "contents": UNITS,
    "mode": [0, 0o644, 0o1777, 0o10000, -1],
    "label": ["a", "b", "a:b", "x" * 12, "x" * 17, "x" * 37, "x" * 48, ""],
    "format": ["ext4", "btrfs", "xfs", "swap", "vfat", "none", "zfs", ""],
    "guid": ["", "01234567-89AB-CDEF-EDCB-A98765432101", "x"],
    "typeGuid": ["", "01234567-89ab-cdef-edcb-a98765432101", "01234567-89AB-CDEF-EDCB-A9876543210"],
    "number": [0, 1, 2],
    "startMiB": [0, 1, 10],
    "sizeMiB": [0, 5, 20],
    "level": ["raid0", "linear", "1", "mirror", "raid7", ""],
    "pin": ["tpm2", "tang", "sss", "yubikey", ""],
    "url": ["http://t", "https://t/", "ftp://t", "%", ""],
    "name": ["a.service", "a@.service", "a@b.service", "a.conf", "a", "a/b", ""],
}


def configs(version: str) -> st.SearchStrategy[dict[str, Any]]:
    """Configs of a version, of a few entries each, its version key right."""
    return _struct(spec_of(version).config).map(lambda config: {**config, "ignition": _versioned(config, version)})


def _versioned(config: dict[str, Any], version: str) -> dict[str, Any]:
    return {**config.get("ignition", {}), "version": version}


def _struct(struct: Struct) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={field.name: _field(field, struct) for field in struct.fields})


def _field(field: Field, struct: Struct) -> st.SearchStrategy[Any]:
    one = _struct(field.child) if field.child else _scalar(field, struct)
    return st.lists(one, min_size=1, max_size=3) if field.many else one


def _scalar(field: Field, struct: Struct) -> st.SearchStrategy[Any]:
    if field.type == "bool":
        return st.booleans()
    if field.type == "int" and field.name not in POOLS:
        return st.sampled_from([0, 1, 2])
    if field.type == "Device":
        return st.sampled_from(DEVICES)
    return st.sampled_from(POOLS.get(field.name, ["a", "b", ""]))
