"""Which DHCP messages show that a machine boots: by where they come from, over a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from pxed.dhcp.codes import BOOT_SERVER_PORT, SERVER_PORT
from pxed.dhcp.simulate import boot_server_request, discover
from pxed.ignition.load import load_configs
from pxed.inventory.loader import loads
from pxed.server import relays as module
from pxed.server import udp
from pxed.server.bus import Bus, LogWriter, as_text
from pxed.server.clients import Clients
from pxed.server.dhcp import DhcpServer
from pxed.server.interfaces import Interfaces
from pxed.server.live import Live, Snapshot
from pxed.server.relays import Relays, judged
from pxed.server.seen import MOST, Seen
from pxed.status.journal import Journal
from tests.server.httpsite import until

MAC = "52:54:00:00:00:01"
HERE = (IPv4Network("10.1.0.0/24"),)
ALLOWED = (IPv4Network("10.2.0.1/32"), IPv4Network("10.3.0.0/16"))
NOBODY = "0.0.0.0"


UNKNOWN = "its DHCP came by relay {}, which is not in server.relays"
ELSEWHERE = "which is not of this network and not in server.relays"
ORIGINS = {
    "a machine without an address": (NOBODY, NOBODY, ""),
    "a machine with an address of this network": (NOBODY, "10.1.0.9", ""),
    "a machine with an address from elsewhere": (NOBODY, "10.9.0.9", f"its DHCP came from 10.9.0.9, {ELSEWHERE}"),
    "a machine of a network that may": (NOBODY, "10.3.4.5", ""),
    "a relay that may": ("10.2.0.1", "10.2.0.1", ""),
    "a relay in a network that may": ("10.3.7.1", "10.3.7.1", ""),
    "a relay that may, from its leg in this network": ("10.2.0.1", "10.1.0.254", ""),
    "a relay that may not": ("10.2.0.2", "10.2.0.2", UNKNOWN.format("10.2.0.2")),
    "a relay that may not, from its leg in this network": ("10.2.0.2", "10.1.0.254", UNKNOWN.format("10.2.0.2")),
    "this network as a relay": ("10.1.0.9", "10.1.0.9", UNKNOWN.format("10.1.0.9")),
    "somebody else in the name of a relay that may": (
        *("10.2.0.1", "10.9.0.9"),
        f"its DHCP came by relay 10.2.0.1 from 10.9.0.9, {ELSEWHERE}",
    ),
    "nobody in the name of a relay that may": (
        *("10.2.0.1", NOBODY),
        f"its DHCP came by relay 10.2.0.1 from 0.0.0.0, {ELSEWHERE}",
    ),
}


@pytest.mark.parametrize(("relay", "source", "why"), ORIGINS.values(), ids=ORIGINS)
def test_what_shows_that_a_machine_boots(relay: str, source: str, why: str) -> None:
    assert judged(socket.inet_aton(relay), source, HERE, ALLOWED) == why


class Picture(Interfaces):
    """Interfaces with networks of their own."""

    def __init__(self, networks: Mapping[int, tuple[IPv4Network, ...]]) -> None:
        self.networks = networks


def test_what_was_judged_once_is_judged_anew_when_the_inventory_or_the_interfaces_change() -> None:
    picture = Picture({1: HERE})
    relays, relay = Relays(picture), socket.inet_aton("10.2.0.1")
    assert relays.refusal(relay, "10.1.0.9", 1, ()) != ""
    assert relays.refusal(relay, "10.1.0.9", 1, ALLOWED) == ""
    assert relays.refusal(relay, "10.1.0.9", 2, ALLOWED) != "", "it is of another interface's network"
    picture.networks = {2: HERE}
    assert relays.refusal(relay, "10.1.0.9", 1, ALLOWED) != ""


def test_origins_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    relays = Relays(Picture({}))
    for number in range(100):
        relays.refusal(socket.inet_aton(f"10.2.0.{number}"), "10.9.0.9", 1, ALLOWED)
        assert len(relays._known) <= 4


def test_what_was_refused_is_forgotten_in_time_and_bounded() -> None:
    seen = Seen()
    for number in range(MOST + 1):
        seen.refuse(str(number), "why", 1000.0)
    assert (seen.refusal("0", 1000.0), seen.refusal("1", 1000.0), seen.refusal("1", 2000.0)) == ("", "why", "")


@dataclass
class Wire:
    seen: Seen
    socks: Mapping[int, socket.socket]  # the daemon's ports, by what they stand for
    client: socket.socket

    async def send(self, data: bytes, port: int = SERVER_PORT) -> None:
        """A message from 127.0.0.1, which is in the network of its interface; until it was heard."""
        self.client.sendto(data, self.socks[port].getsockname())
        await until(lambda: self.seen.has_begun("node1", time.time()) or self.seen.refusal("node1", time.time()) != "")


@asynccontextmanager
async def wire(home: Path, relays: str) -> AsyncIterator[Wire]:
    text = (
        f"server: {{interfaces: lo, relays: {relays}}}\nimages: {{rescue: {{kernel: x}}}}\n"
        f'profiles: {{p: {{image: rescue}}}}\nmachines: {{node1: {{mac: "{MAC}", profile: p}}}}\n'
    )
    inventory = loads(text, home / "pxed.yaml")
    live = Live(Snapshot(inventory, load_configs(inventory, Path.read_bytes, lambda path: {})[0]))  # type: ignore[arg-type,return-value]
    interfaces, seen = Interfaces(inventory.server), Seen()
    interfaces.refresh()
    bus = Bus(Journal(), LogWriter(), as_text)
    server = DhcpServer(live, interfaces, bus, Clients(home / "absent"), seen)
    socks = {port: udp.bind(0, None, "127.0.0.1") for port in (SERVER_PORT, BOOT_SERVER_PORT)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        for port, sock in socks.items():
            server.attach(sock, port)
        try:
            yield Wire(seen, socks, client)
        finally:
            server.close()
            bus.close()


def relayed(data: bytes, relay: str) -> bytes:
    return data[:24] + socket.inet_aton(relay) + data[28:]


@pytest.mark.parametrize("again", [False, True], ids=["the first of its kind", "from what is kept ready"])
@pytest.mark.parametrize(
    ("relay", "counts"),
    [
        pytest.param("127.0.0.9", True, id="of the list"),
        pytest.param("127.0.0.8", False, id="of nobody knows whom"),
        pytest.param(NOBODY, True, id="none"),
    ],
)
async def test_a_relay_counts_when_the_inventory_names_it(
    tmp_path: Path, relay: str, counts: bool, again: bool
) -> None:
    async with wire(tmp_path, "127.0.0.9") as one:
        for _ in range(1 + again):
            one.seen.take("node1")
            await one.send(relayed(discover(MAC, bytes(range(16)), 7), relay))
        assert one.seen.has_begun("node1", time.time()) == counts
        assert one.seen.refusal("node1", time.time()) == (
            "" if counts else f"its DHCP came by relay {relay}, which is not in server.relays"
        )


async def test_port_4011_is_judged_too(tmp_path: Path) -> None:
    async with wire(tmp_path, "[]") as one:
        await one.send(
            relayed(boot_server_request(MAC, bytes(range(16)), 7, "127.0.0.1"), "127.0.0.8"), BOOT_SERVER_PORT
        )
        assert "127.0.0.8" in one.seen.refusal("node1", time.time())
