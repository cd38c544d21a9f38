"""The one decision: what a boot request gets, and why. Pure; it answers the wire, `pxed explain` and the dashboard.

"No" is a value with a reason. The replies follow README.md, "Client kinds"; rules cite the firmware they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from pxed.architecture import name_of
from pxed.boot.course import Detour
from pxed.boot.endpoint import Endpoint
from pxed.boot.loaders import DEFAULT_LOADERS, LOADER_KEY, supported
from pxed.dhcp.codes import BOOT_SERVER_PORT, IpxeOption, MessageType
from pxed.dhcp.pxe import KNOWN_CLIENT_CLASSES, BootRequest, Client, Stage
from pxed.dhcp.reply import packed
from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.inventory.model import Boot, DhcpMode, Inventory, LoaderKey, Opt43
from pxed.inventory.profile import with_overrides

SHARED_PLANS = 16384  # plans kept: (client class, address, loader, switches); bounds what invented classes can grow
NO_DETOURS: Mapping[str, Detour] = MappingProxyType({})
_NO_DETOUR = Detour()
SILENT = "it boots its disk, and local: silent leaves its DHCP unanswered"
OF_THE_HARDWARE = frozenset({"loader", "pxe", "console", "ip"})
BIS_LAYER = 0x8000  # PXE 2.1 2.4, option 43.71: the client wants credentials (Boot Integrity Services)


class Discovery(StrEnum):
    """What option 43 tells the client about finding a boot server."""

    NONE = "none"  # no option 43: EFI then asks port 4011
    BYPASS = "bypass"  # `06 01 08`: take this file, ask nobody
    RASPBERRY_PI = "raspberry-pi"  # its ROM wants a menu entry of this name


class Plan(NamedTuple):
    """The part of an offer that all machines with one client class and equal settings share."""

    file: str  # boot file name or URL; "" when there is none to give
    discovery: Discovery
    explanation: str


class Offer(NamedTuple):
    """A reply to give. A tuple: one is made for each datagram of a flood."""

    machine: str  # the inventory's name, or the MAC of an unlisted one
    acknowledge: bool  # ACK on 4011 rather than OFFER on 67
    plan: Plan
    address: str  # pxed's address, for option 54, siaddr, sname
    client: Client
    profile: str  # "" for a machine that is held
    found: str  # how the machine was found

    @property
    def file(self) -> str:
        """Boot file name or URL."""
        return self.plan.file

    @property
    def discovery(self) -> Discovery:
        return self.plan.discovery

    @property
    def stage(self) -> Stage:
        return self.client.stage

    @property
    def architecture(self) -> str:
        return served_as(self.client)[0]

    @property
    def reason(self) -> str:
        return f"{self.found}; {self.plan.explanation}"


class Ignore(NamedTuple):
    """Silence, and why. `wanted` is false for what is not for pxed: other DHCP clients, requests to other servers."""

    reason: str
    machine: str = ""
    wanted: bool = True


def decide(
    inventory: Inventory, request: BootRequest, endpoint: Endpoint, detours: Mapping[str, Detour] = NO_DETOURS
) -> Offer | Ignore:
    """What this client gets at this address. `detours`: what the state store knows of machines, by name."""
    refusal = _not_for_us(inventory.server.dhcp, request, endpoint)
    if refusal is not None:
        return refusal
    client = request.client
    architecture, loader_key = served_as(client)
    match = resolve(inventory, Identity(request.mac, request.uuid, None, architecture))
    if isinstance(match, Match):
        detour = detours.get(match.name, _NO_DETOUR)
        if is_silent(match, detour):
            return Ignore(SILENT, match.name)
        if detour.profile in inventory.profiles:
            match = one_shot(inventory, match, detour.profile)
        name, profile_name, loader, wish = match.name, match.profile_name, match.profile.loader, match.profile.pxe.opt43
    elif match.hold:
        name, profile_name, loader, wish = _held_name(match, request), "", None, Opt43.AUTO
    else:
        return Ignore(match.reason, match.machine.name if match.machine else "")
    if loader is None and loader_key is not None:
        loader = inventory.server.loaders.get(loader_key) or DEFAULT_LOADERS[loader_key]
    plan = _plan(client, endpoint, loader, wish, request.is_raspberry_pi)
    if not plan.file:
        return Ignore(plan.explanation, "" if name == request.mac else name)
    acknowledge = request.message_type != MessageType.DISCOVER
    return Offer(name, acknowledge, plan, endpoint.address, client, profile_name, match.reason)


def is_silent(match: Match, detour: Detour) -> bool:
    """Whether the machine is sent to its disk by no answer at all."""
    to_disk = detour.disk or match.profile.boot is Boot.LOCAL
    return match.profile.local == "silent" and to_disk and not detour.profile


def one_shot(inventory: Inventory, match: Match, profile_name: str) -> Match:
    """The machine with another profile, of which it keeps what belongs to its hardware."""
    overrides = match.machine.overrides if match.machine else {}
    own = {name: value for name, value in overrides.items() if name in OF_THE_HARDWARE}
    profile = with_overrides(inventory.profiles[profile_name], own)
    return match._replace(profile_name=profile_name, profile=profile)


def _not_for_us(mode: DhcpMode, request: BootRequest, endpoint: Endpoint) -> Ignore | None:
    """Port, message type and server identifier: RFC 2131 4.3, PXE 2.1 2.2.3."""
    if mode is DhcpMode.OFF:
        return Ignore("server.dhcp is off", wanted=False)
    named = request.server_identifier
    ours = named is not None and named == packed(endpoint.address)
    if named is not None and not ours:
        return Ignore(f"it names another server, {'.'.join(map(str, named))}", wanted=False)
    if request.port == BOOT_SERVER_PORT:
        return _not_for_the_boot_server(request)
    if mode is DhcpMode.COLOCATED:
        return Ignore("server.dhcp is colocated: the DHCP server of this host answers port 67", wanted=False)
    if request.message_type == MessageType.DISCOVER:
        return None
    # A ROM may ask the boot server on 67 (netboot pull 21, Intel): only then, and only by our name, is it for us.
    asks_us = ours and (request.configured or request.boot_item is not None)
    if asks_us and request.message_type == MessageType.REQUEST:
        return _not_for_the_boot_server(request)
    return Ignore(f"a {_message_type(request)} on port 67 belongs to the DHCP server", wanted=False)


def _not_for_the_boot_server(request: BootRequest) -> Ignore | None:
    if request.message_type not in (MessageType.REQUEST, MessageType.INFORM):
        return Ignore(f"a {_message_type(request)} is not for a boot server", wanted=False)
    if request.boot_item is not None and int.from_bytes(request.boot_item[2:], "big") & BIS_LAYER:
        return Ignore("it asks for Boot Integrity Services credentials (option 43.71), which pxed does not have")
    return None


@lru_cache(maxsize=SHARED_PLANS)
def _plan(client: Client, endpoint: Endpoint, loader: str | None, wish: Opt43, is_raspberry_pi: bool) -> Plan:
    """The boot file and how to find it, or why there is none."""
    discovery = _discovery(client, wish, is_raspberry_pi)
    missing = _missing_in_ipxe(client) if client.stage is Stage.IPXE else None
    if client.stage is Stage.IPXE and missing is None:
        return Plan(f"{endpoint.url}/boot.ipxe", discovery, "iPXE gets its script by HTTP")
    if loader is None:
        return Plan("", discovery, _no_loader(client))
    if client.stage is Stage.HTTP:
        return Plan(f"{endpoint.url}/loaders/{loader}", discovery, "UEFI HTTP Boot gets the loader's URL")
    if missing is not None:
        # A native iPXE ROM has no next-server of ours: the whole URL is safe for every build.
        better = f"this iPXE lacks {missing}, so it loads a better one"
        return Plan(f"{endpoint.tftp_url}/{loader}", discovery, better)
    return Plan(loader, discovery, f"{client.stage} gets its boot loader by TFTP")


def _missing_in_ipxe(client: Client) -> str | None:
    """What an iPXE build cannot do that a boot needs: VirtualBox's and old HP's have neither HTTP nor bzImage."""
    if client.lacks(IpxeOption.HTTP):
        return "HTTP"
    if client.is_bios and client.lacks(IpxeOption.BZIMAGE):
        return "Linux kernels (bzImage)"
    return None


def _discovery(client: Client, wish: Opt43, is_raspberry_pi: bool) -> Discovery:
    if client.stage is not Stage.PXE:
        return Discovery.NONE
    if is_raspberry_pi:
        return Discovery.RASPBERRY_PI
    if wish is Opt43.AUTO:
        # EDK2 of 2015 to 2017 never caches an offer with discovery tags (inverted test in PxeBcCacheDhcp4Offer).
        return Discovery.BYPASS if client.is_bios else Discovery.NONE
    return Discovery.BYPASS if wish is Opt43.BYPASS else Discovery.NONE


@lru_cache(maxsize=KNOWN_CLIENT_CLASSES)
def served_as(client: Client) -> tuple[str, LoaderKey | None]:
    """The selector name of the architecture that the client is served as, and the key of its boot loader."""
    number = supported(client.architectures)
    if number is None:
        return name_of(client.architectures[0]), None
    return name_of(number), LOADER_KEY[number]


def _no_loader(client: Client) -> str:
    names = ", ".join(f"{name_of(number)} ({number})" for number in client.architectures)
    keys = ", ".join(sorted(set(LOADER_KEY.values())))
    return f"there is no boot loader for {names}: server.loaders knows {keys}; a machine's own `loader:` works for any"


def _held_name(match: Unmatched, request: BootRequest) -> str:
    return match.machine.name if match.machine else request.mac


def _message_type(request: BootRequest) -> str:
    try:
        return MessageType(request.message_type).name
    except ValueError:
        return "message without a valid type (option 53)"
