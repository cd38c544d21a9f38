"""A machine that plays a boot up to a fault, step by step, on a wire of tests.faults.wires."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from pxed.probe.client import Client, Ipxe, Reply, Uefi
from pxed.probe.nic import Nic
from pxed.probe.oracles import clients
from pxed.probe.web import Response
from tests.faults.wires import Wire

_URL = re.compile(r"https?://\S+")


class Player:
    """One machine. Each step raises AssertionError when the network does not do its part."""

    def __init__(self, wire: Wire, nic: Nic, uuid: str, home: Path = Path()) -> None:
        self.wire, self.nic, self.uuid, self.home = wire, nic, uuid, home
        self.server = wire.pxed
        self.script = ""

    # firmware

    def firmware(self, kind: type[Client] = Uefi) -> Client:
        return kind(self.nic, uuid=self.uuid)

    def offers(self, client: Client, seconds: float = 2.0) -> list[Reply]:
        """Ask, until pxed and somebody with an address have answered."""

        def enough(replies: object) -> bool:
            return any(r.server == self.server for r in replies) and any(r.address for r in replies)  # type: ignore[attr-defined]

        return client.discover(seconds, enough)

    def lease(self, client: Client) -> None:
        """DISCOVER to ACK."""
        for _ in range(12):  # of machines that ask at once all but one may be told to ask again (NAK)
            given = next((offer for offer in self.offers(client) if offer.address), None)
            assert given is not None, "no server offered an address"
            if client.request(given) is not None and client.lease is not None:
                return
        raise AssertionError("no ACK")

    def to_loader(self, kind: type[Client] = Uefi, file: str = "snponly.efi") -> Client:
        """As far as the boot loader, whole."""
        client = self.firmware(kind)
        self.lease(client)
        assert client.bootserver(self.server) is not None, "no answer on 4011"
        fetched = client.tftp(self.server, file)
        assert fetched.ok, fetched.error
        return client

    # iPXE

    def ipxe(self, features: bytes | None = None) -> Client:
        """iPXE's DHCP."""
        client = Ipxe(self.nic, uuid=self.uuid)
        if features is not None:
            client.sends = client.sends.changed(175, features, "another build")
        self.lease(client)
        return client

    def get_script(self, client: Client) -> Response:
        """The script, as iPXE asks for it."""
        u = self.uuid
        dashed = f"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}"
        about = f"mac={self.nic.mac}&uuid={dashed}&serial=&asset=&arch=x86_64&platform=efi"
        answer = client.http(f"http://{self.server}:8080/boot.ipxe?{about}")
        self.script = answer.text
        return answer

    def to_script(self) -> Client:
        self.to_loader()
        client = self.ipxe()
        answer = self.get_script(client)
        assert answer.ok, answer.reason
        return client

    def url(self, command: str, number: int = 0) -> str:
        """The URL of the script's kernel or initrd line."""
        lines = [line for line in self.script.splitlines() if line.startswith(f"{command} ")]
        found = _URL.search(lines[number])
        assert found is not None, self.script
        return found.group()

    def argument(self, name: str) -> str:
        """The value of an argument of the kernel's command line."""
        found = re.search(rf"\b{re.escape(name)}=(\S+)", self.script)
        assert found is not None, self.script
        return found.group(1)

    def load(self, client: Client) -> None:
        for command in ("kernel", "initrd"):
            answer = client.http(self.url(command))
            assert answer.ok, answer.reason

    # the system

    def system(self) -> Client:
        """The booted system's DHCP: no option 60 that says PXE."""
        client = Ipxe(self.nic)
        client.sends = clients.plain_dhcp().of(self.nic.mac)
        self.lease_of_system(client)
        return client

    def lease_of_system(self, client: Client) -> None:
        given = next((o for o in client.discover(2.0, bool) if o.address), None)
        assert given is not None
        client.request(given)

    def ignition(self, client: Client, accept: str = "application/vnd.coreos.ignition+json;version=3.4.0") -> Response:
        return client.http(self.argument("ignition.config.url"), headers={"Accept": accept})

    def report(self, client: Client, stage: str, message: str = "") -> Response:
        body = f'{{"stage": "{stage}", "message": "{message}"}}'.encode()
        url = self.argument("pxed.report")
        return client.http(url, method="POST", body=body, headers={"Content-Type": "application/json"})

    def stalled(self, url: str) -> contextlib.AbstractContextManager[None]:
        """A download that nobody reads on."""
        return _stalled(self.nic, url)


@contextlib.contextmanager
def _stalled(nic: Nic, url: str) -> Iterator[None]:
    host, _, path = url.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    with nic.inside():
        sock = socket.socket()
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.connect((address, int(port)))
        sock.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        yield


def pause(seconds: float) -> None:
    """Time that a machine takes."""
    time.sleep(seconds)
