"""What a daemon that starts says of its inventory and of its host, as far as that stops nothing."""

from __future__ import annotations

from pxed.server.host.loaders import loader_findings
from pxed.server.live import Snapshot

WARNINGS_SHOWN = 20  # of the inventory; `pxed check` has them all


def warnings_at_start(snapshot: Snapshot) -> list[str]:
    """Each a sentence that somebody should act on."""
    told = [str(warning) for warning in snapshot.warnings[:WARNINGS_SHOWN]]
    if any(warning.unreadable for warning in snapshot.warnings):
        from pxed.server.host.remedies import remedies_of  # only where something is wrong

        told += remedies_of(snapshot.warnings)
    return told + [finding.sentence for finding in loader_findings(snapshot.inventory)]
