"""`pxed check --host`: what of this host keeps the daemon from serving, printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pxed.inventory.model import Inventory
from pxed.server.host.wordings import Finding, Severity


def findings(inventory: Inventory | None, config: Path, files: Iterable[Path]) -> list[Finding]:
    """The findings; none of an inventory that is not known."""
    if inventory is None:
        return []
    from pxed.server.host.examine import examine

    return examine(inventory, config.absolute(), files)


def as_dicts(found: Iterable[Finding]) -> list[dict[str, object]]:
    """For `--json`: beside the inventory's problems, told apart by `code`."""
    return [
        {"code": one.code, "severity": one.severity, "message": one.sentence, "cause": one.cause, "remedy": one.remedy}
        for one in found
    ]


def show(found: Sequence[Finding], *, looked: bool) -> None:
    """Each finding in one line; what must be done on stderr, like the inventory's problems."""
    if not looked:
        print("host: not looked at, since the inventory could not be read", file=sys.stderr)
        return
    for one in found:
        print(
            f"host: {one.severity}: {one.sentence} [{one.code}]",
            file=sys.stdout if one.severity is Severity.NOTE else sys.stderr,
        )
    if not any(one.severity is not Severity.NOTE for one in found):
        print("host: nothing keeps pxed from serving")


def fatal(found: Iterable[Finding]) -> bool:
    """Whether the daemon would not serve."""
    return any(one.severity is Severity.ERROR for one in found)
