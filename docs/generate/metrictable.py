"""The table of metrics in docs/reference/metrics.md, from pxed's own list. It stands in the page, where readers of the
repository see it too; tests/docs/test_metrics_page.py keeps it, and writes it with PXED_GOLDEN=write.
"""

from __future__ import annotations

import re

from pxed.server.metricnames import METRICS, Metric

HEAD = "| name | type | labels | |\n|---|---|---|---|\n"
_TABLE = re.compile(rf"{re.escape(HEAD)}(\|.*\n)*")


def table() -> str:
    """The whole table."""
    return HEAD + "".join(map(_row, METRICS))


def renewed(page: str) -> str:
    """The page with its table as it should be. ValueError if it has none."""
    text, count = _TABLE.subn(lambda _: table(), page)
    if count != 1:
        raise ValueError(f"{count} tables of metrics, expected one")
    return text


def _row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{name}` | {metric.kind} | {labels} | {metric.help} |\n"
