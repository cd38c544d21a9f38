"""kill -9 at any moment: what was acknowledged is there, each commit as a whole, and the next daemon can start."""

from __future__ import annotations

import subprocess
import sys
from random import Random

WRITER = """
import asyncio, sys
from pathlib import Path
from pxed.server.state import StateStore
from pxed.status.records import Setting, Standing

async def machine(store, name, number):
    while True:
        number += 1
        store.later(Standing(f"{name}-later", attempt=number))
        await store.commit(Standing(name, attempt=number), Setting(name, str(number)))
        print(name, number, flush=True)

async def main():
    store = await StateStore.start(sys.argv[1], Path(sys.argv[2]), print)
    await asyncio.gather(*(
        machine(store, name, store.contents.standings[name].attempt if name in store.contents.standings else 0)
        for name in "abcdefgh"
    ))

asyncio.run(main())
"""


def test_after_kill_9_all_that_was_acknowledged_is_there(place):
    random = Random(9)
    acknowledged = dict.fromkeys("abcdefgh", 0)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, place.state, str(place.data_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
            for _ in range(random.randint(1, 400)):
                name, number = writer.stdout.readline().split()
                acknowledged[name] = int(number)
            writer.kill()
            for line in writer.stdout:
                if line.endswith("\n"):
                    name, number = line.split()
                    acknowledged[name] = int(number)
            assert writer.stderr.read() == ""
        if place.state != "sqlite":
            wait_for_the_server(place)
        contents = place.open().load()
        place.close()
        for name, number in acknowledged.items():
            kept = contents.standings[name].attempt if name in contents.standings else 0
            assert number <= kept <= number + 1
            assert contents.settings[name].value == str(kept) if kept else name not in contents.settings
            if kept:
                assert contents.standings[f"{name}-later"].attempt >= kept


def wait_for_the_server(place) -> None:
    """It ends what a killed daemon had begun before it lets the next one in."""
    import psycopg

    with psycopg.connect(place.state, autocommit=True) as connection:
        others = "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'pxed'"
        connection.execute(others)
