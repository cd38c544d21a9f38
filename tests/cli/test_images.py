"""`pxed images` as an operator runs it, against a release server: what it prints, its exit codes, what is on disk."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pxed.assets.mirror.events import Failed, Progress, Published, from_json
from pxed.status.records import Booted
from pxed.status.store import open_store
from tests.cli.imagesite import INITRD, KERNEL, A, B, written_by_another
from tests.releases.faults import Fault

BIG = os.urandom(1 << 20) * 4


def test_a_sync_mirrors_what_the_inventory_names(home):
    home.releases.publish("stable", "amd64", B, kernel=BIG)
    done = home.run("sync")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f"{KERNEL} of {B}: downloading 4.2 MB" in lines
    assert re.search(
        rf"^image flatcar: {re.escape(B)} published: 4\.2 MB in \d+ files, signed by [0-9A-F]{{40}}", lines[-1]
    )
    assert (home.release(B) / KERNEL).read_bytes() == BIG
    assert home.release("current").readlink().name == B


def test_a_second_sync_has_nothing_to_do(home):
    home.synced(B)
    done = home.run("sync")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"image flatcar: {B} is mirrored and verified already",
    )


def test_json_gives_an_event_a_line(home):
    home.releases.publish("stable", "amd64", B)
    done = home.run("sync", "--json")
    events = [from_json(line) for line in done.stdout.splitlines()]
    assert {event.file for event in events if isinstance(event, Progress)} >= {KERNEL, INITRD}
    assert [event.version for event in events if isinstance(event, Published)] == [B]


def test_bars_are_drawn_on_a_terminal(home):
    home.releases.publish("stable", "amd64", B, kernel=BIG)
    master, slave = pty.openpty()
    with subprocess.Popen(home.command("sync"), cwd=home.path, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        seen = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while chunk := os.read(master, 65536):
                seen += chunk
    os.close(master)
    assert process.returncode == 0
    assert b"\x1b[" in seen
    assert b"pxe.vmlinuz" in seen
    assert seen.decode().replace("\r\n", "").rpartition("image flatcar: ")[2].startswith(f"{B} published")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sync", "flatca"], "'flatca' is no image; did you mean \"flatcar\"?"),
        (["sync", "rescue"], "'rescue' has a kernel of its own and is not mirrored"),
        (["promote", "nosuch"], "'nosuch' is no image"),
    ],
    ids=["a misspelt image", "an image that is no release", "no image to promote"],
)
def test_an_image_that_is_none_is_bad_use(home, words, sentence):
    done = home.run(*words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_broken_inventory_is_refused_with_its_place(home):
    (home.path / "pxed.yaml").write_text("images: {x: {flatcar: {channel: stabel}}}\n")
    done = home.run("sync")
    assert done.returncode == 1
    assert "pxed.yaml:1:" in done.stderr


def test_an_inventory_without_flatcar_has_nothing_to_mirror(home):
    (home.path / "pxed.yaml").write_text("images: {x: {kernel: vmlinuz}}\n")
    assert (home.run("sync").returncode, home.run("list").returncode) == (0, 0)
    assert not (home.path / "data").exists()


def test_a_failure_says_what_goes_on_being_served_and_list_remembers_it(home):
    home.synced(A)
    home.releases.publish("stable", "amd64", B)
    home.releases.fault(KERNEL, Fault.TAMPER)
    done = home.run("sync")
    assert done.returncode == 1
    assert f"image flatcar: {B} was not mirrored: " in done.stderr
    assert f"{A} goes on being served" in done.stderr
    row = home.listed()
    assert (row["version"], row["newer"]) == (A, B)
    assert row["problem"]
    assert "failed: " in home.run("list").stderr
    home.releases.clear()
    assert home.run("sync").returncode == 0
    assert (home.listed()["version"], home.listed()["problem"]) == (B, "")


def arrived(stream, size: int) -> None:
    """Read events until so much of the kernel has arrived."""
    for line in stream:
        event = from_json(line)
        if isinstance(event, Progress) and event.file == KERNEL and event.done >= size:
            return
    raise AssertionError(f"the sync ended before it had {size} bytes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_sync_is_resumed_by_the_next(home, number):
    home.releases.publish("stable", "amd64", B, kernel=BIG)
    home.releases.fault(KERNEL, Fault.TRICKLE, after=3 << 20, times=1)
    with home.start("sync", "--json") as process:
        arrived(process.stdout, 3 << 20)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: what has arrived is kept" in errors
    assert home.listed()["arriving"][B] >= 3 << 20
    assert re.search(rf"not mirrored, \d\.\d MB of {B} arrived", home.run("list").stdout)
    home.releases.clear()
    assert home.run("sync").returncode == 0
    (request,) = [request for request in home.releases.asked(KERNEL) if request.range]
    assert int(request.range.removeprefix("bytes=").removesuffix("-")) >= 3 << 20


def test_the_daemons_child_ends_when_its_standard_input_does(home):
    home.releases.publish("stable", "amd64", B, kernel=BIG)
    home.releases.fault(KERNEL, Fault.TRICKLE, after=1 << 20)
    with home.start("sync", "--json", "--child", stdin=subprocess.PIPE) as process:
        arrived(process.stdout, 1 << 20)
        process.stdin.close()
        process.stdin = None
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_mirror_that_another_process_writes_is_left_alone(home):
    home.releases.publish("stable", "amd64", B)
    with written_by_another(home):
        done = home.run("sync")
        assert done.returncode == 1
        assert "is being written by process 4711" in done.stderr
        assert home.start("sync", "--child", stdin=subprocess.PIPE).wait(30) == 75


@pytest.mark.parametrize("words", [["sync"], ["sync", "--json"]], ids=["in words", "as an event"])
def test_a_mirror_that_cannot_be_written_is_said(home, words):
    (home.path / "data").write_text("a file where the directory should be")
    done = home.run(*words)
    assert done.returncode == 1
    said = done.stdout if "--json" in words else done.stderr
    assert f"cannot write {home.path}/data/mirror" in said
    assert "--json" not in words or isinstance(from_json(said), Failed)


def test_wait_waits_for_the_other_process(home):
    home.releases.publish("stable", "amd64", B)
    with written_by_another(home):
        process = home.start("sync", "--wait")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, f"{B} published" in out) == (0, True)


def test_list_shows_what_each_profile_and_machine_boots(home):
    home.synced(B)
    row = home.listed()
    assert (row["image"], row["follows"], row["version"], row["staged"]) == ("flatcar", "current", B, "")
    assert row["profiles"] == {"worker": 3}
    assert len(row["signed_by"]) == 40
    assert home.boots() == {"node1": B, "node2": B, "node3": B}
    table = home.run("list").stdout
    assert re.search(rf"flatcar +stable amd64 current +{re.escape(B)} +verified 20\d\d-\d\d-\d\d, signed by", table)


def test_list_before_the_first_sync_says_that_nothing_is_mirrored(home):
    assert re.search(r"flatcar +stable amd64 current +- +not mirrored +worker \(3\)", home.run("list").stdout)


def test_list_shows_what_is_newer_than_a_pinned_version(home):
    home.synced(A, B)
    home.write(f"version: {A}")
    row = home.listed()
    assert (row["version"], row["newer"]) == (A, B)


def test_list_does_without_a_broken_record_of_boots(home):
    home.synced(A)
    (home.path / "data" / "state.db").write_text("[" * 9000)
    done = home.run("list")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "state.db: it is not an SQLite database" in done.stderr
    assert "what machines booted last is not shown" in done.stderr
    assert f" {A} " in done.stdout


def test_list_shows_what_each_machine_booted_last(home):
    home.synced(B)
    boot = {
        "image": "flatcar",
        "version": A,
        "kernel": "0123456789abcdef" * 8,
        "initrd": "f" * 128,
        "time": 1795500000.0,
    }
    store = open_store("sqlite", home.path / "data")  # as a daemon that runs
    store.write([Booted("node1", **boot), Booted("52:54:00:00:01:77", **boot)])
    rows = {row["machine"]: row["last"] for row in home.list()["machines"]}
    assert rows == {"node1": boot, "node2": None, "node3": None, "52:54:00:00:01:77": boot}
    assert re.search(rf"node1 +worker +flatcar +{B} +{A} of flatcar +0123456789ab +2026-11-2", home.run("list").stdout)
    store.close()


def test_verify_finds_nothing_wrong(home):
    home.synced(A, B)
    done = home.run("verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"stable amd64 {B}" in done.stdout


@pytest.mark.parametrize("name", [KERNEL, f"{KERNEL}.sig", "version.txt"])
def test_verify_names_a_file_that_is_not_right(home, name):
    home.synced(B)
    path = home.release(B) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = home.run("verify", "--json")
    assert done.returncode == 1
    assert name in done.stderr
    assert name in {problem["file"] for problem in json.loads(done.stdout)["problems"]}
    assert home.boots()["node1"] == ""
    assert home.run("sync").returncode == 0
    assert home.run("verify").returncode == 0
    assert home.boots()["node1"] == B


def test_verify_names_a_file_that_is_gone(home):
    home.synced(B)
    (home.release(B) / INITRD).unlink()
    done = home.run("verify")
    assert done.returncode == 1
    assert INITRD in done.stderr


def test_prune_says_what_would_go_and_why_the_others_stay(home):
    home.write(keep=3)
    home.synced("4593.2.3", A, B)
    home.write(keep=1)
    done = home.run("prune", "--dry-run", "--json")
    plan = {entry["version"]: entry for entry in json.loads(done.stdout)}
    assert {version: entry["remove"] for version, entry in plan.items()} == {"4593.2.3": True, A: True, B: False}
    assert home.release("4593.2.3").exists()
    assert home.run("prune").returncode == 0
    assert sorted(path.name for path in home.release(B).parent.iterdir()) == [B, "current"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make files of another user")
def test_root_makes_files_for_the_owner_of_the_data_directory(home):
    data = home.path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    home.synced(A, B)
    assert home.run("rollback", "flatcar").returncode == 0
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in [*data.rglob("*")]}
    assert owners == {(65534, 65534)}
    assert Path(home.release("current")).is_symlink()
