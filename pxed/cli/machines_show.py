"""`pxed machines show NAME`: all that is known of one machine, in plain words, and its boot over time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pxed.cli.client import Client, RefusedError, machine_path
from pxed.cli.machines_list import when, wrong
from pxed.cli.machines_order import with_client
from pxed.cli.mirrored import print_json
from pxed.cli.tables import plain
from pxed.cli.waterfall import ended, verdict_lines, waterfall

PAST = 10  # boots
EVENTS = 20  # the last ones; --json has all

View = dict[str, Any]


def run(config: Path, server: str, name: str, as_json: bool) -> int:
    """Print it; the exit code."""
    return with_client(config, server, None, lambda daemon: _run(daemon, name, as_json))


def _run(daemon: Client, name: str, as_json: bool) -> int:
    view = daemon.get(machine_path(name))
    past = _past(daemon, name)
    if as_json:
        print_json({**view, "timelines": past})
    else:
        print("\n".join(map(plain, lines(view, past, time.time(), _block()))))
    return 0


def _past(daemon: Client, name: str) -> list[View]:
    """Its last boots, stage by stage; none from a daemon that keeps none."""
    try:
        boots: list[View] = daemon.get(f"{machine_path(name)}/boots?limit={PAST}")["boots"]
    except RefusedError:
        return []
    return boots


def _block() -> str:
    """What bars are drawn with."""
    return "\u2501" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"


def lines(view: View, past: list[View], now: float, block: str = "#") -> Iterator[str]:
    """What a person is told."""
    listed = "" if view["listed"] else ", not listed"
    yield f"{view['name']}{listed}: {view['summary'] or 'nothing is known of a boot or an installation'}"
    yield from (f"  {line}" for line in verdict_lines(view.get("verdict")))
    if problem := wrong(view):
        yield f"  what is wrong: {problem}"
    yield from (f"  {name}: {text}" for name, text in _identity(view) if text)
    if view["install"]:
        yield f"  installation: {_installation(view['install'], now)}"
    if view["next"]:
        yield f"  next boot: {view['next']['profile']}, once{' (it has begun)' if view['next']['boot'] else ''}"
    timeline = view.get("timeline")
    if timeline:
        yield from _section("the boot over time", list(waterfall(timeline, now, block)))
    older = [boot for boot in past if timeline is None or boot["id"] != timeline["id"]]
    yield from _section("earlier boots", [ended(boot, now) for boot in older])
    yield from _section("attempts to install", [_attempt(attempt, now) for attempt in view["attempts"]])
    yield from _section("boots", [_boot(boot, now) for boot in view["boots"]])
    yield from _section("alerts", [_alert(alert, now) for alert in view["alerts"]])
    yield from _section("events", [_event(event, now) for event in view["events"][-EVENTS:]])


def _identity(view: View) -> Iterator[tuple[str, str]]:
    yield "MAC", ", ".join(view["macs"])
    yield "UUID", view["uuid"] or ""
    yield "serial number", view["serial"] or ""
    yield "profile", view["profile"] or "none"


def _section(head: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"{head}:"
        yield from (f"  {row}" for row in rows)


def _installation(installation: View, now: float) -> str:
    words = [
        "held" if installation["held"] else installation["state"],
        f"since {when(installation['since'], now)}" if installation["since"] else "",
        _counted(installation),
        f"version {installation['version']}" if installation["version"] else "",
        f"a report is due by {when(installation['deadline'], now)}" if installation["deadline"] else "",
        f"not before {when(installation['not_before'], now)}" if (installation["not_before"] or 0) > now else "",
        "ordered by an operator" if installation["ordered"] else "",
        f"with profile {installation['profile']}" if installation["profile"] else "",
    ]
    return ", ".join(word for word in words if word)


def _counted(installation: View) -> str:
    attempt, attempts = installation["attempt"], installation["attempts"]
    return (f"attempt {attempt}" + (f" of {attempts}" if attempts else "")) if attempt else ""


def _attempt(attempt: View, now: float) -> str:
    ended = f", until {when(attempt['ended'], now)}" if attempt["ended"] else ""
    reason = f": {attempt['reason']}" if attempt["reason"] else ""
    version = f" of {attempt['version']}" if attempt["version"] else ""
    began = when(attempt["began"], now)
    return f"{attempt['number']}{version}: began {began}{ended}, {attempt['outcome'] or 'under way'}{reason}"


def _boot(boot: View, now: float) -> str:
    words = [f"{when(boot['began'], now)} {boot['way']}, profile {boot['profile']}", boot["version"] or ""]
    words.append(f"from {boot['address']}" if boot["address"] else "")
    if boot["reported"]:
        message = f" ({boot['message']})" if boot["message"] else ""
        words.append(f"reported {boot['reported']} {when(boot['reported_at'], now)}{message}")
    elif boot["deadline"]:
        due = f"by {when(boot['deadline'], now)}"
        words.append(f"has not reported {due}" if boot["no_report"] else f"a report is due {due}")
    return ", ".join(word for word in words if word)


def _alert(alert: View, now: float) -> str:
    source = f" (from {alert['address']})" if alert["address"] else ""
    return f"{when(alert['time'], now)} {alert['what']}: {alert['text']}{source}"


def _event(event: View, now: float) -> str:
    level = "warning: " if event["level"] == "warning" else ""
    return f"{when(event['time'], now)} {event['kind']}: {level}{event['text']}"
