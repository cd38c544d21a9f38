"""One worker of the `state` cases: commits transitions of machines for a while, then reads back what is there.

`python -m benchmarks.statework pxed|plain STATE DATA_DIR COMMITTERS SECONDS` prints JSON: how many commits were
acknowledged, in how many seconds, and how many machines were not as acknowledged; then it waits for its end. `plain` is
the loop that anybody would write: one row in one transaction, by the database's own driver, as durable as pxed's.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pxed.server.state import StateStore
from pxed.status.records import Standing, State
from pxed.status.store import open_store

_TABLE = "CREATE TABLE plain (machine TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, attempt BIGINT NOT NULL)"
_UPSERT = (
    "INSERT INTO plain (machine, state, attempt) VALUES ({0}, {0}, {0})"
    " ON CONFLICT (machine) DO UPDATE SET state = excluded.state, attempt = excluded.attempt"
)


async def _pxed(state: str, data_dir: Path, committers: int, seconds: float) -> tuple[dict[str, int], float]:
    store = await StateStore.start(state, data_dir, lambda event: None)
    acknowledged: dict[str, int] = {}
    began = time.monotonic()

    async def machine(name: str) -> None:
        number = 0
        while time.monotonic() < began + seconds:
            number += 1
            await store.commit(Standing(name, state=State.INSTALLING, attempt=number))
            acknowledged[name] = number

    await asyncio.gather(*(machine(f"node{number}") for number in range(committers)))
    spent = time.monotonic() - began
    await store.close()
    return acknowledged, spent


def _plain(commit: Callable[[str, int], None], seconds: float) -> tuple[dict[str, int], float]:
    acknowledged: dict[str, int] = {}
    began, number = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        number += 1
        commit(f"node{number % 1000}", number)
        acknowledged[f"node{number % 1000}"] = number
    return acknowledged, time.monotonic() - began


def _sqlite(data_dir: Path, seconds: float) -> tuple[dict[str, int], float, dict[str, int]]:
    connection = sqlite3.connect(data_dir / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)
    upsert = _UPSERT.format("?")
    done = _plain(lambda name, number: connection.execute(upsert, (name, "installing", number)) and None, seconds)
    return *done, dict(connection.execute("SELECT machine, attempt FROM plain").fetchall())


def _postgresql(url: str, seconds: float) -> tuple[dict[str, int], float, dict[str, int]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE)
        upsert = _UPSERT.format("%s").encode()
        done = _plain(lambda name, number: connection.execute(upsert, (name, "installing", number)) and None, seconds)
        return *done, dict(connection.execute("SELECT machine, attempt FROM plain").fetchall())


def main(contender: str, state: str, data_dir: Path, committers: int, seconds: float) -> None:
    """Print the result."""
    if contender == "pxed":
        acknowledged, spent = asyncio.run(_pxed(state, data_dir, committers, seconds))
        store = open_store(state, data_dir, read_only=True)
        found = {name: standing.attempt for name, standing in store.load().standings.items()}
        store.close()
    elif state == "sqlite":
        acknowledged, spent, found = _sqlite(data_dir, seconds)
    else:
        acknowledged, spent, found = _postgresql(state, seconds)
    commits = sum(acknowledged.values()) if contender == "pxed" else max(acknowledged.values())
    lost = sum(found.get(name) != number for name, number in acknowledged.items())
    print(json.dumps({"commits": commits, "seconds": spent, "lost": lost}), flush=True)
    signal.pause()  # it is weighed, then ended


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
