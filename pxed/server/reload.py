"""Reload: by SIGHUP, or when a file of the inventory changed. A bad inventory changes nothing, and says why."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import Path

from pxed.errors import ConfigError
from pxed.events import Emit, Event, Kind, Level
from pxed.inventory.model import Inventory, Server
from pxed.server.live import Live
from pxed.server.load import load_snapshot
from pxed.server.systemd import Manager

# What sockets and open files were made from at start: the old value stays in force until a restart.
FIXED_AT_START = ("interfaces", "data_dir", "dhcp", "tftp", "http", "history")
PROBLEMS_SHOWN = 20

Stamp = tuple[int, int, int] | None


class Reloader:
    """Watches the files of the live snapshot and replaces it."""

    def __init__(
        self,
        path: Path,
        live: Live,
        emit: Emit,
        manager: Manager,
    ) -> None:
        self._path = path
        self._live = live
        self._emit = emit
        self._manager = manager
        self._requested = False
        self._loaded = self._settling = self._stamps()

    def request(self) -> None:
        """Reload at the next look, whether or not a file changed (SIGHUP).

        systemd is told at once: what asked for it (ExecReload=) may end before that look.
        """
        self._requested = True
        self._manager.reloading()

    async def look(self) -> bool:
        """Reload if it was asked for, or if files changed and then stayed the same since the last look."""
        now = self._stamps()
        self._loaded = {**now, **self._loaded}  # a config that is made later may bring files of its own
        settled = now == self._settling
        self._settling = now
        if not self._requested and (now == {path: self._loaded[path] for path in now} or not settled):
            return False
        self._requested = False
        self._loaded = now
        return await self._reload()

    async def _reload(self) -> bool:
        self._manager.reloading()
        try:
            return await self._replaced()
        finally:
            self._manager.notify("READY=1")

    async def _replaced(self) -> bool:
        old = self._live.snapshot
        try:
            new = await asyncio.to_thread(load_snapshot, self._path, old.generation + 1, known=old.good)
        except ConfigError as error:
            self._refused(error)
            return False
        server = self._kept(old.inventory.server, new.inventory.server)
        self._live.snapshot = dataclasses.replace(new, inventory=dataclasses.replace(new.inventory, server=server))
        self._loaded = self._settling = self._stamps()
        self._say(Kind.RELOADED, f"inventory reloaded: {_difference(old.inventory, new.inventory)}", Level.INFO)
        for warning in new.warnings[:PROBLEMS_SHOWN]:
            self._say(Kind.NOTICE, str(warning), Level.WARNING)
        return True

    def _refused(self, error: ConfigError) -> None:
        first, count = error.problems[0], len(error.problems)
        more = f" (and {count - 1} more)" if count > 1 else ""
        self._say(Kind.RELOAD_FAILED, f"the old inventory stays in force: {first}{more}", Level.WARNING)
        for problem in error.problems[1:PROBLEMS_SHOWN]:
            self._say(Kind.RELOAD_FAILED, str(problem), Level.WARNING)
        if any(problem.unreadable for problem in error.problems):
            from pxed.server.host.remedies import remedies  # only where something is wrong

            for sentence in remedies(error)[:PROBLEMS_SHOWN]:
                self._say(Kind.RELOAD_FAILED, sentence, Level.WARNING)

    def _kept(self, old: Server, new: Server) -> Server:
        changed = [name for name in FIXED_AT_START if getattr(old, name) != getattr(new, name)]
        if changed:
            names = ", ".join(f"server.{name}" for name in changed)
            self._say(Kind.NOTICE, f"{names} changed: restart pxed for it, the old value stays in force", Level.WARNING)
        return new.model_copy(update={name: getattr(old, name) for name in FIXED_AT_START})

    def _stamps(self) -> dict[Path, Stamp]:
        return {path: _stamp(path) for path in {self._path, *self._live.snapshot.files}}

    def _say(self, kind: Kind, text: str, level: Level) -> None:
        self._emit(Event(kind, time.time(), text=text, level=level))


def _stamp(path: Path) -> Stamp:
    """What changes when a file is written in place or replaced; None for one that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _difference(old: Inventory, new: Inventory) -> str:
    added = len(new.machines.keys() - old.machines.keys())
    removed = len(old.machines.keys() - new.machines.keys())
    return f"{len(new.machines)} machines, {added} added, {removed} removed"
