"""What machines install themselves from, and whether the state store is right about them afterwards.

The mirror is a stand-in of small files: the images themselves are not fetched here.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks import site
from pxed.inventory.loader import load
from pxed.status.records import State
from pxed.status.store import open_store
from tests.server.mirrored import NEW, publish

_BUTANE = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/worker
      contents:
        inline: {{ machine.name }} at {{ server.url }}
"""


def lay(home: Path, machines: int, server: str) -> Path:
    """The inventory of `machines` that install themselves; `server` has the fields of the daemon. Its path."""
    publish(home, NEW)
    (home / "node.bu").write_text(_BUTANE)
    config = home / "pxed.yaml"
    config.write_text(
        f"server: {{data_dir: data, script_only: true, mirror: {{interval: 30d}}, {server}}}\n"
        "images: {flatcar: {flatcar: {channel: stable}}}\n"
        "profiles:\n"
        "  node: {image: flatcar, boot: install, report: true,"
        " install: {disk: smallest, butane: node.bu, attempts: 8, backoff: 1s, deadline: 10m}}\n"
        "machines:\n"
        + "".join(f'  node{n}: {{mac: "{mac}", profile: node}}\n' for n, mac in enumerate(site.macs(machines), 1))
    )
    return config


def wrong(home: Path, machines: int) -> str:
    """What the store has lost or doubled; "" when each machine is installed once and boots its disk."""
    server = load(home / "pxed.yaml").server
    store = open_store(server.state, home / "data", read_only=True)
    try:
        standings = store.load().standings
        attempts = [attempt for name in standings for attempt in store.history(name).attempts]
    finally:
        store.close()
    states = Counter(standing.state for standing in standings.values())
    installed = Counter(attempt.machine for attempt in attempts if attempt.outcome == "installed")
    problems = [f"{count} machines are {state}" for state, count in states.items() if state is not State.LOCAL]
    problems += [] if states[State.LOCAL] == machines else [f"{states[State.LOCAL]} machines are local, not {machines}"]
    problems += [f"{name} was installed {count} times" for name, count in installed.items() if count != 1]
    problems += [] if len(installed) == machines else [f"{len(installed)} machines have an attempt that succeeded"]
    problems += [f"an attempt of {one.machine} is open" for one in attempts if not one.outcome]
    return ", ".join(problems[:5])
