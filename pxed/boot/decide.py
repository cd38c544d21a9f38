"""The one decision: what a boot request gets, and why. Pure; it answers the wire, `pxed explain` and the dashboard.

"No" is a value with a reason. The replies follow the matrix in docs/clients.md; rules cite the firmware they are for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pxed.architecture import Architecture, name_of
from pxed.boot.endpoint import Endpoint
from pxed.boot.loaders import LOADER_KEY, loader_for, supported
from pxed.dhcp.codes import BOOT_SERVER_PORT, IpxeOption, MessageType
from pxed.dhcp.pxe import BootRequest, Client, Stage
from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.inventory.model import DhcpMode, Inventory, Opt43

BIS_LAYER = 0x8000  # PXE 2.1 2.4, option 43.71: the client wants credentials (Boot Integrity Services)


class Discovery(StrEnum):
    """What option 43 tells the client about finding a boot server."""

    NONE = "none"  # no option 43: EFI then asks port 4011
    BYPASS = "bypass"  # `06 01 08`: take this file, ask nobody
    RASPBERRY_PI = "raspberry-pi"  # its ROM wants a menu entry of this name


class Offer(NamedTuple):
    """A reply to give. A tuple: one is made for each datagram of a flood."""

    machine: str  # the inventory's name, or the MAC of an unlisted one
    acknowledge: bool  # ACK on 4011 rather than OFFER on 67
    http_client: bool  # option 60 is HTTPClient rather than PXEClient
    file: str  # boot file name or URL
    address: str  # pxed's address, for option 54, siaddr, sname
    discovery: Discovery
    stage: Stage
    architecture: str
    profile: str
    reason: str


class Ignore(NamedTuple):
    """Silence, and why. `wanted` is false for what is simply not for pxed: other DHCP clients, other servers' requests."""

    reason: str
    machine: str = ""
    wanted: bool = True


def decide(inventory: Inventory, request: BootRequest, endpoint: Endpoint) -> Offer | Ignore:
    """What this client gets at this address."""
    refusal = _not_for_us(inventory.server.dhcp, request, endpoint)
    if refusal is not None:
        return refusal
    architecture = _architecture(request)
    match = resolve(inventory, Identity(request.mac, request.uuid, None, architecture))
    if isinstance(match, Unmatched) and not match.hold:
        return Ignore(match.reason, match.machine.name if match.machine else "")
    file, explanation = _file(inventory, match, request.client, endpoint)
    if file is None:
        return Ignore(explanation, _name(match, request))
    return Offer(
        _name(match, request),
        request.message_type != MessageType.DISCOVER,
        request.client.stage is Stage.HTTP,
        file,
        endpoint.address,
        _discovery(match, request),
        request.client.stage,
        architecture,
        "" if isinstance(match, Unmatched) else match.profile_name,
        f"{match.reason}; {explanation}",
    )


def _not_for_us(mode: DhcpMode, request: BootRequest, endpoint: Endpoint) -> Ignore | None:
    """Port, message type and server identifier: RFC 2131 4.3, PXE 2.1 2.2.3."""
    if mode is DhcpMode.OFF:
        return Ignore("server.dhcp is off", wanted=False)
    ours = _address_bytes(endpoint.address)
    if request.server_identifier not in (None, ours):
        return Ignore(f"it names another server, {_dotted(request.server_identifier)}", wanted=False)
    if request.port == BOOT_SERVER_PORT:
        return _not_for_the_boot_server(request)
    if mode is DhcpMode.COLOCATED:
        return Ignore("server.dhcp is colocated: the DHCP server of this host answers port 67", wanted=False)
    if request.message_type == MessageType.DISCOVER:
        return None
    # A ROM may ask the boot server on 67 (netboot pull 21, Intel): only then, and only by our name, is it for us.
    asks_us = request.server_identifier == ours and (request.configured or request.boot_item is not None)
    if asks_us and request.message_type == MessageType.REQUEST:
        return _not_for_the_boot_server(request)
    return Ignore(f"a {_message_type(request)} on port 67 belongs to the DHCP server", wanted=False)


def _not_for_the_boot_server(request: BootRequest) -> Ignore | None:
    if request.message_type not in (MessageType.REQUEST, MessageType.INFORM):
        return Ignore(f"a {_message_type(request)} is not for a boot server", wanted=False)
    if request.boot_item is not None and int.from_bytes(request.boot_item[2:], "big") & BIS_LAYER:
        return Ignore("it asks for Boot Integrity Services credentials (option 43.71), which pxed does not have")
    return None


def _file(inventory: Inventory, match: Match | Unmatched, client: Client, endpoint: Endpoint) -> tuple[str | None, str]:
    """The boot file and why it; (None, why) when there is none."""
    if client.stage is Stage.IPXE:
        missing = _missing_in_ipxe(client)
        if missing is None:
            return f"{endpoint.url}/boot.ipxe", "iPXE gets its script by HTTP"
    else:
        missing = None
    architecture = supported(client.architectures)
    override = match.profile.loader if isinstance(match, Match) else None
    name = override or (None if architecture is None else loader_for(architecture, inventory.server.loaders))
    if name is None:
        return None, _no_loader(client)
    if client.stage is Stage.HTTP:
        return f"{endpoint.url}/loaders/{name}", "UEFI HTTP Boot gets the loader's URL"
    if missing is not None:
        # A native iPXE ROM has no UNDI of its own kind under it and no next-server: the whole URL is safe for both.
        return f"{endpoint.tftp_url}/{name}", f"this iPXE lacks {missing}, so it loads a better one"
    return name, f"{client.stage} gets its boot loader by TFTP"


def _missing_in_ipxe(client: Client) -> str | None:
    """What an iPXE build cannot do that a boot needs: VirtualBox's and old HP's have neither HTTP nor bzImage."""
    if client.lacks(IpxeOption.HTTP):
        return "HTTP"
    if client.is_bios and client.lacks(IpxeOption.BZIMAGE):
        return "Linux kernels (bzImage)"
    return None


def _discovery(match: Match | Unmatched, request: BootRequest) -> Discovery:
    if request.client.stage is not Stage.PXE:
        return Discovery.NONE
    if request.is_raspberry_pi:
        return Discovery.RASPBERRY_PI
    wish = match.profile.pxe.opt43 if isinstance(match, Match) else Opt43.AUTO
    if wish is Opt43.AUTO:
        # EDK2 of 2015 to 2017 never caches an offer with discovery tags (inverted test in PxeBcCacheDhcp4Offer).
        return Discovery.BYPASS if request.client.is_bios else Discovery.NONE
    return Discovery.BYPASS if wish is Opt43.BYPASS else Discovery.NONE


def _architecture(request: BootRequest) -> str:
    numbers = request.client.architectures
    number = supported(numbers)
    return name_of(numbers[0] if number is None else number)


def _no_loader(client: Client) -> str:
    names = ", ".join(f"{name_of(number)} ({number})" for number in client.architectures)
    keys = ", ".join(sorted(set(LOADER_KEY.values())))
    return f"there is no boot loader for {names}: server.loaders knows {keys}; a machine's own `loader:` works for any"


def _name(match: Match | Unmatched, request: BootRequest) -> str:
    if isinstance(match, Match):
        return match.name
    return match.machine.name if match.machine else request.mac


def _message_type(request: BootRequest) -> str:
    try:
        return MessageType(request.message_type).name
    except ValueError:
        return "message without a valid type (option 53)"


def _address_bytes(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


def _dotted(address: bytes | None) -> str:
    return ".".join(map(str, address or b"")) or "nobody"


__all__ = ["Architecture", "Discovery", "Ignore", "Offer", "decide"]
