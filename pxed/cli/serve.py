"""`pxed serve`: the daemon. Exit codes: 0 after SIGTERM, 1 for a bad inventory, 2 when the host does not let it run, 3
when the state's database is away: systemd then tries again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from pxed.errors import ConfigError, HostError, PxedError
from pxed.events import Event, Kind, Level
from pxed.inventory.model import Server
from pxed.server.apitoken import api_token
from pxed.server.app import Daemon, State, open_state
from pxed.server.bus import Bus, LogWriter, as_json, as_text
from pxed.server.handed import Handed
from pxed.server.handover import Incoming
from pxed.server.journald import JournalStream, as_entry, listens
from pxed.server.live import Snapshot
from pxed.server.load import load_snapshot
from pxed.server.redact import guard_crashes, guard_log
from pxed.server.sockets import Sockets, open_all
from pxed.server.systemd import Manager, listen_fds, manager
from pxed.status.journal import Journal
from pxed.status.store.errors import StoreError, Trouble

CHECKED_AT_START = 50  # machines whose own config is made before READY, 4 ms each; the others follow in the background
AWAY_SECONDS = 60.0  # for the state's database to come up; systemd waits 90 for READY
AWAY_PAUSE = 2.0
_STDERR = 2
_FORMATS = {"text": as_text, "json": as_json, "journal": as_entry}


def run(config: Path, log_format: str, log_level: str) -> int:
    """Serve until SIGTERM; the exit code."""
    name = ("journal" if listens(os.environ, _STDERR) else "text") if log_format == "auto" else log_format
    if name not in _FORMATS or log_level.upper() not in Level.__members__:
        return _fail(f"--log-format is one of {', '.join(_FORMATS)}; --log-level one of debug, info, warning", 2)
    told = manager(os.environ, os.getpid())
    handed = Handed.of(told, listen_fds(os.environ, os.getpid()))
    try:
        snapshot = load_snapshot(config, at_once=CHECKED_AT_START)
        sockets = open_all(snapshot.inventory.server, handed.sockets(), handed.kept)
    except ConfigError as error:
        return _fail(_with_remedies(str(error), error), 1)
    except HostError as error:
        return _fail(_with_remedies(f"pxed: {error}", error), 2)
    guard_log()
    guard_crashes()
    about = Started(config, snapshot, sockets, told, handed.incoming)
    return asyncio.run(_serve(about, name, Level[log_level.upper()]))


class Started(NamedTuple):
    """What a daemon is made of."""

    config: Path
    snapshot: Snapshot
    sockets: Sockets
    told: Manager
    incoming: Incoming


async def _serve(started: Started, log_format: str, level: Level) -> int:
    config, snapshot, sockets, told, incoming = started
    stream = JournalStream(sys.stderr.buffer) if log_format == "journal" else None
    bus = Bus(Journal(), LogWriter(stream), _FORMATS[log_format], level)
    credential = api_token(os.environ)
    try:
        state = await _opened(snapshot, bus)
    except StoreError as error:
        bus.close()
        sockets.close()
        text = _with_remedies(f"pxed: {error}", error, snapshot.inventory.server)
        return _fail(text, 3 if error.trouble is Trouble.AWAY else 2)
    await Daemon(config, state, sockets, bus, told, credential=credential, incoming=incoming).run()
    return 0


async def _opened(snapshot: Snapshot, bus: Bus) -> State:
    """The state, also from a database that comes up after pxed. Raises StoreError."""
    deadline, told = time.monotonic() + AWAY_SECONDS, False
    while True:
        try:
            return await open_state(snapshot, bus.emit)
        except StoreError as error:
            if error.trouble is not Trouble.AWAY or time.monotonic() > deadline:
                raise
            if not told:
                text = f"{error}; trying for {AWAY_SECONDS:.0f} seconds"
                bus.emit(Event(Kind.NOTICE, time.time(), text=text, level=Level.WARNING))
            told = True
            await asyncio.sleep(AWAY_PAUSE)


def _with_remedies(text: str, error: PxedError, server: Server | None = None) -> str:
    """With what to do on this host, in the words of `pxed check --host`."""
    from pxed.server.host.remedies import remedies  # only where something is wrong

    return "\n".join([text, *(f"pxed: {sentence}" for sentence in remedies(error, server))])


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
