"""The initrd that the laboratory builds, as the archiver of the kernel's own format reads it."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.lab.initrd import Entry, archive, dependencies, load_order
from tests.lab.kernel import Kernel

ENTRIES = [
    Entry("bin", stat.S_IFDIR | 0o755),
    Entry("bin/odd", stat.S_IFREG | 0o755, b"12345"),
    Entry("init", stat.S_IFREG | 0o644, b"#!/bin/sh\n"),
]


def members(raw: bytes) -> dict[str, tuple[int, bytes]]:
    """Name to mode and content, read by the letter of the format."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        fields = [int(raw[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = raw[at + 110 : at + 110 + length - 1].decode()
        start = at + (110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, raw[start : start + size])
        at = start + (size + 3) // 4 * 4


def test_an_archive_holds_its_entries_each_on_a_four_byte_boundary() -> None:
    assert members(archive(ENTRIES)) == {entry.name: (entry.mode, entry.content) for entry in ENTRIES}


def module(directory: Path, name: str, *needs: str) -> None:
    (directory / f"{name}.ko").write_bytes(b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=x\0")


def test_modules_come_after_what_they_need_and_built_in_ones_are_left_out(tmp_path: Path) -> None:
    module(tmp_path, "virtio_net", "net-failover", "virtio")
    module(tmp_path, "net_failover", "failover")
    module(tmp_path, "failover")
    module(tmp_path, "virtio")
    order = load_order(Kernel(tmp_path / "vmlinuz", tmp_path), ("virtio_net", "af_packet"))
    assert [path.stem for path in order] == ["failover", "net_failover", "virtio", "virtio_net"]


def test_a_module_without_needs_has_none(tmp_path: Path) -> None:
    module(tmp_path, "failover")
    assert dependencies(tmp_path / "failover.ko") == []
