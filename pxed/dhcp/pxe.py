"""What a DHCP message says about the client that wants to boot. RFC 4578, RFC 3004, PXE 2.1 2.4, iPXE's option 175.

ROM, iPXE and the operating system send from one MAC; vendor class (60), user class (77), architecture (93) and iPXE's
own options (175) tell them apart. The architecture is never read from the text of option 60: iPXE started by a PXE
parent often says a bare "PXEClient" (seen with Debian's undionly and snponly).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from pxed.architecture import Architecture
from pxed.dhcp.codes import IpxeOption, PxeOption
from pxed.dhcp.message import SHARED_OPTION_AREAS, ZERO_ADDRESS, Message, options_around, parse_options
from pxed.errors import DecodeError

PXE_CLIENT = b"PXEClient"
HTTP_CLIENT = b"HTTPClient"
LONGEST_CLASS = 255  # bytes of each option that tell a class; a peer could send kilobytes to be remembered
KNOWN_CLIENT_CLASSES = 4096  # bounds the memory that invented vendor classes can take; a fleet has a few dozen

# Raspberry Pi boot ROMs say arch 0 and are told apart by their OUI only (rpi-eeprom documentation, "Network boot").
RASPBERRY_PI_OUIS = frozenset(
    {"28:cd:c1", "2c:cf:67", "3a:35:41", "88:a2:9e", "b8:27:eb", "d8:3a:dd", "dc:a6:32", "e4:5f:01"}
)


class Stage(StrEnum):
    """Which of the boot's DHCP clients speaks."""

    PXE = "PXE firmware"
    HTTP = "UEFI HTTP Boot"
    IPXE = "iPXE"


@dataclass(frozen=True, slots=True)
class Client:
    """What can be said from options 60, 77, 93 and 175: one value for all machines of one firmware."""

    stage: Stage
    architectures: tuple[int, ...]  # option 93, in its order; () when it was not sent
    features: frozenset[int] | None = None  # iPXE's option 175 tags; None when there was none

    def __hash__(self) -> int:
        """Cheap: it is taken for every request, and few clients share their architectures."""
        return hash(self.architectures)

    @property
    def is_bios(self) -> bool:
        return not self.architectures or self.architectures[0] in (Architecture.X86_BIOS, Architecture.X86_BIOS_HTTP)

    def lacks(self, feature: IpxeOption) -> bool:
        """Whether this iPXE says what it can do, and `feature` is not among it."""
        return self.features is not None and feature not in self.features


@dataclass(frozen=True, slots=True)
class NoBootRequest:
    """Why a message asks for nothing that pxed gives."""

    reason: str


class BootRequest(NamedTuple):
    """One request to boot. A tuple: one is made for each datagram of a flood."""

    client: Client
    message_type: int
    mac: str  # "" when the client has no Ethernet address
    uuid: bytes | None  # the 16 bytes of option 97, as sent; its first three fields may be little-endian
    server_identifier: bytes | None  # whom the client names in option 54
    boot_item: bytes | None  # option 43.71: boot server type and layer
    configured: bool  # has an address of its own (ciaddr)
    port: int  # where it was received: 67 or 4011

    @property
    def is_raspberry_pi(self) -> bool:
        """The Pi's boot ROM; its UEFI has architecture 11 and is a client like any other."""
        return self.mac[:8] in RASPBERRY_PI_OUIS and (
            self.client.is_bios or self.client.architectures[0] == Architecture.ARM_RPI
        )


class _Facts(NamedTuple):
    """What the options other than 97 say."""

    client: Client | NoBootRequest
    message_type: int
    server_identifier: bytes | None
    boot_item: bytes | None


def boot_request(message: Message, port: int) -> BootRequest | NoBootRequest:
    """The request in a message, or why there is none."""
    if message.op != 1:
        return NoBootRequest("a reply, not a request")
    options = message.options
    shape = getattr(options, "shape", None)
    client, message_type, server_identifier, boot_item = _facts(options) if shape is None else _facts_around(shape)
    if isinstance(client, NoBootRequest):
        return client
    identifier = options.get(97)
    uuid = identifier[1:] if identifier is not None and is_machine_identifier(identifier) else None
    configured = message.ciaddr != ZERO_ADDRESS
    return BootRequest(client, message_type, message.mac, uuid, server_identifier, boot_item, configured, port)


@lru_cache(maxsize=SHARED_OPTION_AREAS)
def _facts_around(shape: tuple[bytes, bytes]) -> _Facts:
    return _facts(options_around(shape) or {})


def _facts(options: Mapping[int, bytes]) -> _Facts:
    client = classify(
        options.get(60, b"")[:LONGEST_CLASS],
        options.get(93, b"")[:LONGEST_CLASS],
        options.get(77, b"")[:LONGEST_CLASS],
        options[175][:LONGEST_CLASS] if 175 in options else None,
    )
    kind = options.get(53, b"")
    boot_item = _boot_item(options[43]) if 43 in options else None
    return _Facts(client, kind[0] if len(kind) == 1 else 0, options.get(54), boot_item)


@lru_cache(maxsize=KNOWN_CLIENT_CLASSES)
def classify(
    vendor_class: bytes, architectures: bytes, user_class: bytes, etherboot: bytes | None
) -> Client | NoBootRequest:
    """The client class from the raw values of options 60, 93, 77 and 175."""
    if vendor_class.startswith(PXE_CLIENT):
        stage = Stage.IPXE if etherboot is not None or is_ipxe_user_class(user_class) else Stage.PXE
    elif vendor_class.startswith(HTTP_CLIENT):
        stage = Stage.HTTP
    else:
        said = f"says {vendor_class[:32]!r}" if vendor_class else "is absent"
        return NoBootRequest(f"not a network boot: option 60 {said}, not PXEClient or HTTPClient")
    numbers = tuple(int.from_bytes(architectures[i : i + 2], "big") for i in range(0, len(architectures) - 1, 2))
    return Client(stage, numbers, None if etherboot is None else _features(etherboot))


def is_ipxe_user_class(user_class: bytes) -> bool:
    """iPXE sends "iPXE" raw; a client true to RFC 3004 4 puts a length before each class."""
    if user_class == b"iPXE":
        return True
    position = 0
    while position < len(user_class):
        length = user_class[position]
        if length == 4 and user_class[position + 1 : position + 5] == b"iPXE":
            return True
        position += 1 + length
    return False


def is_machine_identifier(value: bytes) -> bool:
    """RFC 4578 2.3: type 0 and 16 bytes. ROMs in the field send other lengths and still boot: then it is not echoed."""
    return len(value) == 17 and value[0] == 0


def _features(etherboot: bytes) -> frozenset[int]:
    """The tags in option 175 whose value is not zero. Vendors cut it short: what can be read counts."""
    tags: dict[int, bytes] = {}
    with contextlib.suppress(DecodeError):
        parse_options(etherboot, 0, tags)
    return frozenset(tag for tag, value in tags.items() if any(value) or tag > 175)


def _boot_item(vendor_options: bytes) -> bytes | None:
    """Option 43.71 of a request to a boot server: type (2 bytes), layer (2 bytes)."""
    tags: dict[int, bytes] = {}
    try:
        parse_options(vendor_options, 0, tags)
    except DecodeError:
        return None
    item = tags.get(PxeOption.BOOT_ITEM)
    return item if item is not None and len(item) == 4 else None
