"""The stand-in for flatcar-install: its requests to a mirror, and that it fails as the real one does.

Without a disk: that part is booted by tests/e2e/test_install.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.releases.faults import Fault
from tests.releases.keys import ThrowAwayKey
from tests.releases.server import ReleaseServer
from tests.releases.tree import INSTALL_IMAGE

TOOL = Path(__file__).with_name("flatcar_install.sh")
VERSION = "4593.2.5"
IMAGE = b"an image" * 1000
ABSENT = [tool for tool in ("wget", "gpg", "lsblk") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReleaseServer]:
    with ReleaseServer(tmp_path / "releases") as running:
        running.publish("stable", "amd64", VERSION, install_image=IMAGE)
        running.save_key(tmp_path / "key.asc")
        yield running


def install(server: ReleaseServer, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in `directory` against the server, with the server's key."""
    base = f"http://127.0.0.1:{server.port}/stable/amd64-usr/"
    argv = ["bash", str(TOOL), "-b", base, "-k", str(directory / "key.asc"), *arguments]
    # Below /tmp: gpg's agent listens on a socket there, and a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="pxed-", dir="/tmp") as scratch:
        places = {**os.environ, "TMPDIR": scratch}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=directory, env=places, timeout=30)
        assert not list(Path(scratch).iterdir()), "its own directory is gone, whatever happened"
    return done


def requests(server: ReleaseServer) -> list[tuple[str, str]]:
    """The method and path of each, below the channel's directory."""
    return [(asked.method, asked.path.removeprefix("/stable/amd64-usr")) for asked in server.requests]


def test_the_current_version_is_looked_up_and_both_files_are_asked_for_before_they_are_fetched(
    server: ReleaseServer, tmp_path: Path
) -> None:
    done = install(server, tmp_path, "-D", "-V", "current")
    assert (done.returncode, f"Current version of Flatcar Container Linux stable is {VERSION}" in done.stdout) == (
        0,
        True,
    )
    assert (tmp_path / INSTALL_IMAGE).read_bytes() == IMAGE
    image = f"/{VERSION}/{INSTALL_IMAGE}"
    assert requests(server) == [
        ("GET", "/current/version.txt"),
        ("HEAD", image),
        ("HEAD", f"{image}.sig"),
        ("GET", f"{image}.sig"),
        ("GET", image),
    ]


def test_a_version_that_is_given_is_not_looked_up(server: ReleaseServer, tmp_path: Path) -> None:
    assert install(server, tmp_path, "-D", "-V", VERSION).returncode == 0
    assert "/current/version.txt" not in dict(requests(server)).values()


@pytest.mark.parametrize(
    ("suffix", "fault", "sentence"),
    [
        pytest.param(INSTALL_IMAGE, Fault.NOT_FOUND, "Image URL unavailable: ", id="an image that is not there"),
        pytest.param(".sig", Fault.NOT_FOUND, "Image signature unavailable: ", id="a signature that is not there"),
        pytest.param(INSTALL_IMAGE, Fault.TAMPER, "Could not verify ", id="an image with one bit changed"),
    ],
)
def test_a_mirror_that_does_not_have_the_signed_image_fails_the_installation(
    server: ReleaseServer, tmp_path: Path, suffix: str, fault: Fault, sentence: str
) -> None:
    server.fault(suffix, fault)
    done = install(server, tmp_path, "-D", "-V", VERSION)
    assert (done.returncode, sentence in done.stderr) == (1, True)


def test_another_key_fails_the_installation(server: ReleaseServer, tmp_path: Path) -> None:
    (tmp_path / "key.asc").write_bytes(ThrowAwayKey.make().certificate)
    done = install(server, tmp_path, "-D", "-V", VERSION)
    assert (done.returncode, "Could not verify" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "No target block device provided", id="no disk"),
        pytest.param(["-d", "/dev/null"], "Target block device (/dev/null) is not a full disk.", id="no block device"),
        pytest.param(
            ["-d", "/dev/absent"], "Target block device (/dev/absent) is not a full disk.", id="a disk of no machine"
        ),
        pytest.param(["-q"], "illegal option", id="a flag that it does not have"),
    ],
)
def test_what_it_cannot_install_to_is_refused_before_any_request(
    server: ReleaseServer, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = install(server, tmp_path, "-V", VERSION, *arguments)
    assert (done.returncode, sentence in done.stderr, requests(server)) == (1, True, [])
