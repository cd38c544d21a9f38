"""The machines' disks: what is on them stays while a machine is off."""

from __future__ import annotations

from pathlib import Path

from tests.lab import disks


def test_a_disk_is_made_empty_without_taking_room_and_is_kept_afterwards(tmp_path: Path) -> None:
    argv = disks.arguments(tmp_path, "node1", "SERIAL", (10, 12))
    made = [disks.file(tmp_path, "node1", number) for number in (0, 1)]
    assert [path.stat().st_size for path in made] == [10 << 30, 12 << 30]
    assert all(path.stat().st_blocks < 100 for path in made)
    with made[0].open("r+b") as disk:
        disk.write(b"installed")
    assert disks.arguments(tmp_path, "node1", "SERIAL", (10, 12)) == argv
    with made[0].open("rb") as disk:
        assert disk.read(9) == b"installed"


def test_disks_come_after_the_network_in_the_firmwares_order(tmp_path: Path) -> None:
    devices = [word for word in disks.arguments(tmp_path, "node1", "SERIAL", (10, 12)) if "bootindex" in word]
    assert [device.rsplit("=", 1)[1] for device in devices] == ["1", "2"]
    assert "serial=SERIAL-0," in devices[0]
