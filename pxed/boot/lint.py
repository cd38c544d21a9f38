"""Command lines that no boot would get as they are meant, found when the inventory is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pxed.boot.cmdline import check_length, faults, kernel_command_line
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.boot.images import boot_files
from pxed.errors import Problem
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Boot, Image, Inventory, Machine, Profile

_NOTHING: Mapping[str, object] = MappingProxyType({})
_ANY_MAC = "ff:ff:ff:ff:ff:ff"
# The longest that a machine says of itself in the URL of its config: see cmdline.ignition_url.
_ANYBODY = Identity(mac=_ANY_MAC, uuid=b"\xff" * 16, serial="x" * 20, arch="loongarch64-efi")


def command_line_problems(inventory: Inventory) -> list[Problem]:
    """Every profile, as it is and as machines override it, checked with its longest machine name and address."""
    endpoint = endpoint_at("255.255.255.255", inventory.server)
    return [
        Problem(inventory.path, 0, 0, key, sentence)
        for key, name, profile in _uses(inventory)
        for sentence in _sentences(Match(name, None, key, profile, _NOTHING, ""), inventory.images, endpoint)
    ]


def _uses(inventory: Inventory) -> Iterator[tuple[str, str, Profile]]:
    """(key path, longest name of a machine with it, profile), each distinct profile once."""
    free = max((m.name for m in inventory.machines.values() if m.profile is None), key=len, default="")
    named = {id(profile): key for key, profile in inventory.profiles.items()}
    longest: dict[int, Machine] = {}
    for machine in inventory.machines.values():
        known = longest.get(id(machine.profile))
        if machine.profile is not None and (known is None or len(machine.name) > len(known.name)):
            longest[id(machine.profile)] = machine
    for key, profile in inventory.profiles.items():
        own = longest.get(id(profile))
        yield f"profiles.{key}", max(_ANY_MAC, free, own.name if own else "", key=len), profile
    for machine in inventory.machines.values():
        if machine.profile is None and machine.overrides:
            match = resolve(
                inventory, Identity(next(iter(machine.macs), ""), machine.uuid.bytes if machine.uuid else None)
            )
            if isinstance(match, Match):
                yield f"machines.{machine.name}", machine.name, match.profile
    for machine in longest.values():
        if machine.profile is not None and id(machine.profile) not in named:
            yield f"machines.{machine.name}", machine.name, machine.profile


def _sentences(match: Match, images: Mapping[str, Image], endpoint: Endpoint) -> Iterator[str]:
    image = images.get(match.profile.image or "")
    if match.profile.boot is not Boot.MEMORY or image is None:
        return
    for key in match.profile.ssh_keys:
        if '"' in key:
            yield f"the ssh key {key[:40]!r} has a double quote in it, where Flatcar would end it: remove the quote"
    line = kernel_command_line(match, endpoint, image, _ANYBODY)
    yield from faults(line)
    names = [file.name for file in boot_files(image)]
    if too_long := check_length(line, names[0] if names else ""):
        yield too_long
