"""The events that HTTP requests are: one frozen value each, the machine first, figures in `data`."""

from __future__ import annotations

import time

from pxed.events import Event, Kind, Level, Value
from pxed.server.callers import Caller
from pxed.server.redact import redacted
from pxed.server.replies import HttpRefusalError

_MAX_TEXT = 300


def happened(kind: Kind, caller: Caller, text: str, level: Level = Level.INFO, **data: Value) -> Event:
    """An event of a machine. Text that comes from outside is cut and stripped of control characters."""
    figures: dict[str, Value] = {"address": caller.address, **data}
    return Event(kind, time.time(), caller.machine, caller.mac, printable(text), level, figures)


def sent(kind: Kind, caller: Caller, file: str, size: int, seconds: float) -> Event:
    """A whole file has been sent."""
    text = f"sent {file}, {size} bytes in {seconds:.1f} s by HTTP"
    return happened(kind, caller, text, file=file, bytes=size, seconds=round(seconds, 3))


def broke_off(caller: Caller, file: str, sent_bytes: int, due: int, seconds: float) -> Event:
    """A transfer ended before its last byte."""
    text = f"HTTP transfer of {file} broke off after {sent_bytes} of {due} bytes, {seconds:.1f} s"
    return happened(
        Kind.TRANSFER,
        caller,
        text,
        Level.WARNING,
        file=file,
        bytes=sent_bytes,
        seconds=round(seconds, 3),
        reason="broke off",
    )


def refused(caller: Caller, request: tuple[str, str], refusal: HttpRefusalError, route: str, level: Level) -> Event:
    """A request, its method and target, got an error status. `route` is that of pxed.server.routes, "" for none."""
    method, target = request
    text = f"{method} {redacted(target)[:200]} refused with {refusal.status}: {refusal}"
    figures: dict[str, Value] = {
        "url": printable(target),
        "route": route,
        "status": refusal.status,
        "reason": printable(str(refusal)),
        "transport": "http",
        "why": refusal.why,
    }
    return happened(Kind.REFUSED, caller, text, level, **figures)


def printable(text: str) -> str:
    """One line of at most 300 characters, without secrets."""
    line = redacted(text)[:_MAX_TEXT]
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
