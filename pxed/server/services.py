"""What stands behind the pages that machines and operators ask for, made of the rows of the state store."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.events import Emit
from pxed.server.access import Access, token_key
from pxed.server.alerts import Alerts
from pxed.server.clients import Clients
from pxed.server.firstboot import FirstBoots
from pxed.server.guarded import Guarded
from pxed.server.keeping import Keeper
from pxed.server.live import Live
from pxed.server.machines import Machines
from pxed.server.operators import Operators
from pxed.server.progress import Progress
from pxed.server.seen import Seen
from pxed.server.visits import Visits
from pxed.status.store.contents import Contents


@dataclass(frozen=True, slots=True)
class Services:
    """One of each."""

    seen: Seen
    alerts: Alerts
    access: Access
    machines: Machines
    operators: Operators
    progress: Progress
    visits: Visits
    guarded: Guarded
    first_boots: FirstBoots
    keeper: Keeper


async def make_services(live: Live, keeper: Keeper, contents: Contents, clients: Clients, emit: Emit) -> Services:
    """All of them, with what the store had. Raises StoreError."""
    alerts = Alerts(keeper, emit, contents.alerts)
    access = Access(keeper, alerts, contents.tokens, await token_key(keeper, contents.settings))
    first_boots = FirstBoots(keeper, contents.first_boots)
    machines = Machines(live, keeper, access, alerts, first_boots, emit)
    machines.load(contents)
    operators = Operators(live, machines, access, first_boots)
    progress = Progress(machines, keeper, access, alerts)
    seen = Seen(progress.to_disk)
    visits = Visits(machines, access, seen, alerts, clients.neighbours)
    guarded = Guarded(access.derive)
    return Services(seen, alerts, access, machines, operators, progress, visits, guarded, first_boots, keeper)
