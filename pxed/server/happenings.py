"""The events that HTTP requests are: one frozen value each, the machine first, figures in `data`."""

from __future__ import annotations

import time
from typing import NamedTuple

from pxed.events import Event, Kind, Level, Value
from pxed.server.callers import Caller
from pxed.server.redact import redacted
from pxed.server.replies import HttpRefusalError
from pxed.server.transfers import stage_of

_MAX_TEXT = 300


def happened(kind: Kind, caller: Caller, text: str, level: Level = Level.INFO, **data: Value) -> Event:
    """An event of a machine. Text that comes from outside is cut and stripped of control characters."""
    figures: dict[str, Value] = {"address": caller.address, **data}
    return Event(kind, time.time(), caller.machine, caller.mac, printable(text), level, figures)


class Sent(NamedTuple):
    """What has been sent of a file by HTTP."""

    file: str
    bytes: int
    due: int
    seconds: float
    retransmits: int = 0
    digest: str = ""  # SHA-512 in hexadecimal, where it is known
    words: str = ""  # how the log calls it, where that is not the file's name


def sent(kind: Kind, caller: Caller, what: Sent) -> Event:
    """A whole file has been sent."""
    text = f"sent {what.words or what.file}, {what.bytes} bytes in {what.seconds:.1f} s by HTTP"
    return _transferred(kind, caller, text, Level.INFO, what, "complete", stage_of(kind))


def sent_piece(caller: Caller, what: Sent, first: int, stage: str) -> Event:
    """A piece of a file, from its byte `first` on, has been sent; others are still missing."""
    text = f"sent bytes {first}-{first + what.bytes - 1} of {what.due} of {what.file}"
    return _transferred(Kind.TRANSFER, caller, text, Level.DEBUG, what, "piece", stage)


def broke_off(caller: Caller, what: Sent, stage: str) -> Event:
    """A transfer ended before its last byte."""
    text = f"HTTP transfer of {what.file} broke off after {what.bytes} of {what.due} bytes, {what.seconds:.1f} s"
    return _transferred(Kind.TRANSFER, caller, text, Level.WARNING, what, "broke-off", stage, reason="broke off")


def _transferred(
    kind: Kind, caller: Caller, text: str, level: Level, what: Sent, result: str, stage: str, **more: Value
) -> Event:
    figures: dict[str, Value] = {
        "file": what.file,
        "bytes": what.bytes,
        "due": what.due,
        "seconds": round(what.seconds, 3),
        "transport": "http",
        "stage": stage,
        "result": result,
        "heard": True,
        "retransmits": what.retransmits,
        **({"digest": what.digest} if what.digest else {}),
        **more,
    }
    return happened(kind, caller, text, level, **figures)


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
