"""The release server itself, seen by clients and checkers that we did not write: curl, gpg, sha512sum."""

from __future__ import annotations

import subprocess

import pytest

from tests.releases.faults import Fault
from tests.releases.keys import ThrowAwayKey
from tests.releases.server import ReleaseServer
from tests.releases.tree import KERNEL

BODY = bytes(range(256)) * 4096
PATH = f"stable/amd64-usr/current/{KERNEL}"


@pytest.fixture
def server(tmp_path):
    with ReleaseServer(tmp_path / "releases") as running:
        running.publish("stable", "amd64", "4593.2.5", kernel=BODY)
        yield running


def curl(server, *arguments, path=PATH):
    command = ["curl", "-sS", "--max-time", "10", *arguments, f"http://127.0.0.1:{server.port}/{path}"]
    return subprocess.run(command, capture_output=True, check=False)


def test_version_txt_names_the_version(server):
    assert b"\nFLATCAR_VERSION=4593.2.5\n" in curl(server, path="stable/amd64-usr/current/version.txt").stdout


def test_current_is_the_version_published_last(server):
    server.publish("stable", "amd64", "4600.0.0", kernel=b"newer")
    assert curl(server).stdout == b"newer"


def test_head_has_the_length_and_no_body(server):
    done = curl(server, "--head")
    assert f"Content-Length: {len(BODY)}".encode() in done.stdout
    assert server.asked(KERNEL)[-1].method == "HEAD"


def test_a_range_continues_a_download(server, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(BODY[:1000])
    assert curl(server, "-C", "-", "-o", str(part)).returncode == 0
    assert part.read_bytes() == BODY
    assert server.asked(KERNEL)[-1].range == "bytes=1000-"
    assert server.asked(KERNEL)[-1].sent == len(BODY) - 1000


def test_a_changed_file_is_sent_whole_to_who_asks_if_range(server):
    assert len(curl(server, "-H", 'If-Range: "another"', "-H", "Range: bytes=1000-").stdout) == len(BODY)


def test_gpg_verifies_digests_and_signatures(server, tmp_path):
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--no-autostart"]
    key = server.save_key(tmp_path / "key.asc")
    subprocess.run([*gpg, "--import", str(key)], check=True, capture_output=True)
    directory = server.tree.directory("stable", "amd64", "4593.2.5")
    for arguments in ([f"{KERNEL}.DIGESTS.asc"], [f"{KERNEL}.sig", KERNEL], ["version.txt.sig", "version.txt"]):
        subprocess.run([*gpg, "--verify", *arguments], cwd=directory, check=True, capture_output=True)
    text = (directory / f"{KERNEL}.DIGESTS").read_text()
    sums = text[text.index("# SHA512 HASH\n") :].splitlines()[1] + "\n"
    subprocess.run(["sha512sum", "-c"], input=sums, text=True, cwd=directory, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("fault", "after", "exit_code"),
    [
        pytest.param(Fault.TRUNCATE, 1000, 18, id="a truncated body is a partial file to curl"),
        pytest.param(Fault.RESET, 1000, 56, id="a reset connection is a failed read to curl"),
        pytest.param(Fault.TOO_LONG, 0, 18, id="a length that is too great is a partial file to curl"),
        pytest.param(Fault.NOT_FOUND, 0, 22, id="a missing file is an HTTP error to curl --fail"),
        pytest.param(Fault.REDIRECT_LOOP, 0, 47, id="a loop is too many redirects to curl"),
        pytest.param(Fault.STALL, 1000, 28, id="a server that stops sending is a timeout to curl"),
        pytest.param(Fault.REDIRECT, 0, 0, id="a redirect leads to the file"),
        pytest.param(Fault.NO_LENGTH, 0, 0, id="a body without a length ends with the connection"),
    ],
)
def test_a_fault_is_what_its_name_says(server, fault, after, exit_code):
    server.fault(KERNEL, fault, after=after, times=None if fault is Fault.REDIRECT_LOOP else 1)
    slow = ["--max-time", "1"] if fault is Fault.STALL else []
    assert curl(server, "--fail", "--location", *slow).returncode == exit_code
    server.clear()
    assert curl(server).stdout == BODY, "and afterwards there is none"


def test_a_tampered_body_differs_in_one_bit(server):
    server.fault(KERNEL, Fault.TAMPER, after=5)
    got = curl(server).stdout
    assert [place for place, (ours, theirs) in enumerate(zip(BODY, got, strict=True)) if ours != theirs] == [5]


def test_a_key_can_be_kept(tmp_path):
    key = ThrowAwayKey.make()
    key.save(tmp_path / "secret")
    assert ThrowAwayKey.load(tmp_path / "secret").fingerprint == key.fingerprint
