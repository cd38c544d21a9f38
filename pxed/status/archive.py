"""A boot that is over, as the store keeps it: boots.as_dict in JSON of at most 16 KiB, fine detail left out first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pxed.status.boots import Boot, as_dict
from pxed.status.records import Timeline

MOST_BYTES = 16 * 1024  # of a body
SAMPLES = 60  # of throughput: enough for a curve
_SHORT = 60  # characters of a text where all of them are too long
_LEAST = ("id", "machine", "mac", "interface", "began", "ended", "last", "outcome", "stage", "since", "record")

View = dict[str, Any]


def timeline_of(boot: Boot) -> Timeline:
    """The row of a boot."""
    fault = str(boot.finding.fault) if boot.finding is not None else ""
    return Timeline(boot.id, boot.machine, boot.mac, boot.began, boot.ended, str(boot.outcome), fault, body_of(boot))


def body_of(boot: Boot, most: int = MOST_BYTES) -> str:
    """Its JSON, never longer than `most` bytes."""
    view = as_dict(boot)
    return next(body for body in map(_encoded, _shorter(view)) if len(body.encode()) <= most)


def view_of(row: Timeline, name: str) -> View:
    """As the API has it; `name` is what the machine is called now. {} for a body that is no JSON."""
    try:
        view = json.loads(row.body)
    except ValueError:
        return {}
    return {**view, "machine": name} if isinstance(view, dict) else {}


def plain(view: View) -> View:
    """A boot in memory as it will be when the store has had it: without what UTF-8 cannot say."""
    plain: View = json.loads(_encoded(view))
    return plain


def _encoded(view: View) -> str:
    text = json.dumps(view, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _shorter(view: View) -> Iterator[View]:
    """The view with less and less in it. The last one holds numbers and names of a bounded length only."""
    view = {**view, "samples": thinned(view["samples"], SAMPLES)}
    yield view
    view = {**view, "samples": [], "notes": _cut(view["notes"])}
    yield view
    view = {**view, "spans": _cut(view["spans"]), "verdict": view["verdict"] and _cut([view["verdict"]])[0]}
    yield view
    ends = [*view["spans"][:12], *view["spans"][-12:]] if len(view["spans"]) > 24 else view["spans"]
    view = {**view, "notes": [], "spans": ends}
    yield view
    empty: View = {key: [] if isinstance(value, list) else None for key, value in view.items()}
    kept = {key: value[:_SHORT] if isinstance(value := view[key], str) else value for key in _LEAST}
    yield {**empty, "bytes": view["bytes"], "retransmits": view["retransmits"], **kept}


def thinned(samples: Sequence[Any], most: int) -> list[Any]:
    """At most so many, the first and the last among them."""
    if len(samples) <= most:
        return list(samples)
    step = (len(samples) - 1) / (most - 1)
    return [samples[round(number * step)] for number in range(most)]


def _cut(rows: Sequence[View]) -> list[View]:
    """Their texts shortened, and lists of texts."""
    return [{key: _short(value) for key, value in row.items()} for row in rows]


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_SHORT]
    return [_short(one) for one in value[:8]] if isinstance(value, list) else value
