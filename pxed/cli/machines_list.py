"""`pxed machines list`: one row for each machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pxed.cli.client import Client, RefusedError
from pxed.cli.fleet import Fleet, Row, stage_of
from pxed.cli.machines_order import usage, with_client
from pxed.cli.mirrored import print_json
from pxed.cli.tables import plain, print_table
from pxed.status.records import State

HEADS = ("machine", "MAC", "profile", "state", "attempt", "since", "last boot", "stage", "verdict")
_NONE = "none"
_DAY = 86400.0


def run(config: Path, server: str, state: str, as_json: bool) -> int:
    """Print the table; the exit code."""
    if state not in ("", _NONE, *State):
        return usage(f"--state {state!r} is none of {', '.join(State)}, {_NONE}")
    return with_client(config, server, None, lambda daemon: _run(daemon, state, as_json))


def _run(daemon: Client, state: str, as_json: bool) -> int:
    views = [view for view in daemon.get("machines")["machines"] if not state or state == _state(view)]
    live = _live(daemon)
    if as_json:
        print_json({"machines": [{**view, "live": live.get(view["name"])} for view in views]})
    elif views:
        now = time.time()
        print_table(HEADS, [tuple(map(plain, _cells(view, live.get(view["name"]), now))) for view in views])
    else:
        print(f"no machine is {state}" if state else "no machine is listed, and none was heard of")
    return 0


def _live(daemon: Client) -> dict[str, Row]:
    """What is seen of each machine's boot; nothing by a daemon that does not tell."""
    try:
        return Fleet(daemon.get("fleet")).rows
    except RefusedError:
        return {}


def _state(view: dict[str, Any]) -> str:
    return view["install"]["state"] if view["install"] else _NONE


def _cells(view: dict[str, Any], live: Row | None, now: float) -> tuple[str, ...]:
    installation, boot = view["install"] or {}, view["boot"] or {}
    attempt, attempts = installation.get("attempt") or "", installation.get("attempts")
    macs = view["macs"]
    return (
        view["name"] if view["listed"] else f"{view['name']} (not listed)",
        f"{macs[0]} (+{len(macs) - 1})" if len(macs) > 1 else "".join(macs),
        (view["profile"] or "-") + (f", once {view['next']['profile']}" if view["next"] else ""),
        "held" if installation.get("held") else installation.get("state", ""),
        f"{attempt} of {attempts}" if attempt and attempts else str(attempt),
        when(installation.get("since"), now),
        f"{boot['way']} {when(boot['began'], now)}" if boot else "",
        stage_of(live) if live else "",
        (live["verdict"] if live else "") or wrong(view),
    )


def wrong(view: dict[str, Any]) -> str:
    """What somebody should look at; "" when there is nothing."""
    installation, boot = view["install"] or {}, view["boot"] or {}
    if installation.get("reason"):
        return str(installation["reason"])
    return "its last boot has not reported" if boot.get("no_report") else ""


def when(seconds: float | None, now: float) -> str:
    """The hour of the last day, else the date too, in local time; "" for never."""
    if seconds is None:
        return ""
    form = "%H:%M" if 0 <= now - seconds < _DAY else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(seconds))
