"""The daemon as a process on loopback: READY after the last socket, reload, stop, and refusals that say what to do."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port

PXED = Path(sys.executable).with_name("pxed")


class Running:
    """A pxed that was started, and the socket it notifies."""

    def __init__(self, home: Path) -> None:
        self.http, self.tftp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        self.config = home / "pxed.yaml"
        self.write()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(home / "notify"))
        self.notify.settimeout(30)
        environment = os.environ | {"NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "300000"}
        command = [PXED, "serve", "-c", self.config, "--log-format", "json"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def write(self, more: str = "") -> None:
        ports = f"http: {{port: {self.http}}}, tftp: {{port: {self.tftp}}}"
        server = f"{{interfaces: [lo], data_dir: data, dhcp: 'off', {ports}}}"
        self.config.write_text(f"server: {server}\nprofiles:\n  disk: {{boot: local}}\n{more}")

    def wait_for(self, word: str) -> str:
        while True:
            state = self.notify.recv(4096).decode()
            if word in state:
                return state

    def health(self) -> dict[str, object]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/healthz", timeout=10) as response:
            return dict(json.load(response))


@contextlib.contextmanager
def running(home: Path):
    pxed = Running(home)
    try:
        yield pxed
    finally:
        pxed.process.kill()
        pxed.process.communicate()
        pxed.notify.close()


def test_a_daemon_is_ready_reloads_and_stops(tmp_path):
    with running(tmp_path) as pxed:
        assert "STATUS=serving" in pxed.wait_for("READY=1")
        assert pxed.health()["status"] == "ok"
        assert pxed.wait_for("WATCHDOG=1")
        pxed.write("machines: {node1: {mac: 52:54:00:00:00:01, profile: disk}}\n")
        pxed.process.send_signal(signal.SIGHUP)
        pxed.wait_for("RELOADING=1")
        pxed.wait_for("serving 1 machine")
        assert pxed.health()["machines"] == 1
        pxed.write("machines: nonsense\n")
        pxed.process.send_signal(signal.SIGHUP)
        pxed.wait_for("RELOADING=1")
        pxed.wait_for("READY=1")
        assert pxed.health()["machines"] == 1
        pxed.process.send_signal(signal.SIGTERM)
        pxed.wait_for("STOPPING=1")
        _, log = pxed.process.communicate(timeout=60)
        assert pxed.process.returncode == 0
        kinds = [json.loads(line)["kind"] for line in log.splitlines()]
        assert kinds[0] == "ready"
        assert {"reloaded", "reload-failed", "stopping"} <= set(kinds)


def test_a_busy_port_is_named_with_its_holder_and_a_way_out(tmp_path):
    with running(tmp_path) as pxed:
        pxed.wait_for("READY=1")
        done = subprocess.run([PXED, "serve", "-c", pxed.config], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"UDP port {pxed.tftp} on lo is taken by pxed" in done.stderr
    assert f"(pid {pxed.process.pid})" in done.stderr
    assert "one runs already: restart or stop that one" in done.stderr


ACTIVATED = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


def activated(pxed_config: Path, socks: dict[str, socket.socket], notify: Path) -> subprocess.Popen[str]:
    """pxed as systemd starts it with socket units: descriptors 3 and up, told by their names."""

    def pass_on() -> None:
        copies = [os.dup2(sock.fileno(), 60 + at) for at, sock in enumerate(socks.values())]
        for target, copy in enumerate(copies, 3):
            os.dup2(copy, target)

    told = {"LISTEN_FDS": str(len(socks)), "LISTEN_FDNAMES": ":".join(socks), "NOTIFY_SOCKET": str(notify)}
    command = [sys.executable, "-c", ACTIVATED, PXED, "serve", "-c", pxed_config]
    return subprocess.Popen(
        command, preexec_fn=pass_on, close_fds=False, env=os.environ | told, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("other_port", [False, True], ids=["the same ports", "another port than the inventory's"])
def test_sockets_of_systemd_are_served_when_they_are_the_inventorys(tmp_path, other_port):
    kinds = {"tftp": socket.SOCK_DGRAM, "http": socket.SOCK_STREAM}
    socks = {name: socket.socket(socket.AF_INET, kind) for name, kind in kinds.items()}
    for sock in socks.values():
        sock.bind(("0.0.0.0", 0))
    socks["http"].listen()
    http, tftp = (socks[name].getsockname()[1] for name in ("http", "tftp"))
    config, notify = tmp_path / "pxed.yaml", tmp_path / "notify"
    inventory_port = http % 65535 + 1 if other_port else http
    server = (
        f"{{interfaces: [lo], data_dir: data, dhcp: 'off', http: {{port: {inventory_port}}}, tftp: {{port: {tftp}}}}}"
    )
    config.write_text(f"server: {server}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, contextlib.ExitStack() as stack:
        for sock in socks.values():
            stack.enter_context(sock)
        told.bind(str(notify))
        told.settimeout(30)
        process = activated(config, socks, notify)
        if other_port:
            _, log = process.communicate(timeout=30)
            assert process.returncode == 2
            assert f"systemd handed over port {http} for http, but the inventory says {inventory_port}" in log
            return
        try:
            assert told.recv(4096).startswith(b"READY=1")
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/healthz", timeout=10) as response:
                assert json.load(response)["status"] == "ok"
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up root")
def test_a_missing_privilege_is_named(tmp_path):
    (tmp_path / "pxed.yaml").write_text("server: {interfaces: [lo], data_dir: data}\n")
    code = "from pxed.server import udp\ntry: udp.bind(67)\nexcept Exception as error: print(error)"
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", code],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert "CAP_NET_BIND_SERVICE" in done.stdout, done.stderr
