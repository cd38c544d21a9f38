"""The live table of `pxed status` on a terminal: as many machines as fit, those first that somebody should look at."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pxed.cli.fleet import HEADS, Fleet, Row, cells, is_stuck
from pxed.cli.fleet_feed import Feed
from pxed.status.wordings import Severity

REDRAW_SECONDS = 0.2  # between two pictures at least
TICK_SECONDS = 1.0  # at most: times go on
VERDICT_LINES = 4  # of one machine
_MOST = (30, 14, 18, 7, 15)  # characters of the columns before the verdict, which has the rest
_LEAST_VERDICT = 24
_GAP = 2  # between two columns
_STYLES: dict[str, str] = {Severity.STUCK: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_ENDED = "green"
_STEPS = {b"\x1b[A": -1, b"k": -1, b"\x1b[B": 1, b"j": 1}  # arrows: one machine
_MOVES = {**_STEPS, b"\x1b[5~": -1, b"\x1b[6~": 1, b" ": 1}  # page up, page down, space: a screen of them


@dataclass(slots=True)
class Picture:
    """What is drawn, beside the rows."""

    url: str
    stuck: bool = False  # only those
    trouble: str = ""  # why changes do not come as they happen
    offset: int = 0  # machines above the first one that is shown

    def lines(self, fleet: Fleet, width: int, height: int) -> list[Text]:
        """Never more than `height`, none of them longer than `width`."""
        room = max(1, height - 4)
        total = fleet.count(stuck=self.stuck)
        self.offset = max(0, min(self.offset, total - 1))
        rows = fleet.first(self.offset + room, stuck=self.stuck)[self.offset :]
        table = cells(rows, fleet.now())
        widths = _widths([HEADS, *table], width)
        body: list[Text] = []
        shown = 0
        for row, columns in zip(rows, table, strict=True):
            block = _block(row, columns, widths, width)
            if len(body) + len(block) > room:
                break
            body += block
            shown += 1
        head = _line(HEADS, widths, ["bold"] * len(HEADS))
        lines = [self._title(fleet), self._below(), head, *body, self._foot(total - shown - self.offset)]
        return [_fitted(line, width) for line in lines][:height]

    def _title(self, fleet: Fleet) -> Text:
        style = _STYLES[Severity.STUCK] if fleet.count(stuck=True) else "bold"
        return Text.assemble(("pxed ", "bold"), self.url, ": ", (fleet.totals(), style))

    def _below(self) -> Text:
        return Text(f"not live, asked every 2 seconds: {self.trouble}" if self.trouble else "", "yellow")

    def _foot(self, more: int) -> Text:
        only = "only what is stuck; " if self.stuck else ""
        count = f"{more} more; " if more > 0 else ""
        return Text(f"{count}{only}s: stuck or all, arrows: move, q: quit", "dim")


def show(feed: Feed, fleet: Fleet, url: str, stuck: bool) -> int:
    """Draw until somebody presses q; the exit code."""
    console, picture = Console(), Picture(url, stuck)
    with _keys() as keys, Live(console=console, screen=True, auto_refresh=False, transient=True) as live:
        while True:
            for news in feed.take():
                fleet.take(news.whole, news.changes)
                picture.trouble = news.trouble or ("" if news.streaming else picture.trouble)
            live.update(Group(*picture.lines(fleet, console.width, console.height)), refresh=True)
            if _left(feed, keys, picture, console.height):
                return 0


def _left(feed: Feed, keys: int | None, picture: Picture, height: int) -> bool:
    """Wait for news, a key or the next second; whether the key says that it is enough."""
    drawn = time.monotonic()
    waited = [feed.wake] if keys is None else [feed.wake, keys]
    ready, _, _ = select.select(waited, [], [], TICK_SECONDS)
    if keys not in ready and (rest := drawn + REDRAW_SECONDS - time.monotonic()) > 0:
        ready, _, _ = select.select([] if keys is None else [keys], [], [], rest)
    return keys is not None and keys in ready and _pressed(keys, picture, height)


def _pressed(keys: int, picture: Picture, height: int) -> bool:
    typed = os.read(keys, 64)
    if typed in (b"s", b"S"):
        picture.stuck, picture.offset = not picture.stuck, 0
    picture.offset += _MOVES.get(typed, 0) * (1 if typed in _STEPS else max(1, height - 5))
    return typed in (b"q", b"Q", b"\x04", b"")


@contextmanager
def _keys() -> Iterator[int | None]:
    """Keys as they are pressed, unseen; None where nobody types."""
    if not sys.stdin.isatty():
        yield None
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _widths(table: list[tuple[str, ...]], width: int) -> list[int]:
    """Of the columns before the verdict, as their cells need; 0 for one that a narrow terminal has no room for."""
    widths = [min(most, max(map(len, column))) for most, column in zip(_MOST, zip(*table, strict=True), strict=False)]
    for column in (1, 4, 3):
        if _indent(widths) + _LEAST_VERDICT > width:
            widths[column] = 0
    return widths


def _indent(widths: list[int]) -> int:
    return sum(width + _GAP for width in widths if width)


def _block(row: Row, columns: tuple[str, ...], widths: list[int], width: int) -> list[Text]:
    """A machine: one line, and more where its verdict needs them."""
    style = _STYLES.get(row["severity"] or "", _ENDED if row["outcome"] else "")
    styles = ["bold" if is_stuck(row) else "", "dim", style, "", "", style]
    indent = _indent(widths)
    verdict = _wrapped(columns[-1], max(_LEAST_VERDICT, width - indent))
    first = _line((*columns[:-1], verdict[0]), widths, styles)
    return [first, *(Text(" " * indent + line, style) for line in verdict[1:])]


def _line(columns: tuple[str, ...], widths: list[int], styles: list[str]) -> Text:
    line = Text()
    for text, size, style in zip(columns, widths, styles, strict=False):
        if size:
            cell = Text(text, style)
            cell.truncate(size, overflow="ellipsis", pad=True)
            line.append_text(cell).append(" " * _GAP)
    return line.append(columns[-1], styles[-1])


def _wrapped(text: str, width: int) -> list[str]:
    """A sentence in lines; what is too long is cut."""
    if not text:
        return [""]
    lines = [line.plain.rstrip() for line in Text(text).wrap(_MEASURE, width)]
    if len(lines) > VERDICT_LINES:
        lines = [*lines[: VERDICT_LINES - 1], f"{lines[VERDICT_LINES - 1][: width - 1]}…"]
    return lines


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line


_MEASURE = Console(width=200)
