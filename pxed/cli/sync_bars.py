"""A sync on a terminal: a bar for each file with bytes, rate and time left. What was done stays, as plain lines."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pxed.assets.mirror import events
from pxed.cli.sync_reports import say


class Bars:
    """Draws the events of a sync."""

    def __init__(self) -> None:
        self._console = Console()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._tasks: dict[tuple[str, str, str, str], TaskID] = {}
        self._bars.start()

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Progress):
            self._progress(event)
        else:
            say(event, self._tell)

    def close(self) -> None:
        """Take the bars away."""
        self._bars.stop()

    def _progress(self, event: events.Progress) -> None:
        key = (event.channel, event.arch, event.version, event.file)
        total = event.total or None
        if key not in self._tasks:
            name = f"{event.version} {event.file.removeprefix('flatcar_production_')}"
            self._tasks[key] = self._bars.add_task(name, total=total, completed=event.done)
        self._bars.update(self._tasks[key], total=total, completed=event.done)

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)
