"""The store's file: private, never mistaken for an empty one, and plain words for whatever is wrong with it."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import pytest

from pxed.status.records import Standing, State
from pxed.status.store import StoreError, Trouble, open_store
from tests.status.store.test_store import rows_of

NODE = Standing("node1", ("52:54:00:00:00:01",), State.WANTED)


def filled(data_dir) -> None:
    store = open_store("sqlite", data_dir)
    store.write([replace(NODE, machine=f"node{number}", reason="x" * 500) for number in range(200)])
    store.close()


def test_files_are_for_pxed_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store = open_store("sqlite", tmp_path / "new" / "data")
        store.write([NODE])
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new" / "data").iterdir()}
    store.close()
    assert modes == dict.fromkeys(["state.db", "state.db-shm", "state.db-wal", "state.lock"], 0o600)


def damage(content: bytes) -> bytes:
    return content[:4096] + b"\xa5" * (len(content) - 4096)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        pytest.param(lambda _: b"", "is empty, as after damage", id="an empty file"),
        pytest.param(lambda content: content[:100], "restore a backup", id="a file that was cut in its header"),
        pytest.param(lambda content: content[: len(content) // 2], "it is damaged", id="a file that was cut"),
        pytest.param(lambda content: b"\0" * len(content), "restore a backup", id="zeros"),
        pytest.param(lambda content: b"\xa5" * len(content), "it is not an SQLite database", id="noise"),
        pytest.param(damage, "it is damaged", id="noise behind the first page"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True], ids=["the daemon", "a command"])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path, damaged, said, read_only):
    filled(tmp_path)
    path = tmp_path / "state.db"
    content = damaged(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(StoreError, match=said) as refused:
        store = open_store("sqlite", tmp_path, read_only=read_only)
        try:
            store.load()
        finally:
            store.close()
    assert refused.value.trouble is Trouble.UNUSABLE
    assert path.read_bytes() == content


def test_a_new_store_that_was_not_finished_is_begun_again(tmp_path):
    (tmp_path / ".state.db.new").write_bytes(b"half")
    assert rows_of(open_store("sqlite", tmp_path)) == set()
    assert not (tmp_path / ".state.db.new").exists()


def test_a_file_that_is_removed_under_the_daemon_is_not_made_anew(tmp_path):
    store = open_store("sqlite", tmp_path)
    store._drop()
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    with pytest.raises(StoreError, match="cannot be opened"):
        store.write([NODE])
    assert not (tmp_path / "state.db").exists()
    store.close()


@contextmanager
def no_file_larger_than(size: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_fails_the_write_and_keeps_what_was_there(tmp_path):
    store = open_store("sqlite", tmp_path)
    store.write([NODE])
    with no_file_larger_than(64 * 1024), pytest.raises(StoreError, match="full") as refused:
        store.write([replace(NODE, attempt=1), *(replace(NODE, machine=str(i), reason="x" * 500) for i in range(999))])
    assert refused.value.trouble is Trouble.FULL
    assert rows_of(store) == {NODE}
    store.write([replace(NODE, attempt=2)])
    store.close()
    assert rows_of(open_store("sqlite", tmp_path)) == {replace(NODE, attempt=2)}


FILL = """
import sys
from pathlib import Path
from pxed.status.records import Setting
from pxed.status.store import StoreError, Trouble, open_store

data_dir, written = Path(sys.argv[1]), 0
store = open_store("sqlite", data_dir)
try:
    while True:
        store.write([Setting(str(written), "x" * 10_000)])
        written += 1
except StoreError as error:
    assert error.trouble is Trouble.FULL and "the disk is full: make room" in str(error), error
store.close()
store = open_store("sqlite", data_dir)
assert len(store.load().settings) == written > 10
store.close()
"""


@pytest.mark.net
def test_on_a_full_disk_all_that_was_written_stays(tmp_path):
    mount = 'mount -t tmpfs -o size=1m none "$2" && exec "$0" -c "$1" "$2"'
    command = ["unshare", "--mount", "sh", "-c", mount, sys.executable, FILL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


REFUSED = """
import os, sys
from pathlib import Path
from pxed.status.store import StoreError, open_store

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_store("sqlite", Path(sys.argv[1]), read_only=sys.argv[2] == "read")
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("kept", "mode", "how", "said"),
    [
        pytest.param(False, 0o555, "write", "let the directory belong to pxed's user", id="a directory"),
        pytest.param(True, 0o555, "write", "let the directory belong to pxed's user", id="a directory with a store"),
        pytest.param(True, 0o755, "read", "let it and its directory belong to pxed's user", id="another user's store"),
    ],
)  # fmt: skip
def test_what_pxed_may_not_open_is_said_with_the_remedy(tmp_path, kept, mode, how, said):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    if kept:
        filled(data_dir)
        (data_dir / "state.db").chmod(0o000)
        (data_dir / "state.lock").chmod(0o000)
    for directory in takewhile(lambda directory: directory != Path(gettempdir()), (tmp_path, *tmp_path.parents)):
        directory.chmod(directory.stat().st_mode | 0o055)
    data_dir.chmod(mode)
    command = [sys.executable, "-c", REFUSED, str(data_dir), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    data_dir.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
