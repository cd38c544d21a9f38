"""Indexes over the machines: one dictionary look-up per kind of identity, whatever the number of machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from pxed.inventory.places import KeyPath
from pxed.inventory.scalars import serial_key
from pxed.inventory.selectors import Compiled


class Identified(Protocol):
    """What an index needs of a machine."""

    @property
    def name(self) -> str: ...
    @property
    def macs(self) -> tuple[str, ...]: ...
    @property
    def uuid(self) -> UUID | None: ...
    @property
    def serial(self) -> str | None: ...


M = TypeVar("M", bound=Identified)


@dataclass(frozen=True, slots=True)
class Clash(Generic[M]):
    """Two machines with the same identity: where the second states it and where the first does."""

    path: KeyPath
    first: KeyPath
    message: str


@dataclass(frozen=True, slots=True)
class Indexes(Generic[M]):
    """Machines by MAC, by the 16 bytes of the UUID in both byte orders, by serial_key; selectors of the groups."""

    by_mac: dict[str, M] = field(default_factory=dict)
    by_uuid: dict[bytes, M] = field(default_factory=dict)
    by_serial: dict[str, M] = field(default_factory=dict)
    selectors: tuple[Compiled, ...] = ()


def build(machines: Iterable[M], selectors: tuple[Compiled, ...]) -> tuple[Indexes[M], list[Clash[M]]]:
    """The indexes and every clash; the machine that comes first in the file keeps the identity."""
    indexes: Indexes[M] = Indexes(selectors=selectors)
    clashes: list[Clash[M]] = []
    for machine in machines:
        for position, mac in enumerate(machine.macs):
            other = indexes.by_mac.setdefault(mac, machine)
            if other is not machine:
                clashes.append(_mac_clash(machine, position, other, mac))
        if machine.uuid is not None:
            _add_uuid(indexes.by_uuid, machine, machine.uuid, clashes)
        if machine.serial is not None:
            other = indexes.by_serial.setdefault(serial_key(machine.serial), machine)
            if other is not machine:
                clashes.append(_clash(machine, ("serial",), other, ("serial",), f"serial number {machine.serial}"))
    return indexes, clashes


def _add_uuid(by_uuid: dict[bytes, M], machine: M, uuid: UUID, clashes: list[Clash[M]]) -> None:
    """RFC 4578 2.3 and SMBIOS disagree on the byte order of the first three fields; firmware does either."""
    other = by_uuid.setdefault(uuid.bytes, machine)
    swapped = by_uuid.setdefault(uuid.bytes_le, machine)
    if other is machine and swapped is machine:
        return
    clashing = other if other is not machine else swapped
    same = clashing.uuid == uuid
    what = f"UUID {uuid}" if same else f"UUID {clashing.uuid}, which is this one in the other byte order"
    clashes.append(_clash(machine, ("uuid",), clashing, ("uuid",), what))


def _mac_clash(machine: M, position: int, other: M, mac: str) -> Clash[M]:
    return _clash(machine, ("mac", position), other, ("mac", other.macs.index(mac)), f"MAC {mac}")


def _clash(machine: M, field_path: KeyPath, other: M, other_path: KeyPath, what: str) -> Clash[M]:
    return Clash(
        ("machines", machine.name, *field_path),
        ("machines", other.name, *other_path),
        f'machine "{machine.name}" has the same identity as machine "{other.name}" (line %s): {what}',
    )
