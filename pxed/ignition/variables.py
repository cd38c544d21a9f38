"""What a config template sees of the machine, the server and the profile."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pxed.boot.endpoint import Endpoint
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Machine


def variables(match: Match, identity: Identity, endpoint: Endpoint) -> dict[str, Any]:
    """What a template sees. Text that is not known is "", so that `{% if machine.serial %}` works."""
    machine = match.machine
    listed = machine.macs if machine else ()
    mac = identity.mac or (listed[0] if listed else "")
    return {
        "machine": {
            "name": match.name,
            "mac": mac,
            "macs": listed or ((mac,) if mac else ()),
            "uuid": _uuid(machine, identity),
            "serial": (machine.serial if machine else None) or identity.serial or "",
            "arch": identity.arch or "",
            "vars": match.vars,
        },
        "server": {"url": endpoint.url},
        "profile": match.profile_name,
    }


def listed_identity(machine: Machine) -> Identity:
    """The identity of a machine by what the inventory says of it."""
    return Identity(
        mac=machine.macs[0] if machine.macs else "",
        uuid=machine.uuid.bytes if machine.uuid else None,
        serial=machine.serial,
    )


def _uuid(machine: Machine | None, identity: Identity) -> str:
    if machine and machine.uuid:
        return str(machine.uuid)
    return str(UUID(bytes=identity.uuid)) if identity.uuid else ""
