"""Interfaces that come and go under a running daemon: machines on them are answered as soon as they are there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pxed.probe.client import Uefi
from pxed.probe.nic import Nic
from tests.lab.process import Program, spawn

pytestmark = pytest.mark.net

PXED = Path(sys.executable).with_name("pxed")
PREFIX = f"pxli{os.getpid() % 100000}"
HOST, CLIENT = f"{PREFIX}-h", f"{PREFIX}-c"
MAC = "52:54:00:00:00:01"
ADDRESS = "10.84.0.1"
CONFIG = """\
server: {{interfaces: [{interfaces}], data_dir: data, syslog: on}}
images: {{i: {{kernel: vmlinuz}}}}
profiles: {{p: {{image: i}}}}
machines: {{node1: {{mac: "{mac}", profile: p}}}}
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[None]:
    """pxed's host and a client's, with no cable between them."""
    try:
        for name in (HOST, CLIENT):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in (HOST, CLIENT):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def plug(interface: str = "eth1", address: str = ADDRESS) -> None:
    """A network adapter with a cable to the client; each time one with another index."""
    ip("-n", HOST, "link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", CLIENT)
    ip("-n", CLIENT, "link", "set", "eth0", "up")
    ip("-n", HOST, "link", "set", interface, "up")
    if address:
        ip("-n", HOST, "address", "add", f"{address}/24", "dev", interface)


def unplug(interface: str = "eth1") -> None:
    ip("-n", HOST, "link", "del", interface)


class Daemon:
    def __init__(self, program: Program) -> None:
        self.program = program
        self._read = 0

    def told(self, *words: str) -> dict[str, Any]:
        """The next event whose text has the words."""

        def look(line: str) -> dict[str, Any] | None:
            event: dict[str, Any] = json.loads(line)
            return event if all(word in event["text"] for word in words) else None

        event = self.program.output.wait(look, 20, self._read)
        assert event is not None, f"{words}: {self.program.output.end()}"
        self._read = 1 + next(at for at, line in enumerate(self.program.output.lines) if json.loads(line) == event)
        return event

    def health(self) -> dict[str, Any]:
        words = ["curl", "-s", "http://127.0.0.1:8080/healthz"]
        done = subprocess.run(["ip", "netns", "exec", HOST, *words], check=True, capture_output=True, text=True)
        health: dict[str, Any] = json.loads(done.stdout)
        return health


@contextlib.contextmanager
def serving(home: Path, interfaces: str) -> Iterator[Daemon]:
    (home / "pxed.yaml").write_text(CONFIG.format(interfaces=interfaces, mac=MAC))
    (home / "data" / "loaders").mkdir(parents=True)
    (home / "data" / "loaders" / "snponly.efi").write_bytes(b"MZ" * 700)
    argv = [str(PXED), "serve", "-c", str(home / "pxed.yaml"), "--log-format", "json"]
    program = spawn(argv, log=home / "pxed.log", namespace=HOST, name="pxed")
    try:
        yield Daemon(program)
    finally:
        program.stop()


def boots() -> None:
    """A UEFI machine's way to its loader: DHCP on 67, the boot server on 4011, TFTP on 69."""
    with Nic("eth0", MAC, namespace=CLIENT) as nic, Uefi(nic) as client:
        offers = client.discover(8, enough=bool)
        assert [offer.server for offer in offers] == [ADDRESS]
        nic.configure("10.84.0.9", 24)
        answer = client.bootserver(ADDRESS)
        assert answer is not None
        fetched = client.tftp(ADDRESS, answer.file)
        assert (fetched.error, fetched.size, fetched.head[:2]) == ("", 1400, b"MZ")


@pytest.mark.usefixtures("hosts")
def test_an_interface_is_served_when_it_appears_and_again_after_it_was_gone(tmp_path: Path) -> None:
    with serving(tmp_path, "eth1") as pxed:
        missing = pxed.told("the interface eth1 of server.interfaces is not there", "this host has lo")
        assert missing["level"] == "warning"
        assert "not there: eth1" in pxed.told("serving 1 machine")["text"], "READY is said nevertheless"
        health = pxed.health()
        assert (health["status"], health["failing"]["what"], health["interfaces"]) == ("failing", "interfaces", [])
        assert health["waiting"] == [missing["text"]]
        for _again in range(2):
            plug()
            pxed.told(f"the interfaces changed: {ADDRESS} (eth1)")
            assert pxed.health()["status"] == "ok"
            boots()
            unplug()
            assert pxed.told("the interface eth1 of server.interfaces is not there")["level"] == "warning"


@pytest.mark.usefixtures("hosts")
def test_an_interface_that_was_replaced_within_a_moment_is_served(tmp_path: Path) -> None:
    plug()
    with serving(tmp_path, "eth1, eth2") as pxed:
        pxed.told("serving 1 machine")
        boots()
        unplug()
        plug()
        boots()
        unplug()
        plug("eth2")
        pxed.told(f"{ADDRESS} (eth2)")
        boots()


@pytest.mark.usefixtures("hosts")
def test_an_interface_without_an_address_is_named_and_served_once_it_has_one(tmp_path: Path) -> None:
    plug(address="")
    with serving(tmp_path, "eth1") as pxed:
        assert pxed.told("the interface eth1 of server.interfaces has no IPv4 address")["level"] == "warning"
        ip("-n", HOST, "address", "add", f"{ADDRESS}/24", "dev", "eth1")
        pxed.told(f"the interfaces changed: {ADDRESS} (eth1)")
        boots()
        ip("-n", HOST, "link", "set", "eth1", "down")
        assert pxed.told("is down", "ip link set eth1 up")["level"] == "warning"
