"""sd_notify, socket activation, watchdog: over real sockets, as systemd does it."""

import os
import socket
import subprocess
import sys

import pytest

from pxed.server.systemd import Manager, listen_fds, manager

PASSED_ON = """
import os
from pxed.server.systemd import listen_fds
from pxed.server.handed import Handed
from pxed.server.systemd import Manager
fds = listen_fds(dict(os.environ, LISTEN_PID=str(os.getpid())), os.getpid())
found = Handed.of(Manager(), fds).sockets()
print({name: [s.getsockname()[1] for s in socks] for name, socks in sorted(found.items())}, os.get_inheritable(3))
"""


@pytest.fixture(params=["path", "abstract"])
def notify_socket(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@pxed-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.settimeout(5)
        yield name, sock


def test_ready_says_a_status(notify_socket):
    name, sock = notify_socket
    Manager(name).ready("serving 3 machines")
    assert sock.recv(1000) == b"READY=1\nSTATUS=serving 3 machines"


def test_reloading_carries_the_monotonic_time(notify_socket):
    name, sock = notify_socket
    Manager(name).reloading()
    state, _, stamp = sock.recv(1000).decode().partition("\n")
    assert state == "RELOADING=1"
    assert stamp.startswith("MONOTONIC_USEC=")
    assert int(stamp.partition("=")[2]) > 0


def test_stopping_and_watchdog(notify_socket):
    name, sock = notify_socket
    Manager(name).stopping()
    Manager(name).alive()
    assert sock.recv(1000).startswith(b"STOPPING=1\n")
    assert sock.recv(1000) == b"WATCHDOG=1"


def test_without_systemd_nothing_happens(tmp_path):
    assert manager({}, 1) == Manager()
    Manager().ready("alone")
    Manager(str(tmp_path / "nobody")).ready("nobody listens")


WATCHDOGS = {
    "meant for us": ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
    "without a pid": ({"WATCHDOG_USEC": "500000"}, 0.5),
    "meant for another process": ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
    "not a number": ({"WATCHDOG_USEC": "soon"}, 0.0),
}


@pytest.mark.parametrize(("environment", "seconds"), WATCHDOGS.values(), ids=WATCHDOGS)
def test_watchdog(environment, seconds):
    assert manager(environment, 7).watchdog_seconds == seconds


STRANGE = [{}, {"LISTEN_PID": "8", "LISTEN_FDS": "1"}, {"LISTEN_PID": "7", "LISTEN_FDS": "x"}, {"LISTEN_PID": "7"}]


@pytest.mark.parametrize("environment", STRANGE)
def test_sockets_of_another_process_are_not_taken(environment):
    assert listen_fds(environment, 7) == []


def test_handed_over_sockets_are_found_by_name():
    """A child gets two UDP sockets and one TCP socket as descriptors 3, 4 and 5, as systemd passes them."""
    socks = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in socks]

    def pass_on() -> None:
        copies = [os.dup2(sock.fileno(), 60 + i) for i, sock in enumerate(socks)]
        for target, copy in enumerate(copies, 3):
            os.dup2(copy, target)

    names = {"LISTEN_FDS": "3", "LISTEN_FDNAMES": "tftp:dhcp:http"}
    child = subprocess.run(
        [sys.executable, "-c", PASSED_ON],
        preexec_fn=pass_on, close_fds=False, env=os.environ | names, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for sock in socks:
        sock.close()
    assert child.stdout.strip() == f"{ {'dhcp': [ports[1]], 'http': [ports[2]], 'tftp': [ports[0]]} } False"
