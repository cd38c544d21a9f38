"""The fleet as commands show it: a row for each machine, what comes first, and each cell in plain words."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from pxed.assets.mirror.wording import amount
from pxed.cli.tables import plain
from pxed.status.boots import Outcome
from pxed.status.wordings import Severity

Row = dict[str, Any]

HEADS = ("machine", "profile", "stage", "since", "progress", "verdict")
_ENDED = {
    Outcome.RUNNING: "running",
    Outcome.INSTALLED: "installed",
    Outcome.LOCAL: "boots its disk",
    Outcome.FAILED: "failed",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Fleet:
    """Every machine's row by the daemon's names for its columns, kept up to date by what the daemon tells."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._columns: list[str] = []
        self.rows: dict[str, Row] = {}
        self.version = 0
        self._sorted: list[Row] | None = None
        self._stuck = 0  # how many of them are
        self._ahead = 0.0  # seconds that the daemon's clock is before this host's
        self.read(answer)

    def take(self, whole: dict[str, Any] | None, changes: dict[str, Any] | None) -> list[Row]:
        """What has come; the rows that are new."""
        if whole is not None:
            return self.read(whole)
        return self.change(changes) if changes is not None else []

    def read(self, answer: dict[str, Any]) -> list[Row]:
        """All of it anew (GET /api/v1/fleet); the rows that are other ones now."""
        self._ahead = answer["time"] - time.time()
        self._sorted = None
        self._columns, self.version, before = answer["columns"], answer["version"], self.rows
        self.rows = {row["name"]: row for row in map(self._row, answer["rows"])}
        return [row for name, row in self.rows.items() if row != before.get(name)]

    def change(self, message: dict[str, Any]) -> list[Row]:
        """What the daemon tells of changes; the rows that are new."""
        self.version, self._sorted = message["version"], None
        rows = [self._row(cells) for cells in message["rows"]]
        self.rows.update((row["name"], row) for row in rows)
        for name in message.get("gone", ()):
            self.rows.pop(name, None)
        return rows

    def now(self) -> float:
        """The daemon's time."""
        return time.time() + self._ahead

    def first(self, most: int | None = None, *, stuck: bool = False) -> list[Row]:
        """What somebody should look at first: stuck machines, warned ones, those that boot, those that have booted."""
        rows = self._ordered()
        return (rows[: self._stuck] if stuck else rows)[:most]

    def count(self, *, stuck: bool = False) -> int:
        """How many rows there are, or how many of them are stuck."""
        rows = self._ordered()
        return self._stuck if stuck else len(rows)

    def totals(self) -> str:
        """One line: how many there are of each kind."""
        rows = self.rows.values()
        words = [
            f"{len(rows)} machine{'' if len(rows) == 1 else 's'}",
            _counted(sum(map(_goes_on, rows)), "booting"),
            _counted(self.count(stuck=True), "stuck"),
            _counted(sum(row["severity"] == Severity.WARNING for row in rows), "with a warning"),
        ]
        return ", ".join(filter(None, words))

    def _ordered(self) -> list[Row]:
        """All rows, those that are stuck before all others; sorted once for each change."""
        if self._sorted is None:
            self._sorted = sorted(self.rows.values(), key=_order)
            self._stuck = sum(map(is_stuck, self._sorted))
        return self._sorted

    def _row(self, cells: list[Any]) -> Row:
        return dict(zip(self._columns, cells, strict=True))


def is_stuck(row: Row) -> bool:
    """Whether the machine will not come up by itself."""
    return bool(row["severity"] == Severity.STUCK)


def _goes_on(row: Row) -> bool:
    return row["stage"] is not None and not row["outcome"] and not is_stuck(row)


def stage_of(row: Row) -> str:
    """Where its boot is, or how it ended; "" for a machine that was not seen."""
    words = _ENDED.get(row["outcome"]) or row["stage"] or ""
    return f"{words}, held".removeprefix(", ") if row["held"] else words


def since(row: Row, now: float) -> str:
    """For how long."""
    return ago(now - row["since"]) if row["since"] else ""


def progress(row: Row) -> str:
    """How much of the file under way was sent."""
    sent, due = row["sent"], row["due"]
    if not due:
        return amount(sent) if sent else ""
    return f"{min(100, 100 * (sent or 0) // due)}% of {amount(due)}"


def verdict(row: Row) -> str:
    """What is wrong with its boot; "" for nothing."""
    return plain(row["verdict"] or "")


def name_of(row: Row) -> str:
    """As the inventory has it."""
    return plain(row["name"] if row["listed"] else f"{row['name']} (not listed)")


def ago(seconds: float) -> str:
    """A time that has passed, for people: "12 s", "4 min"."""
    seconds = max(0.0, seconds)
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} d"


def _order(row: Row) -> tuple[int, float, str]:
    if is_stuck(row):
        return 0, row["since"] or 0.0, row["name"]  # the one that waits longest comes first
    if row["severity"] == Severity.WARNING:
        return 1, -(row["began"] or 0.0), row["name"]
    if row["stage"] is None:
        return 4, 0.0, row["name"]
    return 3 if row["outcome"] else 2, -(row["began"] or 0.0), row["name"]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number else ""


def cells(rows: Iterable[Row], now: float) -> list[tuple[str, ...]]:
    """Those of a table with HEADS."""
    return [
        (name_of(row), row["profile"] or "-", stage_of(row), since(row, now), progress(row), verdict(row))
        for row in rows
    ]
