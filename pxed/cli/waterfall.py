"""A boot over time as text: a line for each stage with its bar, and how past boots ended. From the API's timelines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pxed.assets.mirror.wording import amount
from pxed.cli.fleet import ago
from pxed.status.boots import Outcome

BAR = 32  # characters
_RATE_SECONDS = 0.2  # a shorter transfer says nothing of the link
_DAY = 86400.0
_TOLD: dict[str, str] = {
    Outcome.RUNNING: "running",
    Outcome.INSTALLED: "installed",
    Outcome.LOCAL: "sent to its disk",
    Outcome.FAILED: "failed",
    Outcome.STUCK: "stuck",
    Outcome.SUPERSEDED: "began anew",
}

View = dict[str, Any]


def verdict_lines(verdict: View | None) -> Iterator[str]:
    """Cause, evidence and remedy."""
    if not verdict:
        return
    yield f"{verdict['severity']}: {verdict['cause']}"
    yield from (f"  evidence: {evidence}" for evidence in verdict["evidence"])
    yield f"  what to do: {verdict['remedy']}"


def waterfall(boot: View, now: float, block: str = "#") -> Iterator[str]:
    """The boot in one line, then its stages, then what else was seen."""
    yield _head(boot, now)
    began, whole = boot["began"], max(0.001, _end(boot, now) - boot["began"])
    for span in boot["spans"]:
        start = span["began"] - began
        lasts = max(0.0, (span["ended"] or _end(boot, now)) - span["began"])
        first = min(BAR - 1, max(0, int(BAR * start / whole)))
        bar = (" " * first + block * max(1, round(BAR * lasts / whole)))[:BAR].ljust(BAR)
        line = f"{span['stage']:<11}{_seconds(start):>9}{_seconds(lasts):>9}  |{bar}|  {_told(span, lasts)}"
        yield line.rstrip()
    yield from (f"{clock(note['time'], now)} {note['text']}" for note in boot["notes"])


def ended(boot: View, now: float) -> str:
    """A past boot in one line."""
    verdict, end = boot["verdict"], boot["ended"]
    how = _TOLD.get(boot["outcome"] or "", "unfinished" if end else "under way")
    at = f" at {boot['stage']}" if boot["outcome"] in (Outcome.STUCK, Outcome.FAILED, Outcome.SUPERSEDED, None) else ""
    words = [
        f"{clock(boot['began'], now)} {how}{at} after {ago((end or now) - boot['began'])}",
        _what(boot),
        amount(boot["bytes"]) if boot["bytes"] else "",
    ]
    return ", ".join(filter(None, words)) + (f": {verdict['cause']}" if verdict else "")


def clock(seconds: float, now: float) -> str:
    """Local time with seconds; the date too when that is not clear."""
    form = "%H:%M:%S" if 0 <= now - seconds < _DAY else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, time.localtime(seconds))


def _head(boot: View, now: float) -> str:
    words = [
        f"began {clock(boot['began'], now)}",
        f"{_TOLD.get(boot['outcome'] or '', 'under way')} after {ago(_end(boot, now) - boot['began'])}",
        f"over {boot['interface']}" if boot["interface"] else "",
        boot["firmware"] or "",
        boot["loader"] or "",
        _what(boot),
        f"{boot['retransmits']} packets sent again" if boot["retransmits"] else "",
    ]
    return ", ".join(filter(None, words))


def _what(boot: View) -> str:
    """What it boots."""
    return " ".join(filter(None, (boot["image"] or boot["profile"], boot["version"])))


def _end(boot: View, now: float) -> float:
    """When its last stage ended, as far as that was seen."""
    ends = [span["ended"] or 0.0 for span in boot["spans"]]
    last = max((boot["ended"] or 0.0, *ends))
    return float(last if boot["ended"] else max(now, last))


def _told(span: View, lasts: float) -> str:
    rate = f" ({amount(span['bytes'] / lasts)}/s)" if span["bytes"] and lasts >= _RATE_SECONDS else ""
    due = f" of {amount(span['due'])}" if span["due"] and span["due"] != span["bytes"] else ""
    words = [
        span["file"] or "",
        f"{amount(span['bytes'])}{due}{rate}" if span["bytes"] else "",
        f"{span['count']} times" if span["count"] > 1 else "",
        f"{span['retransmits']} sent again" if span["retransmits"] else "",
        "" if span["ended"] else "under way",
        "" if span["ok"] else f"failed: {span['text']}" if span["text"] else "failed",
    ]
    return ", ".join(filter(None, words))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else ago(seconds)
