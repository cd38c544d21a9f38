"""Clients, forged byte by byte: what firmware sends, as the captures in tests/data show it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from pxed.probe.oracles.wire import COOKIE, Datagram

MAC = bytes.fromhex("525400000001")
UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
LEASE = "10.0.0.77"
DISCOVER, REQUEST, RELEASE, INFORM = 1, 3, 7, 8
EFI_LIST = bytes([1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97])
EFI_LIST += bytes(range(128, 136))
# iPXE's option 175, the features of Debian's build: bus id, http, bzImage, efi and others (captures, snponly.efi).
IPXE_FEATURES = bytes.fromhex(
    "b1050110ec8139eb03010000170101220101130101140101110101270101190101290101100102210101150101180101120101260101240101"
)
Option = tuple[int, bytes]


def option(tag: int, value: bytes) -> bytes:
    """One option."""
    return bytes([tag, len(value)]) + value


def address(dotted: str) -> bytes:
    """The four bytes of an IPv4 address."""
    return bytes(int(part) for part in dotted.split("."))


def message(
    options: tuple[Option, ...],
    *,
    op: int = 1,
    htype: int = 1,
    hlen: int = 6,
    hops: int = 0,
    xid: int = 0x1234ABCD,
    secs: int = 0,
    flags: int = 0,
    ciaddr: str = "0.0.0.0",
    yiaddr: str = "0.0.0.0",
    siaddr: str = "0.0.0.0",
    giaddr: str = "0.0.0.0",
    mac: bytes = MAC,
    sname: bytes = b"",
    file: bytes = b"",
    pad: int = 300,
) -> bytes:
    """A DHCP message from its fields (RFC 2131 2)."""
    head = struct.pack("!BBBBIHH", op, htype, hlen, hops, xid, secs, flags)
    addresses = b"".join(address(a) for a in (ciaddr, yiaddr, siaddr, giaddr))
    body = b"".join(option(tag, value) for tag, value in options)
    fields = mac.ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0")
    return (head + addresses + fields + COOKIE + body + b"\xff").ljust(pad, b"\0")


@dataclass(frozen=True, slots=True)
class Client:
    """One kind of firmware: the options it sends besides 53, and from which port it asks a boot server."""

    name: str
    options: tuple[Option, ...]
    boot_port: int = 68
    broadcast: bool = True
    mac: bytes = MAC

    def without(self, tag: int) -> Client:
        """The same without an option."""
        return replace(self, options=tuple(o for o in self.options if o[0] != tag), name=f"{self.name} without {tag}")

    def changed(self, tag: int, value: bytes, name: str) -> Client:
        """The same with another value of an option; `name` says which."""
        options = tuple((code, value if code == tag else old) for code, old in self.options)
        if tag not in dict(self.options):
            options = (*self.options, (tag, value))
        return replace(self, options=options, name=f"{self.name}, {name}")

    def of(self, mac: str, uuid: str = "") -> Client:
        """The same firmware in the machine with this MAC and UUID (option 97, 32 hexadecimal digits; "" none)."""
        raw = bytes.fromhex(mac.replace(":", ""))
        client = replace(self, mac=raw)
        if 61 in dict(self.options):
            client = client.changed(61, b"\1" + raw, "its own client identifier")
        identifier = bytes.fromhex(uuid.replace("-", ""))
        client = client.changed(97, b"\0" + identifier, "its own UUID") if uuid else client.without(97)
        return replace(client, name=self.name)

    def discover(self, *, xid: int = 0x1234ABCD, giaddr: str = "0.0.0.0", secs: int = 0) -> Datagram:
        """The broadcast with which it begins."""
        options = ((53, bytes([DISCOVER])), *self.options)
        payload = message(options, xid=xid, flags=self._flags, giaddr=giaddr, mac=self.mac, secs=secs)
        return Datagram("0.0.0.0", 68, "255.255.255.255", 67, payload)

    def request(self, offered: str, server: str, *, xid: int = 0x1234ABCD) -> Datagram:
        """RFC 2131 4.3.2, SELECTING: the address that was offered, of the server that offered it."""
        options = ((53, bytes([REQUEST])), *self.options, (50, address(offered)), (54, address(server)))
        payload = message(options, xid=xid, flags=self._flags, mac=self.mac)
        return Datagram("0.0.0.0", 68, "255.255.255.255", 67, payload)

    def release(self, leased: str, server: str, *, xid: int = 0x1234ABCE) -> Datagram:
        """RFC 2131 4.4.6: the lease is given back."""
        identity = tuple(option for option in self.options if option[0] == 61)
        options = ((53, bytes([RELEASE])), (54, address(server)), *identity)
        return Datagram(leased, 68, server, 67, message(options, xid=xid, ciaddr=leased, mac=self.mac))

    def ask(
        self,
        server: str,
        *,
        item: int | None = None,
        names_server: bool = False,
        xid: int = 0x5A5A0001,
        leased: str = LEASE,
    ) -> Datagram:
        """The REQUEST to port 4011 with the leased address."""
        options: tuple[Option, ...] = ((53, bytes([REQUEST])), *self.options)
        if item is not None:
            options = (*options, (43, b"\x47\x04" + struct.pack("!HH", item, 0) + b"\xff"))
        if names_server:
            options = (*options, (54, address(server)))
        payload = message(options, xid=xid, ciaddr=leased, mac=self.mac)
        return Datagram(leased, self.boot_port, server, 4011, payload)

    @property
    def _flags(self) -> int:
        return 0x8000 if self.broadcast else 0


def _identity(arch: int | bytes, undi: bytes) -> tuple[Option, ...]:
    value = arch if isinstance(arch, bytes) else struct.pack("!H", arch)
    return ((93, value), (94, undi), (97, b"\0" + UUID))


def bios_rom() -> Client:
    """An Intel UNDI ROM: class text with arch and UNDI version, no user class."""
    options = ((60, b"PXEClient:Arch:00000:UNDI:002001"), *_identity(0, b"\1\2\1"), (55, EFI_LIST), (57, b"\4\xec"))
    return Client("BIOS ROM", options)


def efi(arch: int) -> Client:
    """EDK2: options in OVMF's order, 57 is 1472; it asks from port 4011."""
    text = b"PXEClient:Arch:%05d:UNDI:003000" % arch
    options = ((57, b"\x05\xc0"), (55, EFI_LIST), *reversed(_identity(arch, b"\1\3\0")), (60, text))
    return Client(f"EFI {arch}", options, boot_port=4011)


def efi_http(arch: int) -> Client:
    """UEFI HTTP Boot."""
    text = b"HTTPClient:Arch:%05d:UNDI:003000" % arch
    options = ((57, b"\x05\xc0"), (55, EFI_LIST + b"\xeb"), *reversed(_identity(arch, b"\1\3\0")), (60, text))
    return Client(f"HTTP {arch}", options)


def ipxe(arch: int, *, user_class: bytes | None = b"iPXE", vendor_class: bytes | None = None) -> Client:
    """iPXE; `user_class` None: told by option 175 only, as Mellanox FlexBoot."""
    text = b"PXEClient:Arch:%05d:UNDI:003010" % arch if vendor_class is None else vendor_class
    options: tuple[Option, ...] = ((57, b"\x05\xc0"), *_identity(arch, b"\1\3\x10")[:2], (60, text))
    if user_class is not None:
        options = (*options, (77, user_class))
    options = (*options, (55, EFI_LIST), (175, IPXE_FEATURES), (61, b"\1" + MAC), (97, b"\0" + UUID))
    return Client(f"iPXE {arch}", options, broadcast=False)


def plain_dhcp(vendor_class: bytes | None = b"udhcp 1.35.0") -> Client:
    """An operating system's DHCP client."""
    options: tuple[Option, ...] = ((55, b"\1\3\6\x0f"), (57, b"\2\x40"), (61, b"\1" + MAC))
    if vendor_class is not None:
        options = (*options, (60, vendor_class))
    return Client("plain DHCP client", options, broadcast=False)
