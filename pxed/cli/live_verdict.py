"""What the running daemon has seen of one machine, before `pxed explain` tells what it would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pxed.cli.client import Client, RefusedError, UnreachableError, machine_path, own_url
from pxed.cli.fleet import ago
from pxed.cli.waterfall import clock, verdict_lines
from pxed.inventory.model import Server

SECONDS = 3.0  # for the daemon's answer: what follows needs none

View = dict[str, Any]


def ask(server: Server, url: str, name: str) -> tuple[View | None, str]:
    """The machine's view, and why there is none."""
    try:
        with Client(url or own_url(server), seconds=SECONDS) as daemon:
            return daemon.get(machine_path(name)), ""
    except (UnreachableError, RefusedError) as error:
        return None, str(error)


def seen(view: View) -> View:
    """For programs."""
    boot = view.get("timeline")
    keys = ("id", "stage", "since", "began", "ended", "outcome")
    return {"boot": {key: boot[key] for key in keys} if boot else None, "verdict": view.get("verdict")}


def lines(view: View | None, why: str, now: float) -> Iterator[str]:
    """For people."""
    if view is None:
        yield f"not asked what was seen of it: {why}"
        return
    boot = view.get("timeline")
    if not boot:
        yield "nothing was seen of a boot since pxed started"
        return
    stage = boot["outcome"] or boot["stage"]
    at = f" at {boot['stage']}" if boot["outcome"] == "stuck" else ""
    yield f"as seen: {stage}{at} for {ago(now - boot['since'])}, in the boot that began {clock(boot['began'], now)}"
    yield from (f"  {line}" for line in verdict_lines(view.get("verdict")))
    if not view.get("verdict"):
        yield "  nothing is wrong with it as far as pxed sees"
