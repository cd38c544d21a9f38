"""The stand-in release: what goes into its initramfs."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.lab.flatcar import libraries, tree
from tests.lab.initrd import Entry


def test_a_member_comes_after_the_directories_that_it_is_in() -> None:
    members = tree([Entry("usr/lib/os-release", stat.S_IFREG | 0o644, b"ID=flatcar\n")], ["sysroot", "usr/bin"])
    assert [member.name for member in members] == ["sysroot", "usr", "usr/bin", "usr/lib", "usr/lib/os-release"]
    assert {stat.S_IFMT(member.mode) for member in members[:-1]} == {stat.S_IFDIR}


def test_a_programs_libraries_include_the_loader_itself() -> None:
    found = libraries(Path("/usr/sbin/usermod"))
    assert {"libc.so.6", "ld-linux-x86-64.so.2"} <= {path.name for path in found}
    assert all(path.is_file() for path in found)
