"""The packets that a client would send, for `pxed explain`: shaped like the captures of real firmware."""

from __future__ import annotations

from pxed.architecture import HTTP_BOOT
from pxed.dhcp.codes import BROADCAST_FLAG, MessageType, Op, Option
from pxed.dhcp.message import ZERO_ADDRESS, Message, encode
from pxed.dhcp.reply import packed

# OVMF of Debian 12: options 55 and 57 as in its DISCOVER.
_PARAMETERS = bytes(
    (1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97)
)
_IPXE_FEATURES = bytes.fromhex("130101170101" + "240101" + "180101")  # http, menu, efi, bzimage


def discover(mac: str, uuid: bytes | None, arch: int, *, ipxe: bool = False) -> bytes:
    """A DISCOVER on port 67 of firmware with architecture `arch`, or of the iPXE that it loaded."""
    return encode(_message(MessageType.DISCOVER, mac, uuid, arch, ZERO_ADDRESS, ipxe))


def boot_server_request(mac: str, uuid: bytes | None, arch: int, address: str) -> bytes:
    """EDK2's REQUEST to port 4011, once it has `address` of the DHCP server."""
    return encode(_message(MessageType.REQUEST, mac, uuid, arch, packed(address), False))


def _message(kind: MessageType, mac: str, uuid: bytes | None, arch: int, ciaddr: bytes, ipxe: bool) -> Message:
    vendor = "HTTPClient" if arch in HTTP_BOOT else "PXEClient"
    options = {
        int(Option.MESSAGE_TYPE): bytes((kind,)),
        int(Option.MAX_MESSAGE_SIZE): b"\x05\xc0",
        55: _PARAMETERS,
        int(Option.CLIENT_INTERFACE): b"\x01\x03\x00",
        int(Option.CLIENT_ARCHITECTURE): arch.to_bytes(2, "big"),
        int(Option.VENDOR_CLASS): f"{vendor}:Arch:{arch:05}:UNDI:003000".encode(),
    }
    if uuid is not None:
        options[Option.CLIENT_MACHINE_IDENTIFIER] = b"\0" + uuid
    if ipxe:
        options |= {int(Option.USER_CLASS): b"iPXE", int(Option.ETHERBOOT): _IPXE_FEATURES}
    chaddr = bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0")
    flags = 0 if ciaddr != ZERO_ADDRESS else BROADCAST_FLAG
    empty = ZERO_ADDRESS
    return Message(
        Op.BOOTREQUEST, 1, 6, 0, 1, 0, flags, ciaddr, empty, empty, empty, chaddr, bytes(64), bytes(128), options
    )
