"""The machine that a path names, with its profile and what is known of it."""

from __future__ import annotations

from dataclasses import replace

from pxed.inventory.lookup import Identity, Match, Unmatched, resolve
from pxed.inventory.model import Machine
from pxed.server.access import Access
from pxed.server.callers import Caller, identity_of, named
from pxed.server.replies import Asked, refuse


def match_of(asked: Asked, access: Access, name: str = "") -> tuple[Match, Identity, Caller]:
    """The machine that the path names, with its profile; the one that the token was given to, where that had this name
    before: a machine can be renamed while it boots. Raises HttpRefusalError (404)."""
    text = name or asked.found.args[0]
    machine, mac = named(asked.snapshot.inventory, text)
    listed = machine is not None or bool(mac)
    if now := access.owner_of(asked.found.query.get("token", ""), text, listed=listed):
        machine, mac = named(asked.snapshot.inventory, now)
    if machine is None and not mac:
        refuse(404, f"There is no machine {text[:80]!r} in the inventory.")
    identity = _identity(asked, machine, mac)
    match = resolve(asked.snapshot.inventory, identity)
    if isinstance(match, Unmatched):
        refuse(404, f"{text[:80]} has no profile: {match.reason}")
    return match, identity, known_as(asked.caller, machine, identity.mac)


def known_as(caller: Caller, machine: Machine | None, mac: str) -> Caller:
    """The caller as this machine."""
    return replace(caller, machine=machine.name if machine else "", mac=mac or caller.mac)


def _identity(asked: Asked, machine: Machine | None, mac: str) -> Identity:
    """What the inventory says of a listed machine; what its query says of anything else (see delivery.ignition_url)."""
    said = identity_of({key: value for key, value in asked.found.query.items() if key != "mac"})
    if machine is None:
        return said._replace(mac=mac)
    own = asked.caller.mac if asked.caller.mac in machine.macs else next(iter(machine.macs), "")
    return Identity(
        mac=mac or own,
        uuid=machine.uuid.bytes if machine.uuid else said.uuid,
        serial=machine.serial or said.serial,
        arch=said.arch,
    )
