"""Clients to play: one class for each kind of firmware, on a network card of its own.

    with Nic("eth0", "52:54:00:00:00:01") as nic, Uefi(nic) as client:
        offers = client.discover()
        choice = client.choose(offers)
        client.request(offers[choice.lease])
        answer = client.bootserver("10.0.0.2")
        loader = client.tftp("10.0.0.2", "snponly.efi")

What a client sends by DHCP is of pxed.probe.oracles.clients, shaped like captures of real firmware; what it makes of
the replies is said by the oracles. A lease is given back when the block ends.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

from pxed.architecture import HTTP_BOOT, Architecture
from pxed.dhcp.message import Message, decode
from pxed.errors import DecodeError
from pxed.probe import tftp, web
from pxed.probe.capture import Datagram as Captured
from pxed.probe.nic import Nic, ProbeError
from pxed.probe.oracles import clients
from pxed.probe.oracles.choice import Choice, choose
from pxed.probe.oracles.firmware import BIOS_ROM, EDK2, EDK2_2015, EDK2_HTTP, IPXE, Firmware
from pxed.probe.oracles.wire import Datagram, dotted

OFFER, ACK, NAK = 2, 5, 6
PATIENCE = 4.0  # seconds, the first step of PXE 2.1's ladder
_MASK, _ROUTER = 1, 3


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one request. `seconds` after the request."""

    datagram: Datagram
    request: Datagram
    mac: str  # of the server, or of the router in between
    seconds: float
    message: Message

    @property
    def kind(self) -> int:
        """Option 53; 0 for BOOTP."""
        return (self.message.options.get(53) or b"\0")[0]

    @property
    def server(self) -> str:
        """Option 54, else where it came from."""
        named = self.message.options.get(54, b"")
        return dotted(named) if len(named) == 4 else self.datagram.src

    @property
    def address(self) -> str:
        """What it gives; "" for a ProxyDHCP reply."""
        return dotted(self.message.yiaddr) if any(self.message.yiaddr) else ""

    @property
    def vendor(self) -> str:
        """Option 60."""
        return _text(self.message.options.get(60, b""))

    @property
    def file(self) -> str:
        """The file field, else option 67."""
        return _text(self.message.file) or _text(self.message.options.get(67, b""))

    @property
    def next(self) -> str:
        """siaddr, "" for none."""
        return dotted(self.message.siaddr) if any(self.message.siaddr) else ""

    @property
    def discovery(self) -> str:
        """Option 43 in hexadecimal, "" without it."""
        return self.message.options.get(43, b"").hex()


@dataclass(frozen=True, slots=True)
class Lease:
    """An address and whose it is."""

    address: str
    prefix: int
    router: str
    server: str


class Client:
    """A machine's firmware, on a card. A context manager: it gives its lease back."""

    title: ClassVar[str] = "PXE firmware"
    firmware: ClassVar[Firmware] = EDK2
    also: ClassVar[tuple[Firmware, ...]] = ()  # other firmware that sends the same
    architecture: ClassVar[int] = Architecture.X64_UEFI

    def __init__(self, nic: Nic, *, uuid: str = "", arch: int | None = None) -> None:
        self.nic = nic
        self.uuid = uuid.replace("-", "").lower()
        self.arch = self.architecture if arch is None else arch
        self.sends = self._shape().of(nic.mac, self.uuid)
        self.lease: Lease | None = None
        self._xid = random.getrandbits(32)  # the transaction: DISCOVER and REQUEST have the same

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.release()

    # DHCP

    def discover(
        self, seconds: float = PATIENCE, enough: Callable[[Sequence[Reply]], bool] = lambda replies: False
    ) -> list[Reply]:
        """Every server's offer in so many seconds, in the order of their coming; it asks twice.

        `enough` says of the offers so far that no more need be waited for.
        """
        self._xid = random.getrandbits(32)
        replies: list[Reply] = []
        for part in range(2):
            request = self.sends.discover(xid=self._xid, secs=int(part * seconds / 2))
            for reply in self._exchange(request, seconds / 2):
                if reply.kind in (0, OFFER) and not any(_same(reply, other) for other in replies):
                    replies.append(reply)
                    if enough(replies):
                        return replies
        return replies

    def choose(self, offers: Sequence[Reply]) -> Choice:
        """What this firmware makes of them."""
        return choose(self.firmware, [offer.datagram for offer in offers], self._discover_of(offers))

    def request(self, offer: Reply, tries: int = 3, seconds: float = 2.0) -> Reply | None:
        """Take the address of an offer: the server's ACK or NAK, None for silence. The card gets the address."""
        request = self.sends.request(offer.address, offer.server, xid=self._xid)
        for _ in range(tries):
            for reply in self._exchange(request, seconds):
                if reply.kind == ACK and reply.address:
                    self._take(reply)
                if reply.kind in (ACK, NAK) and (reply.address or reply.kind == NAK):
                    return reply
        return None

    def release(self) -> None:
        """Give the lease back."""
        lease, self.lease = self.lease, None
        if lease is None or not self.nic.address:
            return
        told = self.sends.release(lease.address, lease.server, xid=random.getrandbits(32))
        try:
            with self._socket(68) as sock:
                sock.sendto(told.payload, (told.dst, told.dport))
        except OSError:
            return  # the server is gone; the lease ends by itself

    def bootserver(self, server: str, item: int | None = None, tries: int = 3, seconds: float = 1.0) -> Reply | None:
        """The answer on port 4011, None for silence. `item`: the boot server type of a menu (43.71)."""
        if not self.nic.address:
            raise ProbeError("port 4011 is asked with a leased address: request() comes first")
        request = self.sends.ask(
            server,
            item=item,
            names_server=self.firmware.names_server,
            xid=random.getrandbits(32),
            leased=self.nic.address,
        )

        def send() -> None:
            sock.sendto(request.payload, (server, request.dport))

        with self._socket(request.sport) as sock:
            for _ in range(tries):
                for reply in self._exchange(request, seconds, send):
                    if reply.kind in (OFFER, ACK):
                        return reply
        return None

    # Files

    def size(self, server: str, file: str) -> tftp.Fetched:
        """Ask for a file's size by TFTP and break off, as EDK2 does before it reads."""
        with self.nic.inside():
            return tftp.probed(server, file, retries=2)

    def tftp(self, server: str, file: str, **how: Any) -> tftp.Fetched:
        """Read a file: pxed.probe.tftp.read from this card."""
        with self.nic.inside():
            return tftp.read(server, file, **how)

    def http(self, url: str, **how: Any) -> web.Response:
        """Fetch a URL: pxed.probe.web.ask from this card."""
        with self.nic.inside():
            return web.ask(url, **how)

    # Within

    def _exchange(self, request: Datagram, seconds: float, send: Callable[[], None] | None = None) -> Iterator[Reply]:
        """Send, then every reply to this request for so long."""
        with self.nic.wire() as wire:
            if send is not None:
                send()
            else:
                wire.broadcast(request.payload, source=request.src, sport=request.sport, dport=request.dport)
            began = time.time()
            for datagram in wire.datagrams(seconds):
                reply = _reply(datagram, request, datagram.time - began)
                if reply is not None:
                    yield reply

    def _shape(self) -> clients.Client:
        return clients.efi(self.arch)

    def _discover_of(self, offers: Sequence[Reply]) -> Datagram:
        return offers[0].request if offers else self.sends.discover(xid=self._xid)

    def _take(self, reply: Reply) -> None:
        options = reply.message.options
        mask = options.get(_MASK, b"\xff\xff\xff\x00")
        prefix = sum(byte.bit_count() for byte in mask)
        router = dotted(options[_ROUTER][:4]) if len(options.get(_ROUTER, b"")) >= 4 else ""
        self.lease = Lease(reply.address, prefix, router, reply.server)
        self.nic.configure(reply.address, prefix, router)

    def _socket(self, port: int) -> socket.socket:
        with self.nic.inside():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.nic.address, port))
        except OSError as error:
            sock.close()
            raise ProbeError(f"{self.nic.address}:{port}: {error.strerror}") from None
        return sock


class BiosRom(Client):
    """A BIOS boot ROM."""

    title = "BIOS PXE ROM"
    firmware = BIOS_ROM
    architecture = Architecture.X86_BIOS

    def _shape(self) -> clients.Client:
        return clients.bios_rom()


class Uefi(Client):
    """UEFI firmware, PXE: EDK2's network stack."""

    title = "UEFI PXE"
    firmware = EDK2
    also = (EDK2_2015,)
    architecture = Architecture.X64_UEFI


class UefiHttp(Client):
    """UEFI HTTP Boot."""

    title = "UEFI HTTP Boot"
    firmware = EDK2_HTTP
    architecture = Architecture.X64_UEFI_HTTP

    def _shape(self) -> clients.Client:
        return clients.efi_http(self.arch)


class Ipxe(Client):
    """iPXE, as the loader that firmware has fetched or as a ROM."""

    title = "iPXE"
    firmware = IPXE
    architecture = Architecture.X64_UEFI

    def _shape(self) -> clients.Client:
        return clients.ipxe(self.arch)


# --as NAME
KINDS: dict[str, tuple[type[Client], int]] = {
    "bios": (BiosRom, Architecture.X86_BIOS),
    "uefi": (Uefi, Architecture.X64_UEFI),
    "uefi32": (Uefi, Architecture.X86_UEFI),
    "arm64": (Uefi, Architecture.ARM64_UEFI),
    "riscv64": (Uefi, Architecture.RISCV64_UEFI),
    "http": (UefiHttp, Architecture.X64_UEFI_HTTP),
    "http-arm64": (UefiHttp, Architecture.ARM64_UEFI_HTTP),
    "ipxe": (Ipxe, Architecture.X64_UEFI),
    "ipxe-bios": (Ipxe, Architecture.X86_BIOS),
    "ipxe-arm64": (Ipxe, Architecture.ARM64_UEFI),
}


def kind_of(name: str) -> tuple[type[Client], int]:
    """The class and architecture of a name, or of a number of option 93."""
    if name in KINDS:
        return KINDS[name]
    if name.isdigit() and int(name) < 1 << 16:
        arch = int(name)
        return (UefiHttp if arch in HTTP_BOOT else BiosRom if arch == Architecture.X86_BIOS else Uefi), arch
    raise ProbeError(f"{name!r} is no client: {', '.join(KINDS)}, or a number of option 93")


def _reply(datagram: Captured, request: Datagram, seconds: float) -> Reply | None:
    """A datagram as a reply to `request`; None for anything else."""
    if datagram.sport not in (67, 4011) or len(datagram.payload) < 240:
        return None
    raw = datagram.payload
    if raw[0] != 2 or raw[4:8] != request.payload[4:8] or raw[28:34] != request.payload[28:34]:
        return None
    try:
        message = decode(raw)
    except DecodeError:
        return None
    where = Datagram(datagram.src, datagram.sport, datagram.dst, datagram.dport, raw)
    return Reply(where, request, datagram.mac, max(seconds, 0.0), message)


def _same(one: Reply, other: Reply) -> bool:
    return (one.server, one.datagram.src, one.address) == (other.server, other.datagram.src, other.address)


def _text(raw: bytes) -> str:
    """A field's text up to its NUL; what cannot be printed is escaped."""
    text = raw.split(b"\0", 1)[0].decode("latin-1")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
