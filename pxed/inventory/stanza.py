"""What to write into the inventory for a machine that it does not list: YAML that loads as it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pxed.inventory.scalars import placeholder_uuid, serial_key


@dataclass(frozen=True, slots=True)
class Stranger:
    """What a machine that is not listed says of itself."""

    macs: Sequence[str]
    uuid: UUID | None = None
    serial: str = ""
    arch: str = ""


def uuid_of(hexadecimal: str) -> UUID | None:
    """The UUID that option 97 has, in the byte order of DMI tables; None for none or a placeholder.

    RFC 4578 2.3 has the first three fields little-endian, and so do firmwares.
    """
    try:
        raw = bytes.fromhex(hexadecimal)
    except ValueError:
        return None
    return UUID(bytes_le=raw) if len(raw) == 16 and not placeholder_uuid(raw) else None


def stanza(name: str, stranger: Stranger, profile: str = "") -> str:
    """An entry to paste under `machines:`. Without a profile the groups choose one, or server.unknown does."""
    macs = [json.dumps(mac) for mac in stranger.macs]
    lines = [f"  {name}:", f"    mac: {macs[0] if len(macs) == 1 else '[' + ', '.join(macs) + ']'}"]
    if stranger.uuid is not None:
        lines.append(f"    uuid: {stranger.uuid}")
    if serial_key(stranger.serial):
        lines.append(f"    serial: {json.dumps(stranger.serial)}")
    if stranger.arch:
        lines.append(f"    # it starts as {stranger.arch}")
    lines.append(f"    profile: {profile}" if profile else "    # profile: the name of one of your profiles")
    return "\n".join(lines) + "\n"
