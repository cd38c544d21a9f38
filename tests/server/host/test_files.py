"""Files that pxed may not read and directories that it may not write, tried as another user by becoming it."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pxed.inventory.loader import load
from pxed.server.host.access import Access, Need, Wanted, probe_as
from pxed.server.host.files import Reader, directory_finding, file_finding, findings_of, space_finding
from pxed.server.host.reach import lock_findings
from pxed.server.host.sandbox import Service
from pxed.status.store.errors import StoreError
from pxed.status.store.sqlite import Sqlite
from tests.lab.process import ROOT

PXED = Path(sys.executable).with_name("pxed")
NOBODY = Reader("nobody", "nogroup")
SANDBOX = Service("pxed", protect_home="yes", protect_system="strict", state=(Path("/var/lib/pxed"),))
FILE, DATA, STATE = Path("/etc/pxed/x.bu"), Path("/data"), Path("/var/lib/pxed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def read(path: Path, error: int = 0, at: Path | None = None, *, private: bool = False) -> Access:
    return Access(Wanted(path, private=private), error, at or path)


def write(path: Path, error: int = 0, at: Path | None = None) -> Access:
    return Access(Wanted(path, Need.WRITE), error, at or path)


FILES = {
    "one that can be read": (read(FILE), SANDBOX, ""),
    "one that is not there is the inventory's problem": (read(FILE, errno.ENOENT), SANDBOX, ""),
    "one below a home": (read(Path("/root/x.bu")), SANDBOX, "file-hidden"),
    "one below a home, without a service": (read(Path("/root/x.bu")), None, ""),
    "one of somebody else": (read(FILE, errno.EACCES), SANDBOX, "file-closed"),
    "a secret of somebody else": (read(FILE, errno.EACCES, private=True), None, "file-private"),
    "one in a closed directory": (read(FILE, errno.EACCES, Path("/etc/pxed")), None, "directory-closed"),
}
DIRECTORIES = {
    "that of the service": (write(STATE), SANDBOX, ""),
    "that of the service, which systemd will make": (write(STATE, errno.ENOENT), SANDBOX, ""),
    "one that nobody makes": (write(DATA, errno.ENOENT), None, "data-missing"),
    "one that the sandbox protects": (write(DATA), SANDBOX, "data-protected"),
    "one below a home": (write(Path("/home/me/data")), SANDBOX, "data-hidden"),
    "one of root": (write(STATE, errno.EACCES), SANDBOX, "data-closed"),
    "one in a closed directory": (write(DATA, errno.EACCES, Path("/")), None, "directory-closed"),
    "one that is mounted read-only": (write(STATE, errno.EROFS), SANDBOX, "data-read-only"),
}
SPACE = {
    "enough": (10 << 30, 1000, ""),
    "no inodes are counted": (10 << 30, -1, ""),
    "little": (50 << 20, 1000, "data-space"),
    "none": (0, 1000, "data-full"),
    "no inodes": (10 << 30, 0, "data-full"),
}


@pytest.mark.parametrize(("access", "service", "code"), FILES.values(), ids=FILES)
def test_what_keeps_a_file_from_being_read(access: Access, service: Service | None, code: str) -> None:
    found = file_finding(access, NOBODY, service)
    assert (found.code if found else "") == code


@pytest.mark.parametrize(("access", "service", "code"), DIRECTORIES.values(), ids=DIRECTORIES)
def test_what_keeps_a_directory_from_being_written(access: Access, service: Service | None, code: str) -> None:
    found = directory_finding(access, NOBODY, service)
    assert (found.code if found else "") == code


@pytest.mark.parametrize(("free", "inodes", "code"), SPACE.values(), ids=SPACE)
def test_room_on_the_file_system(free: int, inodes: int, code: str) -> None:
    found = space_finding(STATE, free, inodes)
    assert (found.code if found else "") == code


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that everybody may enter, of root."""
    with tempfile.TemporaryDirectory(prefix="pxed-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@needs_root
def test_another_user_is_really_become(home: Path) -> None:
    for name, mode in (("open", 0o644), ("closed", 0o600), ("group", 0o640)):
        (home / name).write_text("")
        (home / name).chmod(mode)
    os.chown(home / "group", 0, 65534)
    (home / "cellar").mkdir(mode=0o700)
    (home / "cellar" / "file").write_text("")
    (home / "link").symlink_to(home / "cellar" / "file")
    names = ("open", "closed", "group", "cellar/file", "link", "absent")
    accesses = probe_as("nobody", [*(Wanted(home / name) for name in names), Wanted(home, Need.WRITE)])
    assert [(access.error, str(access.at.relative_to(home)) if access.error else "") for access in accesses] == [
        (0, ""), (errno.EACCES, "closed"), (0, ""), (errno.EACCES, "cellar"), (errno.EACCES, "cellar"),
        (errno.ENOENT, "absent"), (errno.EACCES, "."),
    ]  # fmt: skip
    assert os.geteuid() == 0, "and this process is still root"


@needs_root
def test_each_way_out_is_one(home: Path) -> None:
    """The commands of the remedies, run as they stand."""
    (home / "cellar").mkdir(mode=0o700)
    for name in ("closed", "secret", "cellar/file"):
        (home / name).write_text("")
        (home / name).chmod(0o600)
    wanted = [Wanted(home / "closed"), Wanted(home / "cellar/file"), Wanted(home / "secret", private=True)]
    wanted.append(Wanted(home / "cellar", Need.WRITE))
    for _each in range(3):  # a file in a closed directory has two of them
        found = findings_of(probe_as("nobody", wanted), NOBODY, None)
        for one in found:
            command = one.remedy.partition(";")[0].partition(", or ")[0]
            subprocess.run(["bash", "-c", command], check=True)
    assert findings_of(probe_as("nobody", wanted), NOBODY, None) == []


def test_a_state_that_another_pxed_has_is_told_until_that_ends(home: Path) -> None:
    (home / "pxed.yaml").write_text("server: {data_dir: .}\n")
    inventory = load(home / "pxed.yaml")
    assert lock_findings(inventory) == []
    store = Sqlite(home / "state.db", read_only=False)
    store.lock()
    with pytest.raises(StoreError) as refused:
        Sqlite(home / "state.db", read_only=False).lock()
    (found,) = lock_findings(inventory)
    assert found.sentence == str(refused.value), "the daemon says the same"
    store.close()
    assert lock_findings(inventory) == []


def serving(home: Path, more: str) -> str:
    """What the daemon says as user nobody, before it gives up."""
    (home / "pxed.yaml").write_text(
        "server: {interfaces: [lo], dhcp: 'off', data_dir: data, http: {port: 18080}, tftp: {port: 16969}}\n" + more
    )
    words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(PXED), "serve"]
    done = subprocess.run(
        [*words, "-c", str(home / "pxed.yaml")], capture_output=True, text=True, check=False, timeout=30, cwd=ROOT
    )
    assert done.returncode in (1, 2)
    return done.stderr


PROFILE = "profiles: {p: {image: i, butane: HOME/x.bu}}\nimages: {i: {kernel: vmlinuz}}\n"
REFUSALS = {
    "the inventory": ("", "chmod 600 HOME/pxed.yaml", "user nobody may not read HOME/pxed.yaml: chgrp nogroup HOME"),
    "a config": (PROFILE, "chmod 600 HOME/x.bu", "user nobody may not read HOME/x.bu: chgrp nogroup HOME/x.bu && c"),
    "the state": ("", "mkdir HOME/data", "user nobody may not write HOME/data: chown -R nobody: HOME/data"),
    "no state": ("", "true", "server.data_dir HOME/data is not there, and user nobody may not make it: install -d -o"),
}  # fmt: skip


@needs_root
@pytest.mark.parametrize(("more", "setting", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_the_daemon_says_what_to_do_about_a_file(home: Path, more: str, setting: str, sentence: str) -> None:
    (home / "x.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    (home / "pxed.yaml").touch()
    with contextlib.chdir(home):
        subprocess.run(["bash", "-c", setting.replace("HOME", str(home))], check=True)
    said = serving(home, more.replace("HOME", str(home)))
    assert f"pxed: {sentence.replace('HOME', str(home))}" in said
