"""The containers with real systemd as PID 1 that the tests of the service and of the package use."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import netns, nspawn
from tests.lab.process import LabError

pytestmark = pytest.mark.net


def test_a_container_runs_systemd_joins_a_network_and_ends_with_its_block() -> None:
    with netns.network(1) as network, nspawn.container("self", network=network.pxe) as system:
        assert system.run("cat", "/proc/1/comm") == "systemd\n"
        assert system.run("stat", "--file-system", "--format=%T", "/sys/fs/cgroup") == "cgroup2fs\n"
        assert netns.PXE_ADDRESS in system.run("ip", "-4", "address", "show", "eth0")
        system.write("/etc/systemd/system/hello.service", "[Service]\nType=oneshot\nExecStart=echo hello there\n")
        system.run("systemctl", "start", "hello.service")
        assert "hello there" in [entry["MESSAGE"] for entry in system.journal("hello.service")]
        with pytest.raises(LabError, match=r"no-such.service not found"):
            system.run("systemctl", "start", "no-such.service")
        leader = system.leader
    assert not Path(f"/proc/{leader}").exists()
    assert _groups(os.getpid()) == []


def test_what_a_container_writes_is_not_in_the_next_one() -> None:
    with nspawn.container("one") as one, nspawn.container("two") as two:
        one.write("/etc/only-one", "here")
        assert one.run("cat", "/etc/only-one") == "here"
        assert two.attempt("test", "-e", "/etc/only-one").returncode == 1
        assert two.run("cat", "/proc/1/comm") == "systemd\n"


_DIES = """
import sys
from tests.lab import nspawn
with nspawn.container("dies") as system:
    print(system.leader, flush=True)
    sys.stdin.read()
"""


def test_a_container_ends_when_its_test_is_killed_and_the_next_one_cleans_up() -> None:
    argv = [sys.executable, "-c", _DIES]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        leader = os.pidfd_open(int(test.stdout.readline()))
        with contextlib.closing(os.fdopen(leader)):
            test.send_signal(signal.SIGKILL)
            test.wait()
            assert nspawn.ended(leader), "the container outlived its test by half a minute"
    with nspawn.container("next"):
        assert _groups(test.pid) == []


def _groups(pid: int) -> list[str]:
    return [name for name in nspawn.groups() if name.startswith(f"{netns.PREFIX}{pid}-")]
