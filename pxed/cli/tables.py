"""Tables: fitted to the terminal on a terminal, one unbroken line a row for pipes and for many rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

MANY = 500  # rows; rich takes a millisecond for each


def plain(text: str) -> str:
    """Text of machines and peers as a terminal may have it: a file's name can hold anything."""
    return "".join(character if character.isprintable() else "?" for character in text)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their heads, to standard output."""
    lines = [tuple(heads), *map(tuple, rows)]
    if sys.stdout.isatty() and len(lines) <= MANY:
        _print_fitted(lines)
    else:
        _print_unbroken(lines)


def _print_unbroken(lines: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_fitted(lines: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heads, *rows = lines
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
