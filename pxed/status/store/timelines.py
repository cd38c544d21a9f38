"""Reads timelines of boots: one machine's are those with its MACs or its name, whatever it was called then."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import Connection, or_, select

from pxed.status.records import Timeline
from pxed.status.store.statements import rows
from pxed.status.store.tables import TABLES

LOOKED_AT = 500  # keys of the newest, of which the machine's own are chosen
Ours = Callable[[str], bool]  # whether a boot with this MAC can be the machine's


def newest_timelines(
    connection: Connection, machine: str, macs: Collection[str], most: int, ours: Ours
) -> list[Timeline]:
    """A machine's newest, newest first. A boot of its name with a MAC that another machine has now is left out."""
    table = TABLES[Timeline].c
    its_own = or_(table.machine == machine, table.mac.in_(list(macs)))
    keys = select(table.id, table.mac).where(its_own).order_by(table.began.desc()).limit(LOOKED_AT)
    ids = [boot for boot, mac in connection.execute(keys) if mac in macs or ours(mac)][:most]
    found = rows(connection, Timeline, select(TABLES[Timeline]).where(table.id.in_(ids)))
    return sorted(found, key=lambda timeline: timeline.began, reverse=True)


def one_timeline(connection: Connection, boot: str) -> Timeline | None:
    """The one with this id."""
    found = rows(connection, Timeline, select(TABLES[Timeline]).where(TABLES[Timeline].c.id == boot))
    return found[0] if found else None
