"""The archive that carries a config into the initramfs, read back by readers that we did not write."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.ignition.oem import OemError, OemFile, oem_config, oem_cpio

READERS = {"GNU cpio": "cpio", "libarchive's bsdcpio": "bsdcpio"}


def need(reader: str) -> None:
    if shutil.which(reader) is None:
        assert not os.environ.get("CI"), f"CI must run every test, but {reader} is not installed (make setup)"
        pytest.skip(f"{reader} is not installed (make setup)")


def unpack(archive: bytes, into: Path, reader: str = "cpio") -> dict[str, tuple[int, bytes]]:
    """Every file's mode and data, as a reader writes them to disk."""
    need(reader)
    subprocess.run([reader, "-id", "--quiet"], input=archive, cwd=into, check=True, capture_output=True)
    files = [path for path in sorted(into.rglob("*")) if path.is_file()]
    return {str(path.relative_to(into)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) for path in files}


def plain(compressed: bytes) -> bytes:
    return zlib.decompress(compressed, wbits=31)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_reader_unpacks_config_base_and_further_files(reader, tmp_path):
    extra = {"usr/share/oem/bin/setup": b"#!/bin/sh\nexit 0\n", "etc/motd": b"hello"}
    archive = oem_config(b'{"ignition":{"version":"3.3.0"}}', b'{"ignition":{"version":"3.3.0"},"a":1}', extra)
    assert unpack(plain(archive), tmp_path, reader) == {
        "etc/motd": (0o644, b"hello"),
        "usr/share/oem/base/base.ign": (0o644, b'{"ignition":{"version":"3.3.0"},"a":1}'),
        "usr/share/oem/bin/setup": (0o755, b"#!/bin/sh\nexit 0\n"),
        "usr/share/oem/config.ign": (0o644, b'{"ignition":{"version":"3.3.0"}}'),
    }


def test_each_directory_comes_once_and_before_what_is_in_it():
    need("cpio")
    archive = plain(oem_config(b"{}", b"{}", {"usr/share/oem/base.d/x": b""}))
    listed = subprocess.run(["cpio", "-it", "--quiet"], input=archive, capture_output=True, check=True)
    assert listed.stdout.decode().splitlines() == [
        "usr",
        "usr/share",
        "usr/share/oem",
        "usr/share/oem/base",
        "usr/share/oem/base/base.ign",
        "usr/share/oem/base.d",
        "usr/share/oem/base.d/x",
        "usr/share/oem/config.ign",
    ]


def entries(archive: bytes) -> list[tuple[str, list[int], int]]:
    """Name, header fields and offset of each entry, as newc defines them."""
    found, at = [], 0
    while not found or found[-1][0] != "TRAILER!!!":
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 109 + fields[11]].decode()
        found.append((name, fields, at))
        data = -(-(at + 110 + fields[11]) // 4) * 4
        at = -(-(data + fields[6]) // 4) * 4
    assert at == len(archive)
    return found


def test_headers_say_owner_root_time_zero_and_true_numbers_of_links():
    found = {name: fields for name, fields, _ in entries(plain(oem_config(b"{}", b"{}")))}
    assert {name: fields[4] for name, fields in found.items()} == {
        "usr": 3,
        "usr/share": 3,
        "usr/share/oem": 3,
        "usr/share/oem/base": 2,
        "usr/share/oem/base/base.ign": 1,
        "usr/share/oem/config.ign": 1,
        "TRAILER!!!": 1,
    }
    assert all(fields[2] == fields[3] == fields[5] == 0 for fields in found.values())
    inodes = [fields[0] for name, fields in found.items() if name != "TRAILER!!!"]
    assert len(set(inodes)) == len(inodes) and 0 not in inodes


def test_the_same_files_in_any_order_give_the_same_bytes():
    files = [OemFile("b/c", b"1"), OemFile("a", b"2", 0o600), OemFile("b/a", b"3")]
    assert oem_cpio(files) == oem_cpio(files[::-1])
    assert oem_cpio(files)[4:8] == b"\0\0\0\0"  # gzip's time


def test_it_unpacks_behind_another_initrd_with_padding(tmp_path):
    """The kernel and GNU cpio skip zeros between archives; boot loaders pad each initrd to four bytes or more."""
    need("cpio")
    first, second = (plain(oem_cpio([OemFile(name, b"x")])) for name in ("first", "second"))
    script = "cpio -id --quiet; cpio -id --quiet"  # one archive a call, as cpio stops at a trailer
    blocks = first + bytes(-len(first) % 512) + second + bytes(-len(second) % 512)
    subprocess.run(["sh", "-c", script], input=blocks, cwd=tmp_path, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


BAD = {
    "a path from the root": OemFile("/etc/motd", b""),
    "a path that climbs": OemFile("usr/../../etc/motd", b""),
    "a path with a dot": OemFile("usr/./x", b""),
    "an empty part": OemFile("usr//x", b""),
    "a directory": OemFile("usr/", b""),
    "no path": OemFile("", b""),
    "the name that ends an archive": OemFile("TRAILER!!!", b""),
    "a NUL in the path": OemFile("a\0b", b""),
    "a path longer than the kernel takes": OemFile("a/" * 2047 + "bc", b""),
    "a mode beyond permissions": OemFile("a", b"", 0o10000),
    "a negative mode": OemFile("a", b"", -1),
}


@pytest.mark.parametrize("file", BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_held_is_refused(file):
    with pytest.raises(OemError, match="the initrd"):
        oem_cpio([OemFile("ok", b""), file])


@pytest.mark.parametrize("path", ["a", "a/b"], ids=["the same file twice", "a file that is a directory too"])
def test_two_things_of_one_name_are_refused(path):
    with pytest.raises(OemError, match="given twice, or is a directory"):
        oem_cpio([OemFile("a", b""), OemFile(path, b"")])


PARTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="/"), min_size=1
).filter(lambda part: part not in {".", ".."} and part.isprintable())
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6))
def test_any_files_come_back_as_they_went_in(files):
    try:
        archive = plain(oem_cpio([OemFile(path, data) for path, data in files.items()]))
    except OemError:
        trailer = any(path.split("/")[0] == "TRAILER!!!" for path in files)
        assert trailer or any(other.startswith(f"{path}/") for path in files for other in files)
        return
    held = {name: (fields, at) for name, fields, at in entries(archive)}
    for path, data in files.items():
        fields, at = held[path]
        begin = -(-(at + 110 + fields[11]) // 4) * 4
        assert archive[begin : begin + fields[6]] == data
    assert all(path.rpartition("/")[0] in {"", *held} for path in files)
