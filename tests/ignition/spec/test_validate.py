"""Each rule of Ignition's validation: what breaks it, and the words and place of the finding."""
# ruff: noqa: E501

from __future__ import annotations

import re
from typing import Any

import pytest

from pxed.ignition import spec

SPECIAL = "setuid/setgid/sticky bits are not supported or functional in spec versions older than 3.6.0"
FORMAT = "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is specified"
ZERO = "shouldExist is false for a partition and other partition(s) has start or size 0"
GUID = 'doesn\'t match the form "01234567-89AB-CDEF-EDCB-A98765432101"'
CUSTOM = "cannot use custom clevis config with tpm2, tang, or threshold"
HTTP = {"name": "a", "value": "b"}


def ignition(**fields: Any) -> dict[str, Any]:
    return {"ignition": fields}


def storage(**lists: list[Any]) -> dict[str, Any]:
    return {"storage": lists}


def contents(**resource: Any) -> dict[str, Any]:
    return storage(files=[{"path": "/a", "contents": resource}])


def source(url: str) -> dict[str, Any]:
    return contents(source=url)


def partitions(*items: dict[str, Any]) -> dict[str, Any]:
    return storage(disks=[{"device": "/dev/a", "partitions": list(items)}])


def luks(**fields: Any) -> dict[str, Any]:
    return storage(luks=[{"name": "a", "device": "/dev/a", **fields}])


def tang(**fields: Any) -> dict[str, Any]:
    return luks(clevis={"tang": [{"url": "http://t", "thumbprint": "x", **fields}]})


def filesystem(**fields: Any) -> dict[str, Any]:
    return storage(filesystems=[{"device": "/dev/a", **fields}])


def unit(contents: str, **fields: Any) -> dict[str, Any]:
    return {"systemd": {"units": [{"name": "a.service", "contents": contents, **fields}]}}


def units(*items: dict[str, Any]) -> dict[str, Any]:
    return {"systemd": {"units": list(items)}}


FILE, DISK, LUKS, FS = "storage.files.0", "storage.disks.0", "storage.luks.0", "storage.filesystems.0"
TANG, UNIT, RAID = "storage.luks.0.clevis.tang.0", "systemd.units.0", "storage.raid.0"
Case = tuple[str, str, dict[str, Any], list[str]]  # what it is, the version, the config, "PATH: message"
CASES: list[Case] = [
    ("no path", "3.4.0", storage(files=[{}]), [f"{FILE}.path: path not specified"]),
    ("a relative path", "3.4.0", storage(files=[{"path": "a"}]), [f"{FILE}.path: path not absolute"]),
    ("a path with two slashes", "3.4.0", storage(files=[{"path": "/a//b"}]), [f"{FILE}.path: path is not fully simplified"]),
    ("a path that climbs", "3.4.0", storage(links=[{"path": "/a/../b", "target": "x"}]), ["storage.links.0.path: path is not fully simplified"]),
    ("the root", "3.4.0", storage(directories=[{"path": "/"}]), []),
    ("both id and name of a user", "3.4.0", storage(files=[{"path": "/a", "user": {"id": 0, "name": "u"}}]), [f"{FILE}.user: cannot set both id and name"]),
    ("both id and name of a group", "3.4.0", storage(files=[{"path": "/a", "group": {"id": 1, "name": "u"}}]), [f"{FILE}.group: cannot set both id and name"]),
    ("an id and an empty name", "3.4.0", storage(files=[{"path": "/a", "user": {"id": 1, "name": ""}}]), []),
    ("a negative mode", "3.3.0", storage(files=[{"path": "/a", "mode": -1}]), [f"{FILE}.mode: illegal file mode", f"{FILE}.mode: {SPECIAL}"]),
    ("a mode beyond 7777", "3.4.0", storage(directories=[{"path": "/a", "mode": 0o10000}]), ["storage.directories.0.mode: illegal file mode"]),
    ("a sticky directory", "3.4.0", storage(directories=[{"path": "/a", "mode": 0o1777}]), [f"storage.directories.0.mode: {SPECIAL}"]),
    ("a sticky directory in 3.6.0", "3.6.0", storage(directories=[{"path": "/a", "mode": 0o1777}]), []),
    ("overwriting with nothing", "3.4.0", storage(files=[{"path": "/a", "overwrite": True}]), [f"{FILE}.overwrite: overwrite must be false if source is unspecified"]),
    ("overwriting with an empty source", "3.4.0", storage(files=[{"path": "/a", "overwrite": True, "contents": {"source": ""}}]), []),
    ("a file below a link", "3.4.0", storage(files=[{"path": "/l/a"}], links=[{"path": "/l", "target": "x"}]), [f"{FILE}: file path includes link in config"]),
    ("a directory below a link", "3.4.0", storage(directories=[{"path": "/l/a"}], links=[{"path": "/l", "target": "x"}]), ["storage.directories.0: directory path includes link in config"]),
    ("a link below a link", "3.4.0", storage(links=[{"path": "/l", "target": "x"}, {"path": "/l/m", "target": "x"}]), ["storage.links.1: link path includes link in config"]),
    ("a file beside a link of like name", "3.4.0", storage(files=[{"path": "/link"}], links=[{"path": "/l", "target": "x"}]), []),
    ("a link without target", "3.4.0", storage(links=[{"path": "/l"}]), ["storage.links.0.target: link target is required"]),
    ("a link without target in 3.2.0", "3.2.0", storage(links=[{"path": "/l"}]), []),
    ("a hard link to a directory", "3.4.0", storage(links=[{"path": "/l", "target": "/d", "hard": True}], directories=[{"path": "/d"}]), ["storage.links.0: hard link target is a directory"]),
    ("a hard link to a relative directory", "3.4.0", storage(links=[{"path": "/a/l", "target": "../d", "hard": True}], directories=[{"path": "/a/d"}]), ["storage.links.0: hard link target is a directory"]),
    ("a soft link to a directory", "3.4.0", storage(links=[{"path": "/l", "target": "/d"}], directories=[{"path": "/d"}]), []),
    ("owners of a hard link", "3.4.0", storage(links=[{"path": "/l", "target": "/x", "hard": True, "user": {"id": 1}, "group": {"name": "g"}}]),
     ["storage.links.0.user.id: user/group ignored for hard link", "storage.links.0.group.name: user/group ignored for hard link"]),
    ("a file where a unit goes", "3.4.0", {**unit("[A]\nb=c\n"), **storage(files=[{"path": "/etc/systemd/system/a.service"}])}, [f"{FILE}.path: path conflicts with systemd unit or dropin"]),
    ("a link where a drop-in goes", "3.4.0", {**units({"name": "a.service", "dropins": [{"name": "b.conf", "contents": "[A]\nb=c\n"}]}), **storage(links=[{"path": "/etc/systemd/system/a.service.d/b.conf", "target": "x"}])},
     ["storage.links.0.path: path conflicts with systemd unit or dropin"]),
    ("a file where a unit without contents is named", "3.4.0", {**units({"name": "a.service", "mask": True}), **storage(files=[{"path": "/etc/systemd/system/a.service"}])}, []),
    ("a filesystem on a partitioned disk", "3.4.0", {"storage": {**partitions({"number": 1})["storage"], **filesystem(format="ext4")["storage"]}}, [f"{FS}.device: filesystem overwrites partitioned device"]),
    ("a filesystem on a disk that is wiped", "3.4.0", {"storage": {"disks": [{"device": "/dev/a", "wipeTable": True}], **filesystem(format="ext4")["storage"]}},
     [f"{FS}.device: device matches disk with wipeTable enabled; filesystem will be wiped"]),
    ("an unknown filesystem", "3.4.0", filesystem(format="zfs"), [f"{FS}.format: invalid filesystem format"]),
    ("the filesystem none", "3.3.0", filesystem(format="none"), []),
    ("the filesystem none in 3.2.0", "3.2.0", filesystem(format="none"), [f"{FS}.format: invalid filesystem format"]),
    ("a filesystem's path without format", "3.4.0", filesystem(path="/a"), [f"{FS}.format: {FORMAT}"]),
    ("a filesystem's label without format", "3.4.0", filesystem(label="a"), [f"{FS}.format: {FORMAT}", f"{FS}.label: filesystem must specify format if label is specified"]),
    ("a filesystem's relative path", "3.4.0", filesystem(path="a", format="ext4"), [f"{FS}.path: path not absolute"]),
    ("a filesystem without device", "3.4.0", storage(filesystems=[{"format": "ext4"}]), [f"{FS}.device: path not specified"]),
    *[(f"a label too long for {kind}", "3.4.0", filesystem(format=kind, label="x" * limit + "x"), [f"{FS}.label: filesystem labels cannot be longer than {limit} characters when using {kind}"])
      for kind, limit in (("ext4", 16), ("btrfs", 256), ("xfs", 12), ("swap", 15), ("vfat", 11))],
    ("a label of the longest kind, counted in bytes", "3.4.0", filesystem(format="xfs", label="é" * 6), []),
    ("a label too long in bytes", "3.4.0", filesystem(format="xfs", label="é" * 7), [f"{FS}.label: filesystem labels cannot be longer than 12 characters when using xfs"]),
    ("a disk without device", "3.4.0", storage(disks=[{"partitions": [{"number": 1}, {"number": 1}]}]), [f"{DISK}.device: disk device is required"]),
    ("a disk's relative device", "3.4.0", storage(disks=[{"device": "sda"}]), [f"{DISK}.device: path not absolute"]),
    ("partitions of one number", "3.4.0", partitions({"number": 1}, {"number": 2}, {"number": 1}), [f"{DISK}.partitions.2: partition numbers collide"]),
    ("partitions of one label", "3.4.0", partitions({"label": "a", "number": 1}, {"label": "a", "number": 2}), [f"{DISK}.partitions.1: cannot use the same partition label twice"]),
    ("partitions that overlap", "3.4.0", partitions({"number": 1, "startMiB": 1, "sizeMiB": 10}, {"number": 2, "startMiB": 5, "sizeMiB": 10}), [f"{DISK}.partitions.1: partitions overlap"]),
    ("a partition inside another", "3.4.0", partitions({"number": 1, "startMiB": 5, "sizeMiB": 1}, {"number": 2, "startMiB": 1, "sizeMiB": 10}), [f"{DISK}.partitions.1: partitions overlap"]),
    ("partitions that touch", "3.4.0", partitions({"number": 1, "startMiB": 1, "sizeMiB": 10}, {"number": 2, "startMiB": 11, "sizeMiB": 0}), []),
    ("partitions without a start", "3.4.0", partitions({"number": 1, "startMiB": 0, "sizeMiB": 10}, {"number": 2, "startMiB": 0, "sizeMiB": 10}), []),
    ("an absent partition beside an unnumbered one", "3.4.0", partitions({"number": 1, "shouldExist": False}, {"label": "a"}), [f"{DISK}.partitions: {ZERO}"]),
    ("an absent partition with a label", "3.4.0", partitions({"number": 1, "shouldExist": False, "label": "a"}), [f"{DISK}.partitions.0: shouldExist specified false with other options also specified"]),
    ("an absent partition with a size of zero", "3.4.0", partitions({"number": 1, "shouldExist": False, "sizeMiB": 0}), [f"{DISK}.partitions.0: shouldExist specified false with other options also specified"]),
    ("a partition without number and label", "3.4.0", partitions({"sizeMiB": 1}), [f"{DISK}.partitions.0: a partition number >= 1 or a label must be specified"]),
    ("a partition's label too long", "3.4.0", partitions({"label": "x" * 37}), [f"{DISK}.partitions.0.label: partition labels may not exceed 36 characters"]),
    ("a partition's label with a colon", "3.4.0", partitions({"label": "a:b"}), [f"{DISK}.partitions.0.label: partition label will be truncated to text before the colon"]),
    ("a bad partition GUID", "3.4.0", partitions({"number": 1, "guid": "x"}), [f"{DISK}.partitions.0.guid: {GUID}"]),
    ("a bad type GUID", "3.4.0", partitions({"number": 1, "typeGuid": "01234567-89AB-CDEF-EDCB-A98765432101\n"}), [f"{DISK}.partitions.0.typeGuid: {GUID}"]),
    ("an empty GUID", "3.4.0", partitions({"number": 1, "guid": ""}), []),
    ("an array without level", "3.4.0", storage(raid=[{"name": "a", "devices": ["/dev/a"]}]), [f"{RAID}.level: raid level is required"]),
    ("an array without level in 3.2.0", "3.2.0", storage(raid=[{"name": "a", "devices": ["/dev/a"]}]), [f"{RAID}.level: unrecognized raid level"]),
    ("an unknown level", "3.4.0", storage(raid=[{"name": "a", "level": "7", "devices": ["/dev/a"]}]), [f"{RAID}.level: unrecognized raid level"]),
    ("spares of a striped array", "3.4.0", storage(raid=[{"name": "a", "level": "stripe", "spares": 1, "devices": ["/dev/a"]}]), [f"{RAID}.level: spares unsupported for linear and raid0 arrays"]),
    ("an array without devices", "3.4.0", storage(raid=[{"name": "a", "level": "raid10"}]), [f"{RAID}.devices: raid devices required"]),
    ("an array's relative device", "3.4.0", storage(raid=[{"name": "a", "level": "1", "devices": ["/dev/a", "b"]}]), [f"{RAID}.devices.1: path not absolute"]),
    ("a slash in a volume's name", "3.4.0", luks(name="a/b"), [f"{LUKS}.name: device names cannot contain slashes"]),
    ("a volume's label too long", "3.4.0", luks(label="x" * 48), [f"{LUKS}.label: luks device labels cannot be longer than 47 characters"]),
    ("a volume without device", "3.4.0", storage(luks=[{"name": "a"}]), [f"{LUKS}.device: disk device is required"]),
    ("a volume's relative device", "3.4.0", luks(device="a"), [f"{LUKS}.device: path not absolute"]),
    ("a volume's bad key file", "3.4.0", luks(keyFile={"source": "ftp://x"}), [f"{LUKS}.keys: invalid key-file source", f"{LUKS}.keyFile.source: invalid url scheme"]),
    ("a custom pin beside TPM", "3.4.0", luks(clevis={"custom": {"pin": "sss", "config": "{}"}, "tpm2": True}), [f"{LUKS}.clevis: {CUSTOM}"]),
    ("an empty custom pin beside TPM in 3.2.0", "3.2.0", luks(clevis={"custom": {}, "tpm2": True}), [f"{LUKS}.clevis: {CUSTOM}"]),
    ("a custom config without pin", "3.4.0", luks(clevis={"custom": {"config": "{}"}}), [f"{LUKS}.clevis.custom.pin: missing required custom clevis pin"]),
    ("a custom config without pin in 3.2.0", "3.2.0", luks(clevis={"custom": {"config": "{}"}}), [f"{LUKS}.clevis.custom.pin: unsupported clevis pin"]),
    ("an unknown pin", "3.5.0", luks(clevis={"custom": {"pin": "yubikey", "config": "{}"}}), [f"{LUKS}.clevis.custom.pin: unsupported clevis pin"]),
    ("an unknown pin in 3.6.0", "3.6.0", luks(clevis={"custom": {"pin": "yubikey", "config": "{}"}}), []),
    ("a pin without config", "3.4.0", luks(clevis={"custom": {"pin": "tang"}}), [f"{LUKS}.clevis.custom.config: missing required custom clevis config"]),
    ("a Tang server without thumbprint", "3.4.0", tang(thumbprint=""), [f"{TANG}.thumbprint: thumbprint is required"]),
    ("a Tang server that is no web server", "3.4.0", tang(url="ftp://t"), [f"{TANG}.url: invalid url scheme"]),
    ("a Tang server without URL", "3.4.0", tang(url=""), [f"{TANG}.url: invalid url scheme"]),
    ("a Tang server's bad URL", "3.4.0", tang(url="http://t:x"), [f"{TANG}.url: unable to parse url"]),
    ("a bad advertisement", "3.4.0", tang(advertisement="{"), [f"{TANG}.advertisement: advertisement is not valid JSON"]),
    ("a good advertisement", "3.4.0", tang(advertisement='{"payload":"x"}'), []),
    ("a crypto card beside Clevis", "3.5.0", luks(cex={"enabled": True}, clevis={"tpm2": True}), [f"{LUKS}.cex: cannot use cex with clevis"]),
    ("a crypto card beside a key file", "3.5.0", luks(cex={"enabled": True}, keyFile={"source": "data:,k"}), [f"{LUKS}.cex: cannot use key file with cex"]),
    ("an unknown compression", "3.4.0", contents(source="http://a", compression="xz"), [f"{FILE}.contents.compression: invalid compression method"]),
    ("an empty compression", "3.4.0", contents(source="http://a", compression=""), []),
    ("a hash without source", "3.4.0", contents(verification={"hash": "sha256-" + "a" * 64}), [f"{FILE}.contents.verification.hash: source must be specified if verification is specified"]),
    ("a hash without function", "3.4.0", contents(source="http://a", verification={"hash": "abc"}), [f"{FILE}.contents.verification.hash: malformed hash specifier"]),
    ("an unknown hash function", "3.4.0", contents(source="http://a", verification={"hash": "md5-a"}), [f"{FILE}.contents.verification.hash: unrecognized hash function"]),
    ("a hash too short", "3.4.0", contents(source="http://a", verification={"hash": "sha512-a"}), [f"{FILE}.contents.verification.hash: incorrect size for hash sum"]),
    ("SHA-256 in 3.0.0", "3.0.0", contents(source="http://a", verification={"hash": "sha256-" + "a" * 64}), [f"{FILE}.contents.verification.hash: unrecognized hash function"]),
    ("headers of a data URL", "3.4.0", contents(source="data:,a", httpHeaders=[HTTP]), [f"{FILE}.contents.httpHeaders: cannot use HTTP headers with this source scheme"]),
    ("headers of nothing", "3.4.0", contents(httpHeaders=[HTTP]), [f"{FILE}.contents.httpHeaders: unable to parse url"]),
    ("a header without name", "3.4.0", contents(source="http://a", httpHeaders=[{"value": "b"}]), [f"{FILE}.contents.httpHeaders.0.name: HTTP header name can't be empty"]),
    ("a header with an empty value", "3.4.0", contents(source="http://a", httpHeaders=[{"name": "a", "value": ""}]), [f"{FILE}.contents.httpHeaders.0.value: unable to parse HTTP header"]),
    ("a header without value", "3.4.0", contents(source="http://a", httpHeaders=[{"name": "a"}]), []),
    ("an unknown scheme", "3.4.0", source("ftp://a"), [f"{FILE}.contents.source: invalid url scheme"]),
    ("the scheme oem, which only Flatcar's Ignition takes", "3.4.0", source("oem:///a"), [f"{FILE}.contents.source: invalid url scheme"]),
    ("Google storage in 3.1.0", "3.1.0", source("gs://a/b"), [f"{FILE}.contents.source: invalid url scheme"]),
    ("Google storage in 3.2.0", "3.2.0", source("gs://a/b"), []),
    ("an ARN in 3.3.0", "3.3.0", source("arn:aws:s3:::b/k"), [f"{FILE}.contents.source: invalid url scheme"]),
    ("an ARN in 3.4.0", "3.4.0", source("arn:aws:s3:::b/k"), []),
    ("an ARN without key", "3.4.0", source("arn:aws:s3:::b"), [f"{FILE}.contents.source: invalid S3 ARN format"]),
    ("an access point without key", "3.4.0", source("arn:aws:s3:r:1:accesspoint/a"), [f"{FILE}.contents.source: invalid S3 ARN format"]),
    ("an ARN of another service", "3.4.0", source("arn:aws:ec2:::b/k"), [f"{FILE}.contents.source: invalid S3 ARN format"]),
    ("an empty version of an ARN", "3.4.0", source("arn:aws:s3:::b/k?versionId="), [f"{FILE}.contents.source: invalid S3 object VersionId"]),
    ("an empty version of an S3 object", "3.4.0", source("s3://b/k?versionId="), [f"{FILE}.contents.source: invalid S3 object VersionId"]),
    ("a bad data URL", "3.4.0", source("data:;base64,!"), [f"{FILE}.contents.source: invalid data character"]),
    ("an empty source", "3.4.0", source(""), []),
    ("a merged config without source", "3.4.0", ignition(config={"merge": [{}]}), ["ignition.config.merge.0: source is required"]),
    ("a merged config's bad source", "3.4.0", ignition(config={"merge": [{"source": "a"}]}), ["ignition.config.merge.0: invalid url scheme", "ignition.config.merge.0.source: invalid url scheme"]),
    ("a replacing config without source", "3.4.0", ignition(config={"replace": {}}), []),
    ("a merged config without source in 3.0.0", "3.0.0", ignition(config={"merge": [{}]}), []),
    ("a certificate without source", "3.4.0", ignition(security={"tls": {"certificateAuthorities": [{}]}}), ["ignition.security.tls.certificateAuthorities.0: source is required"]),
    ("a certificate without source in 3.0.0", "3.0.0", ignition(security={"tls": {"certificateAuthorities": [{}]}}), ["ignition.security.tls.certificateAuthorities.0.source: invalid url scheme"]),
    ("a proxy that is no web server", "3.4.0", ignition(proxy={"httpProxy": "ftp://p"}), ["ignition.proxy.httpProxy: proxies must be http(s)"]),
    ("a proxy's bad URL", "3.4.0", ignition(proxy={"httpsProxy": "http://p:x"}), ["ignition.proxy.httpsProxy: unable to parse url"]),
    ("a plaintext proxy for https", "3.4.0", ignition(proxy={"httpsProxy": "http://p"}), ["ignition.proxy.httpsProxy: insecure plaintext HTTP proxy specified for HTTPS resources"]),
    ("a unit of no kind", "3.4.0", units({"name": "a"}), [f"{UNIT}.name: invalid systemd unit extension"]),
    ("a unit of an unknown kind", "3.4.0", units({"name": "a.conf"}), [f"{UNIT}.name: invalid systemd unit extension"]),
    ("a drop-in of another kind", "3.4.0", units({"name": "a.service", "dropins": [{"name": "b.service"}]}), [f"{UNIT}.dropins.0.name: invalid systemd drop-in extension"]),
    ("a drop-in that cannot be read", "3.4.0", units({"name": "a.service", "dropins": [{"name": "b.conf", "contents": "[A"}]}), [f"{UNIT}.dropins.0.contents: invalid unit content: unable to find end of section"]),
    ("an enabled unit with no install section", "3.4.0", unit("[Unit]\na=b\n", enabled=True), [f'{UNIT}.contents: unit "a.service" is enabled, but has no install section so enable does nothing']),
    ("an enabled unit with an empty install section", "3.4.0", unit("[Install]\n", enabled=True), [f'{UNIT}.contents: unit "a.service" is enabled, but has no install section so enable does nothing']),
    ("an enabled unit with an install section", "3.4.0", unit("[Install]\na=b\n", enabled=True), []),
    ("an enabled unit without contents", "3.4.0", unit("", enabled=True), []),
    ("a disabled unit with no install section", "3.4.0", unit("[Unit]\na=b\n", enabled=False), []),
    ("an enabled instance of a template with no install section", "3.4.0", units({"name": "a@.service", "contents": "[A]\nb=c\n"}, {"name": "a@x.service", "enabled": True}),
     ['systemd.units.1.contents: template unit "a@.service" for "a@x.service" doesn\'t have Install section']),
    ("an enabled instance of a template that cannot be read", "3.4.0", units({"name": "a@.service", "contents": "[A"}, {"name": "a@x.service", "enabled": True}),
     [f"{UNIT}.contents: invalid unit content: unable to find end of section"]),
    ("another version's config", "3.4.0", {"ignition": {"version": "3.3.0"}}, ["ignition.version: unsupported config version"]),
    ("a version that is none", "3.4.0", {"ignition": {"version": "three"}}, ["ignition.version: invalid config version (couldn't parse)"]),
]  # fmt: skip


@pytest.mark.parametrize("version, config, expected", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_rule_finds(version, config, expected):
    config = {**config, "ignition": {"version": version, **config.get("ignition", {})}}
    found = spec.validate(config, version)
    assert [f"{'.'.join(map(str, finding.path))}: {finding.message}" for finding in found] == expected


WARNINGS = re.compile(
    f"{re.escape(SPECIAL)}|user/group ignored for hard link|filesystem overwrites partitioned device"
    "|device matches disk with wipeTable enabled; filesystem will be wiped|insecure plaintext HTTP proxy .*"
    "|unit .* is enabled, but has no install section .*|template unit .* doesn't have Install section"
)


@pytest.mark.parametrize("version, config", [case[1:3] for case in CASES], ids=[case[0] for case in CASES])
def test_what_does_not_stop_ignition_is_a_warning(version, config):
    for finding in spec.validate({**config, "ignition": {"version": version}}, version):
        assert (finding.severity is spec.Severity.WARNING) is bool(WARNINGS.fullmatch(finding.message))


DUPLICATES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a file and a directory of one path": (storage(files=[{"path": "/a"}], directories=[{"path": "/a"}]), ["storage.files.0"]),
    "a file and a link of one path": (storage(files=[{"path": "/a"}], links=[{"path": "/a"}]), ["storage.links.0"]),
    "each further file of one path": (storage(files=[{"path": "/a"}] * 3), ["storage.files.1", "storage.files.2"]),
    "an argument both wanted and unwanted": ({"kernelArguments": {"shouldExist": ["a"], "shouldNotExist": ["a"]}}, ["kernelArguments.shouldNotExist.0"]),
    "two users": ({"passwd": {"users": [{"name": "a"}, {"name": "a"}]}}, ["passwd.users.1"]),
    "two groups": ({"passwd": {"groups": [{"name": "a"}, {"name": "a"}]}}, ["passwd.groups.1"]),
    "a user and a group": ({"passwd": {"groups": [{"name": "a"}], "users": [{"name": "a"}]}}, []),
    "an ssh key twice": ({"passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["k", "k"]}]}}, ["passwd.users.0.sshAuthorizedKeys.1"]),
    "a supplementary group twice": ({"passwd": {"users": [{"name": "a", "groups": ["g", "g"]}]}}, ["passwd.users.0.groups.1"]),
    "two units": (units({"name": "a.service"}, {"name": "a.service"}), ["systemd.units.1"]),
    "two drop-ins": (units({"name": "a.service", "dropins": [{"name": "b.conf"}, {"name": "b.conf"}]}), ["systemd.units.0.dropins.1"]),
    "two headers": (contents(httpHeaders=[HTTP, HTTP]), ["storage.files.0.contents.httpHeaders.1"]),
    "two merged configs of one source": (ignition(config={"merge": [{"source": "http://a"}] * 2}), ["ignition.config.merge.1"]),
    "two merged configs without source": (ignition(config={"merge": [{}, {}]}), ["ignition.config.merge.1"]),
    "two certificates": (ignition(security={"tls": {"certificateAuthorities": [{"source": "a"}] * 2}}), ["ignition.security.tls.certificateAuthorities.1"]),
    "a proxy exception twice": (ignition(proxy={"noProxy": ["a", "a"]}), ["ignition.proxy.noProxy.1"]),
    "a disk twice": (storage(disks=[{"device": "/dev/a"}] * 2), ["storage.disks.1"]),
    "a partition number twice": (partitions({"number": 1}, {"number": 1}), ["storage.disks.0.partitions.1"]),
    "a partition label twice": (partitions({"label": "a"}, {"label": "a"}), ["storage.disks.0.partitions.1"]),
    "a label and a number": (partitions({"label": "a"}, {"label": "a", "number": 1}), []),
    "an array's device twice": (storage(raid=[{"name": "a", "devices": ["/a", "/a"]}]), ["storage.raid.0.devices.1"]),
    "two filesystems": (storage(filesystems=[{"device": "/a"}] * 2), ["storage.filesystems.1"]),
    "two volumes": (storage(luks=[{"name": "a"}] * 2), ["storage.luks.1"]),
    "a Tang server twice": (luks(clevis={"tang": [{"url": "u"}] * 2}), ["storage.luks.0.clevis.tang.1"]),
    "an option for opening twice": (luks(openOptions=["a", "a"]), ["storage.luks.0.openOptions.1"]),
    "options that may repeat": ({"storage": {
        **luks(options=["a", "a"])["storage"], **filesystem(options=["a", "a"], mountOptions=["b", "b"])["storage"],
        "raid": [{"name": "a", "options": ["a", "a"]}]}}, []),
    "appended contents that may repeat": (storage(files=[{"path": "/a", "append": [{"source": "a"}] * 2}]), []),
}  # fmt: skip


@pytest.mark.parametrize("config, expected", DUPLICATES.values(), ids=DUPLICATES)
def test_duplicates_are_found_in(config, expected):
    found = spec.duplicates(config, "3.4.0")
    assert [".".join(map(str, finding.path)) for finding in found] == expected
    assert {finding.message for finding in found} <= {"duplicate entry defined"}


def test_an_unknown_version_is_named_with_the_known_ones():
    with pytest.raises(spec.UnknownSpecError, match=r"spec 2\.3\.0 is not known; known are 3\.0\.0, "):
        spec.validate({}, "2.3.0")
