"""The rows of the table, one module for each service."""

from __future__ import annotations

from benchmarks.cases import dashboard, dhcp, http, ignition, installs, startup, state, sync, tftp, timeline, transpile
from benchmarks.model import Case


def every() -> list[Case]:
    """All cases, in the order of the table."""
    return [
        *dhcp.cases(),
        *tftp.cases(),
        *http.cases(),
        *ignition.cases(),
        *installs.cases(),
        *transpile.cases(),
        *sync.cases(),
        *state.cases(),
        *timeline.cases(),
        *startup.cases(),
        *dashboard.cases(),
    ]
