"""/api/v1/machines/NAME/preview: the script and the command line that a machine would get now. Changes nothing."""

from __future__ import annotations

from aiohttp import web

from pxed.architecture import name_of
from pxed.boot.course import Way
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.boot.page import Page, page_for
from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.inventory.model import Machine
from pxed.server.api_site import Served
from pxed.server.callers import named
from pxed.server.firstboot import FirstBoots
from pxed.server.fleet import Boots
from pxed.server.releases import Releases
from pxed.server.replies import Asked, json_reply, refuse
from pxed.server.visits import Visitor, Visits

USUAL_ARCH = "x86_64-efi"


class PreviewPages:
    """Shows what BootPages would answer to a boot that has shown itself by DHCP."""

    def __init__(
        self, visits: Visits, first_boots: FirstBoots, releases: Releases, boots: Boots, served: Served
    ) -> None:
        self._served = served
        self._visits = visits
        self._first_boots = first_boots
        self._releases = releases
        self._boots = boots

    async def preview(self, asked: Asked) -> web.StreamResponse:
        """?arch=NUMBER of DHCP option 93; left out, what the machine said last. TOKEN stands for each secret."""
        text = asked.found.args[0]
        machine, mac = named(asked.snapshot.inventory, text)
        if machine is None and not mac:
            refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
        name = machine.name if machine is not None else mac
        identity, endpoint = self._identity(name, machine, mac, _arch(asked)), self._endpoint(asked, name)
        match = resolve(asked.snapshot.inventory, identity)
        if isinstance(match, Unmatched):
            page, profile = page_for(asked.snapshot.inventory, match, identity, endpoint), None
        else:
            page, profile = self._page(asked, match, identity, endpoint)
        return json_reply({
            "arch": identity.arch,
            "profile": profile,
            "problem": page.problem or None,
            "script": page.script,
            "cmdline": page.cmdline or None,
        })  # fmt: skip

    def _endpoint(self, asked: Asked, name: str) -> Endpoint:
        """Where the machine reaches us, which may not be where the operator does."""
        boot, mine = self._boots.current(name), asked.caller.endpoint
        for interface in self._served():
            if boot is not None and interface.name == boot.interface and interface.addresses:
                address = mine.address if mine.address in interface.addresses else interface.addresses[0]
                return endpoint_at(address, asked.snapshot.inventory.server, interface.name)
        return mine

    def _identity(self, name: str, machine: Machine | None, mac: str, arch: str) -> Identity:
        boot = self._boots.current(name)
        if machine is None:
            return Identity(mac, None, None, arch or (boot.arch if boot is not None else "") or USUAL_ARCH)
        own = mac or (boot.mac if boot is not None and boot.mac in machine.macs else next(iter(machine.macs), ""))
        uuid = machine.uuid.bytes_le if machine.uuid is not None else None  # as firmware sends it (RFC 4578 2.3)
        return Identity(own, uuid, machine.serial, arch or (boot.arch if boot is not None else "") or USUAL_ARCH)

    def _page(self, asked: Asked, match: Match, identity: Identity, endpoint: Endpoint) -> tuple[Page, str]:
        inventory = asked.snapshot.inventory
        arrival = self._visits.arrive(inventory, Visitor(match, identity, asked.caller))
        release, version = self._releases.needed(
            inventory, arrival.match, identity.arch, installs=arrival.way is Way.INSTALL, note=False
        )
        course = self._visits.foresee(inventory, arrival, version)
        page = page_for(
            inventory,
            arrival.match,
            identity,
            endpoint,
            release=release,
            first_boot_done=self._first_boots.done(match.name, arrival.match.profile.root),
            course=course,
        )
        return page, arrival.match.profile_name


def _arch(asked: Asked) -> str:
    text = asked.found.query.get("arch", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF):
        refuse(400, "arch is a number of DHCP option 93: 0 for BIOS, 7 for x64 UEFI, 11 for ARM64 UEFI.")
    return name_of(int(text)) if text else ""
