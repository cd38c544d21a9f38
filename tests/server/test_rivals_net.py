"""Other servers on a real wire: dnsmasq beside pxed, heard by its broadcasts and by pxed's own question."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pxed.dhcp.simulate import discover
from tests.lab.process import ROOT, Program, spawn

pytestmark = pytest.mark.net

PXED = Path(sys.executable).with_name("pxed")
PREFIX = f"pxrv{os.getpid() % 100000}"
SWITCH, HOST, OTHER, CLIENT = (f"{PREFIX}-{name}" for name in ("s", "h", "o", "c"))
MAC = "52:54:00:00:00:01"
ADDRESSES = {HOST: "10.83.0.1", OTHER: "10.83.0.2", CLIENT: "10.83.0.3"}
# no-ping: dnsmasq otherwise waits 3 s to see whether an address is in use.
DNSMASQ = "port=0\nbind-interfaces\ninterface=eth0\nno-ping\nlog-dhcp\nleasefile-ro\n"
GIVES_ALL = DNSMASQ + "dhcp-range=10.83.0.100,10.83.0.150,255.255.255.0,1h\ndhcp-boot=pxelinux.0\n"
PROXY = DNSMASQ + "dhcp-range=10.83.0.0,proxy\npxe-prompt=Boot,0\npxe-service=X86-64_EFI,Other,other.efi\n"
# Sends one datagram from port 68 to all.
SEND = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
sock.bind(("0.0.0.0", 68))
sock.sendto(bytes.fromhex(sys.argv[1]), ("255.255.255.255", 67))
"""
# pxed's DHCP and its watch alone, which asks, and prints the events that come of it until a server has answered.
SURVEY = """
import asyncio, io, json, sys
from pathlib import Path
from pxed.events import Kind
from pxed.inventory.loader import loads
from pxed.server import udp
from pxed.server.alerts import Alerts
from pxed.server.bus import Bus, LogWriter, as_text
from pxed.server.clients import Clients
from pxed.server.dhcp import DhcpServer
from pxed.server.interfaces import Interfaces
from pxed.server.live import Live, Snapshot
from pxed.server.rivals import Rivals, open_socket
from pxed.server.seen import Seen
from pxed.status.journal import Journal
from tests.server.keeper import Keeper

async def main():
    inventory = loads("server: {interfaces: eth0}", Path("/pxed.yaml"))
    live, interfaces, done = Live(Snapshot(inventory, None)), Interfaces(inventory.server), asyncio.Event()
    interfaces.refresh()
    def observe(events):
        for event in events:
            print(json.dumps({"kind": event.kind, "mac": event.mac, **event.data}))
            if event.kind is Kind.REPLY:
                done.set()
    bus = Bus(Journal(), LogWriter(io.BytesIO()), as_text)
    bus.observers.append(observe)
    rivals = Rivals(live, interfaces, bus.emit, Clients(), Alerts(Keeper(), bus.emit))
    dhcp = DhcpServer(live, interfaces, bus, Clients(), Seen(), rivals.questions)
    dhcp.attach(udp.bind(67, "eth0"), 67)
    rivals.attach(open_socket("eth0"))
    assert await rivals.survey("eth0", "x86_64-efi", sys.argv[1] == "ipxe")
    await asyncio.wait_for(done.wait(), 20)
    for part in (rivals, dhcp, bus):
        part.close()

asyncio.run(main())
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A switch with pxed's host, another server's and a client's."""
    try:
        for name in (SWITCH, HOST, OTHER, CLIENT):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", SWITCH, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0")
        ip("-n", SWITCH, "link", "set", "br0", "up")
        for name, address in ADDRESSES.items():
            port = f"p{name[-1]}"
            ip("-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", SWITCH, "link", "set", port, "master", "br0", "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield
    finally:
        for name in (SWITCH, HOST, OTHER, CLIENT):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def dnsmasq(settings: str, home: Path) -> Iterator[Program]:
    (home / "dnsmasq.conf").write_text(settings)
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={home / 'dnsmasq.conf'}", "--pid-file=", "--user=root"]
    program = spawn([*argv, "--log-facility=-"], log=home / "dnsmasq.log", namespace=OTHER, name="dnsmasq")
    try:
        assert program.output.wait(lambda line: "started, version" in line or None, timeout=20), program.output.end()
        yield program
    finally:
        program.stop()


@contextlib.contextmanager
def daemon(home: Path) -> Iterator[Program]:
    """pxed, which tells everything."""
    (home / "pxed.yaml").write_text(
        "server: {interfaces: eth0, data_dir: data}\nimages: {i: {kernel: vmlinuz}}\n"
        f'profiles: {{p: {{image: i}}}}\nmachines: {{node1: {{mac: "{MAC}", profile: p}}}}\n'
    )
    argv = [str(PXED), "serve", "-c", str(home / "pxed.yaml"), "--log-format", "json", "--log-level", "debug"]
    program = spawn(argv, log=home / "pxed.log", namespace=HOST, name="pxed")
    try:
        assert told(program, lambda event: event["kind"] == "ready")
        yield program
    finally:
        program.stop()


def told(program: Program, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """The first event of that kind, waited for."""

    def look(line: str) -> dict[str, Any] | None:
        event: dict[str, Any] = json.loads(line)
        return event if wanted(event) else None

    return program.output.wait(look, timeout=20)


def boots(mac: str = MAC) -> None:
    """A client asks everybody, with the broadcast flag as EDK2 has it."""
    data = discover(mac, bytes(range(16)), 7).hex()
    subprocess.run(["ip", "netns", "exec", CLIENT, sys.executable, "-c", SEND, data], check=True, capture_output=True)


KINDS = {
    "a DHCP server that names a boot file": (GIVES_ALL, True, "", "pxelinux.0", "names a boot file, pxelinux.0"),
    "a ProxyDHCP server": (PROXY, False, "PXEClient", "", "another PXE server, 10.83.0.2, answers network boots"),
}


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(("settings", "gives", "vendor", "file", "words"), KINDS.values(), ids=KINDS)
def test_another_server_is_heard_beside_pxeds_own_offers(
    tmp_path: Path, settings: str, gives: bool, vendor: str, file: str, words: str
) -> None:
    with dnsmasq(settings, tmp_path), daemon(tmp_path) as pxed:
        boots()
        reply = told(pxed, lambda event: event["kind"] == "reply")
        alert = told(pxed, lambda event: event["kind"] == "alert")
        offer = told(pxed, lambda event: event["kind"] == "offer")
        boots()  # pxed's own broadcast replies would be here by the second offer
        assert told(pxed, lambda event: event["kind"] == "offer" and event != offer)
        servers = [event["server"] for event in map(json.loads, pxed.output.lines) if event["kind"] == "reply"]
    assert reply is not None
    assert alert is not None
    assert (reply["machine"], reply["mac"], reply["server"], reply["message"]) == ("node1", MAC, "10.83.0.2", "OFFER")
    assert (bool(reply["given"]), reply["vendor"], reply["file"] or "") == (gives, vendor, file)
    assert reply["given"].startswith("10.83.0.1") is gives
    assert set(servers) == {"10.83.0.2"}
    assert words in alert["text"]
    assert alert["what"] == "rival"


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(("kind", "client"), [("firmware", "PXE firmware"), ("ipxe", "iPXE")])
def test_a_survey_finds_a_server_and_takes_no_address_of_it(tmp_path: Path, kind: str, client: str) -> None:
    with dnsmasq(GIVES_ALL, tmp_path) as other:
        words = ["ip", "netns", "exec", HOST, sys.executable, "-c", SURVEY, kind]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
        other.output.poll()
        log = [line for line in other.output.lines if "DHCP" in line and "eth0" in line]
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["kind"] for event in events] == ["reply", "alert"], "and pxed leaves its own question alone"
    reply = events[0]
    assert (reply["server"], reply["survey"], reply["client"]) == ("10.83.0.2", True, client)
    assert (reply["given"][:9], reply["file"]) == ("10.83.0.1", "pxelinux.0")
    assert any("DHCPDISCOVER" in line for line in log)
    assert not any("DHCPREQUEST" in line for line in log)
