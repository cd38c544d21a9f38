"""Whose rows are whose after a reload: a machine is found by its MACs, or what stands for them, under any name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote
from uuid import UUID

from pxed.inventory.model import Inventory, Machine
from pxed.inventory.scalars import serial_key

_UUID, _SERIAL = "uuid:", "serial:"


def moves_of(
    inventory: Inventory, known: Mapping[str, tuple[str, ...]], booted: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """The heirs of what decides about machines (`known`), then of those that have only `booted`.

    A machine's older boots stay in the store under its former names: these take no name from it, and keep none.
    """
    moves = heirs(inventory, known)
    names = {moves.get(name, name) for name in known}
    past = heirs(inventory, {name: macs for name, macs in booted.items() if name not in known})
    return moves | {old: name for old, name in past.items() if name not in names}


def heirs(inventory: Inventory, known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The new names of machines whose MACs have another name now: renamed, listed, no longer listed, or swapped.

    `known` has the MACs by the name of before, or what stands for them (marks_of). Without this the inventory's new
    name would install a machine again. Who has new MACs keeps its name, a machine with a new NIC, unless the MACs of
    another one come to that name.
    """
    names = {old: name_of(inventory, old, macs) for old, macs in known.items()}
    coming = {name for old, name in names.items() if name != old}
    moves: dict[str, str] = {}
    taken: set[str] = set()
    for old, name in names.items():
        makes_way = name == old and old in coming and is_elsewhere(inventory, old, known[old])
        new = known[old][0] if makes_way else name
        if new != old and new not in taken:
            moves[old] = new
            taken.add(new)
    while blocked := [old for old, name in moves.items() if name in known and name not in moves]:
        for old in blocked:
            del moves[old]
    return moves


def name_of(inventory: Inventory, name: str, macs: Sequence[str]) -> str:
    """The name that a machine with these MACs has in the inventory; the one of before where that cannot be told."""
    machine = inventory.machines.get(name)
    if machine is not None and not is_elsewhere(inventory, name, macs):
        return name
    for mark in macs:
        if (listed := _listed(inventory, mark)) is not None:
            return listed.name
    return name if machine is not None else mac_of(macs) or name


def is_elsewhere(inventory: Inventory, name: str, macs: Sequence[str]) -> bool:
    """Whether the machine of that name has none of these MACs."""
    machine = inventory.machines.get(name)
    return bool(macs) and (machine is None or all(_listed(inventory, mark) is not machine for mark in macs))


def marks_of(machine: Machine) -> tuple[str, ...]:
    """What a machine is found by when it has another name: its MACs; its UUID or serial number where it has none."""
    if machine.macs:
        return machine.macs
    if machine.uuid is not None:
        return (f"{_UUID}{machine.uuid}",)
    return (f"{_SERIAL}{quote(serial_key(machine.serial), safe='')}",) if machine.serial else ()


def marks_or_name(machine: Machine | None, name: str) -> tuple[str, ...]:
    """Those of a machine that may not be listed: then its MAC is its name."""
    return marks_of(machine) if machine is not None else (name,)


def _listed(inventory: Inventory, mark: str) -> Machine | None:
    if mark.startswith(_UUID):
        return inventory.indexes.by_uuid.get(UUID(mark.removeprefix(_UUID)).bytes)
    if mark.startswith(_SERIAL):
        return inventory.indexes.by_serial.get(unquote(mark.removeprefix(_SERIAL)))
    return inventory.indexes.by_mac.get(mark)


def mac_of(macs: Sequence[str]) -> str:
    """The first that is a MAC, and so the name of a machine that is not listed; "" for a UUID or a serial number."""
    return next((mac for mac in macs if not mac.startswith((_UUID, _SERIAL))), "")
