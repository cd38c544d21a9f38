"""A machine that is played: a host of its own on the machines' bridge, whose sockets the test itself holds.

What firmware and iPXE say by DHCP is of pxed/probe/oracles; whatever else a host can send is up to the test.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import re
import select
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pxed.probe.oracles import clients
from pxed.probe.oracles.clients import Client
from pxed.probe.oracles.wire import Packet, parse
from tests.lab.daemon import HTTP_PORT
from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS, Network
from tests.lab.process import LabError, run

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
SECONDS = 20.0
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread in a network namespace: a socket that is made there stays there."""
    here, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(here)
        os.close(here)
        os.close(there)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host got by HTTP."""

    status: int
    head: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("latin-1")

    def token(self, word: str = "") -> str:
        """The secret in a script: that of the URL behind `word`, or of the first one; "" without one."""
        found = re.search(rf"{re.escape(word)}\S*[?&]token=([\w-]+)", self.text)
        return found[1] if found else ""

    def boot(self) -> str:
        """The boot's id in a script."""
        found = re.search(r"[?&]boot=([0-9a-f]+)", self.text)
        return found[1] if found else ""


class Played:
    """A host with one NIC."""

    def __init__(self, namespace: str, mac: str, uuid: str = "", serial: str = "") -> None:
        self.namespace = namespace
        self.mac = mac
        self.uuid = uuid
        self.serial = serial
        self.address = ""

    def wear(self, mac: str) -> None:
        """Give the NIC another MAC."""
        self.mac = mac
        run("ip", "-n", self.namespace, "link", "set", "eth0", "address", mac)

    def take(self, address: str) -> None:
        """Give the NIC this address, and no other."""
        run("ip", "-n", self.namespace, "addr", "flush", "dev", "eth0")
        run("ip", "-n", self.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        self.address = address

    # DHCP

    def rom(self, mac: str = "") -> None:
        """What a BIOS ROM does up to its boot loader: both offers, and a lease."""
        client = self._client(clients.bios_rom(), mac)
        offers = self.discover(client, {DHCP_ADDRESS, PXE_ADDRESS})
        wanted = offers[DHCP_ADDRESS].yiaddr
        options = (
            (53, bytes([REQUEST])),
            *client.options,
            (50, clients.address(wanted)),
            (54, clients.address(DHCP_ADDRESS)),
        )
        self._exchange(clients.message(options, flags=0x8000, mac=client.mac), {DHCP_ADDRESS}, ACK)
        self.take(wanted)

    def ipxe(self, mac: str = "", giaddr: str = "0.0.0.0") -> None:
        """iPXE's DISCOVER, until pxed has offered its script."""
        client = replace(self._client(clients.ipxe(0), mac), broadcast=True)
        self.discover(client, {PXE_ADDRESS}, giaddr)

    def discover(self, client: Client, servers: set[str], giaddr: str = "0.0.0.0") -> dict[str, Packet]:
        """The offers of these servers."""
        return self._exchange(client.discover(giaddr=giaddr).payload, servers, OFFER)

    def _client(self, client: Client, mac: str) -> Client:
        raw = bytes.fromhex((mac or self.mac).replace(":", ""))
        client = replace(client, mac=raw)
        client = client.changed(61, b"\1" + raw, "its own client identifier")
        if self.uuid:
            client = client.changed(97, b"\0" + bytes.fromhex(self.uuid.replace("-", "")), "its own UUID")
        return client

    def _exchange(self, payload: bytes, servers: set[str], kind: int) -> dict[str, Packet]:
        """Send to everybody; the answers of these servers by their addresses. Asks again each second."""
        got: dict[str, Packet] = {}
        end = time.monotonic() + SECONDS
        with self._dhcp_socket(67 if payload[24:28] != b"\0\0\0\0" else 68) as sock:
            while not servers <= got.keys():
                if time.monotonic() > end:
                    raise LabError(f"{self.namespace}: no DHCP answer of {servers - got.keys()}")
                sock.sendto(payload, ("255.255.255.255", 67))
                while not servers <= got.keys() and select.select([sock], [], [], 1.0)[0]:
                    packet = parse(sock.recv(2048))
                    if packet.kind == kind and packet.chaddr[:6] == payload[28:34]:
                        got[packet.server] = packet
        return got

    def _dhcp_socket(self, port: int) -> socket.socket:
        with inside(self.namespace):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        sock.bind(("", port))
        return sock

    # HTTP

    def script_path(self, **said: str) -> str:
        """What iPXE asks for; `said` replaces what it would say."""
        words = {"mac": self.mac, "uuid": self.uuid, "serial": self.serial, "arch": "i386", "platform": "pcbios"}
        return "/boot.ipxe?" + "&".join(f"{key}={value}" for key, value in (words | said).items())

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """One request to pxed; `If_Range="x"` gives the header If-Range."""
        return self.begin(path, method, body, window=0, **headers).finish()

    def begin(self, path: str, method: str = "GET", body: bytes = b"", *, window: int = 0, **headers: str) -> Asking:
        """A request whose answer is not read yet. `window`: the bytes that may come all the same."""
        with inside(self.namespace):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.settimeout(SECONDS)
        sock.connect((PXE_ADDRESS, HTTP_PORT))
        connection = http.client.HTTPConnection(PXE_ADDRESS, HTTP_PORT)
        connection.sock = sock
        connection.request(method, path, body or None, _headers(headers))
        return Asking(connection)


class Asking:
    """A request on its way."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._response: http.client.HTTPResponse | None = None

    def head(self) -> int:
        """The status of the answer, which has begun to come."""
        self._response = self._connection.getresponse()
        return self._response.status

    def finish(self) -> Answer:
        """All of the answer."""
        response = self._response or self._connection.getresponse()
        answer = Answer(response.status, str(response.headers), response.read())
        self._connection.close()
        return answer


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()} | {"Connection": "close"}


@contextlib.contextmanager
def plugged(network: Network, name: str, mac: str, **who: str) -> Iterator[Played]:
    """A host on the machines' bridge for the length of the block, without an address."""
    namespace = f"{network.prefix}-{name}"
    run("ip", "netns", "add", namespace)
    try:
        port = ("link", "add", f"p{name[:10]}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "-n", network.switch, *port)
        run("ip", "-n", network.switch, "link", "set", f"p{name[:10]}", "addrgenmode", "none")
        run("ip", "-n", network.switch, "link", "set", f"p{name[:10]}", "master", network.clients, "up")
        run("ip", "-n", namespace, "link", "set", "eth0", "address", mac, "up")
        for setting in ("all", "default", "eth0"):  # an offer comes from an address that has no way back yet
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", f"net.ipv4.conf.{setting}.rp_filter=0")
        yield Played(namespace, mac, **who)
    finally:
        if Path(f"/run/netns/{namespace}").exists():
            run("ip", "netns", "del", namespace, quiet=True)
