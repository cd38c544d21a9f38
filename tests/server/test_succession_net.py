"""Listening sockets of interfaces, over restarts and while interfaces come and go."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.servicemanager import ServiceManager, managing

pytestmark = pytest.mark.net

PREFIX = f"pxsu{os.getpid() % 100000}"
HOST, CLIENT = f"{PREFIX}-h", f"{PREFIX}-c"
LOADER = os.urandom(100_000)
CONFIG = """\
server: {interfaces: [eth1], data_dir: data, syslog: on}
images: {i: {kernel: vmlinuz}}
profiles: {p: {image: i}}
machines: {node1: {mac: "52:54:00:00:00:01", profile: p}}
"""
KEPT = ["kept-bootserver-eth1", "kept-dhcp-eth1", "kept-http", "kept-syslog-eth1", "kept-tftp-eth1"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def pxed(tmp_path: Path) -> Iterator[ServiceManager]:
    """A unit in a namespace with a cable to its client's."""
    (tmp_path / "data/loaders").mkdir(parents=True)
    (tmp_path / "data/loaders/small.efi").write_bytes(LOADER)
    (tmp_path / "pxed.yaml").write_text(CONFIG)
    try:
        for name in (HOST, CLIENT):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        plug()
        with managing(tmp_path, tmp_path / "pxed.yaml", prefix=("ip", "netns", "exec", HOST)) as manager:
            yield manager
    finally:
        for name in (HOST, CLIENT):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def plug() -> None:
    """A cable; each time one whose adapter has another index."""
    ip("-n", HOST, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", CLIENT)
    ip("-n", HOST, "address", "add", "10.86.0.1/24", "dev", "eth1")
    ip("-n", HOST, "link", "set", "eth1", "up")
    ip("-n", CLIENT, "address", "add", "10.86.0.2/24", "dev", "eth0")
    ip("-n", CLIENT, "link", "set", "eth0", "up")


def fetching() -> subprocess.Popen[bytes]:
    argv = ["ip", "netns", "exec", CLIENT, "curl", "-sS", "--max-time", "20", "tftp://10.86.0.1/small.efi"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE)


def got(client: subprocess.Popen[bytes]) -> bytes:
    return client.communicate(timeout=30)[0]


def test_a_request_that_comes_while_nobody_runs_is_answered_by_the_next_process(pxed: ServiceManager) -> None:
    pxed.start()
    assert sorted(pxed.names()) == KEPT
    pxed.crash()
    waiting = fetching()
    time.sleep(0.3)
    pxed.start()
    assert got(waiting) == LOADER
    assert sorted(pxed.names()) == KEPT


def test_sockets_of_an_interface_that_was_made_anew_between_two_processes_are_let_go(pxed: ServiceManager) -> None:
    pxed.start()
    pxed.crash()
    ip("-n", HOST, "link", "del", "eth1")
    plug()
    pxed.start()
    assert got(fetching()) == LOADER
    assert sorted(pxed.names()) == KEPT


def test_sockets_of_an_interface_that_is_made_anew_later_are_kept_too(pxed: ServiceManager) -> None:
    pxed.start()
    ip("-n", HOST, "link", "del", "eth1")
    plug()
    assert pxed.wait_for("STATUS=serving 1 machine on 10.86.0.1")
    assert got(fetching()) == LOADER
    pxed.crash()
    waiting = fetching()
    time.sleep(0.3)
    pxed.start()
    assert got(waiting) == LOADER
    assert sorted(pxed.names()) == KEPT
