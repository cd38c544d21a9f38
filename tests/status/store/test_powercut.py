"""The power may fail at any moment: what was acknowledged is there, and the store is whole."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from pxed.status.store import open_store
from tests.status.store.disk import CALLS, Disk, File, some

WRITER = """
import os, sys
from pathlib import Path
from pxed.status.records import BootRecord, Forget, Setting, Standing
from pxed.status.store import open_store

number = 0
for run in range(2):
    store = open_store("sqlite", Path(sys.argv[1]))
    store._connection.connection.driver_connection.execute("PRAGMA wal_autocheckpoint = 20")
    for number in range(number + 1, number + 8):
        other = BootRecord(f"b{number}", f"node{number % 3}", "", "", float(number), "x" * 900 * (number % 5), "")
        forget = Forget(BootRecord, (f"b{number - 3}",))
        store.write([Standing("node", attempt=number), other, forget, Setting("number", str(number))])
        os.write(1, b"%d" % number)
    if run == 0:
        store.close()
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> tuple[Path, str]:
    """The system calls of a daemon that starts, writes, ends, and starts again; and its directory."""
    directory = tmp_path_factory.mktemp("trace")
    trace, root = directory / "trace", directory / "data"
    root.mkdir()
    strace = ("strace", "-y", "-xx", "-s", "1000000", "-o", str(trace), "-e", f"trace={CALLS}")
    command = [*strace, sys.executable, "-c", WRITER, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return trace, str(root)


@pytest.fixture
def quick(tmp_path) -> Iterator[Path]:
    """A directory in memory, where there is one: what is looked at here is not to be flushed hundreds of times."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory)


def test_after_a_power_cut_at_any_moment_all_that_was_acknowledged_is_there(trace, quick):
    disk, random = Disk(trace[1]), Random(4)
    cuts: dict[tuple[tuple[str, bytes], ...], set[int]] = {}  # images are often the same: each is looked at once
    for _ in disk.calls(trace[0]):
        for image in disk.images(random):
            cuts.setdefault(tuple(sorted(image.items())), set()).add(disk.acknowledged)
    assert disk.acknowledged == 14
    assert len(cuts) > 100
    for image, acknowledged in cuts.items():
        assert max(acknowledged) <= found(image, quick / "data") <= min(acknowledged) + 1


def found(image: tuple[tuple[str, bytes], ...], data_dir: Path) -> int:
    """The number that a daemon finds that starts on what the power cut left."""
    data_dir.mkdir()
    for name, content in image:
        (data_dir / Path(name).name).write_bytes(content)
    store = open_store("sqlite", data_dir)
    contents = store.load()
    store.close()
    with sqlite3.connect(data_dir / "state.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    shutil.rmtree(data_dir)
    if "node" not in contents.standings:
        assert contents.settings == {}
        return 0
    number = contents.standings["node"].attempt
    assert contents.settings["number"].value == str(number)
    assert {boot.id for boot in contents.boots} == {f"b{i}" for i in range(max(1, number - 2), number + 1)}
    return number


def test_the_disk_of_these_tests_loses_what_is_not_flushed(trace):
    """A store that flushed nothing would not pass: without any flush the last image is empty."""
    disk = Disk(trace[1])
    disk._write = lambda *_: False  # type: ignore[method-assign]
    for _ in disk.calls(trace[0]):
        pass
    assert disk.image(lambda file: file.pending, 0) == {}


def test_a_write_may_be_torn_or_missing_and_others_there():
    file = File(b"old-", [(0, b"a" * 1024), (1024, b"b" * 1024), (4, None)])
    seen = {file.content(some(file, Random(seed))) for seed in range(500)}
    torn = {b"a" * 512, b"a" * 1024 + b"b" * 512}
    missing = {b"old-", b"a" * 4, b"a" * 1024, b"old-" + b"\0" * 1020 + b"b" * 1024}
    assert torn | missing <= seen
