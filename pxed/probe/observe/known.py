"""What an observer has learned so far: who has which address, who boots, and which server is the boot server."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pxed.dhcp.codes import Option
from pxed.dhcp.message import Message
from pxed.server.dhcp_events import address_text

MOST = 4096  # machines and addresses; sources can be forged
MOST_FILES = 16  # of one script


@dataclass(slots=True)
class Course:
    """What a machine has been told to fetch."""

    file: str = ""  # its last boot file
    server: str = ""
    kernel: str = ""
    initrds: tuple[str, ...] = ()
    config: str = ""  # the URL of its Ignition config


@dataclass(slots=True)
class Known:
    """Bounded tables. `server` is the boot server's address, "" until it shows itself."""

    interface: str = "the wire"
    server: str = ""
    fixed: bool = False  # the user named it
    proxy: bool = False  # it was seen to offer a boot file without an address
    name_of: Callable[[str], str] = lambda mac: ""
    clients: OrderedDict[str, Course] = field(default_factory=OrderedDict)  # by MAC
    addresses: OrderedDict[str, str] = field(default_factory=OrderedDict)  # IPv4 -> MAC

    def name(self, mac: str) -> str:
        """The inventory's name, "" without one."""
        return self.name_of(mac) if mac else ""

    def client(self, mac: str) -> Course:
        """A machine that boots from the network."""
        course = self.clients.setdefault(mac, Course())
        self.clients.move_to_end(mac)
        if len(self.clients) > MOST:
            self.clients.popitem(last=False)
        return course

    def learn(self, address: str, mac: str) -> None:
        """Who has an address."""
        if not address or not mac or address == "0.0.0.0":
            return
        self.addresses[address] = mac
        self.addresses.move_to_end(address)
        if len(self.addresses) > MOST:
            self.addresses.popitem(last=False)

    def mac_of(self, address: str, seen: str) -> str:
        """The machine at an address; `seen` is the sender's MAC in the frame, which may be a router's."""
        return self.addresses.get(address) or seen

    def boots(self, address: str) -> bool:
        """Whether the machine at an address is one that boots."""
        return self.addresses.get(address, "") in self.clients

    def offered(self, mac: str, file: str, server: str) -> None:
        """A boot file was offered to a machine."""
        course = self.client(mac)
        course.file, course.server = file or course.file, server

    # The boot server

    @staticmethod
    def server_of(source: str, message: Message) -> str:
        """Option 54, else where the reply came from."""
        return address_text(message.options.get(Option.SERVER_IDENTIFIER, b"")) or source

    @staticmethod
    def file_of(message: Message) -> str:
        """The file field, else option 67."""
        raw = message.file.split(b"\0", 1)[0] or message.options.get(Option.BOOTFILE_NAME, b"").split(b"\0", 1)[0]
        text = raw.decode("latin-1")
        return "".join(char if char.isprintable() else "?" for char in text)

    def is_ours(self, server: str, message: Message, given: str) -> bool:
        """Whether the reply is the boot server's. A ProxyDHCP server goes before a DHCP server with a boot file."""
        vendor = message.options.get(Option.VENDOR_CLASS, b"")
        offers = bool(self.file_of(message)) or (not given and vendor.startswith((b"PXEClient", b"HTTPClient")))
        if self.fixed or not offers:
            return server == self.server
        if not self.server or (not given and not self.proxy):
            self.server, self.proxy = server, not given
        return server == self.server
