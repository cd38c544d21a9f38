"""Places for stores in tests, and rows to put there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pxed.status.records import (
    Alert,
    Attempt,
    Booted,
    BootRecord,
    FirstBoot,
    Purpose,
    Setting,
    Spent,
    Standing,
    State,
    Timeline,
    Token,
)
from pxed.status.store import Store, open_store

FUTURE = 4_000_000_000.0
ONE_OF_EACH = (
    Standing(
        "node1", ("52:54:00:00:00:01", "52:54:00:00:00:02"), State.INSTALLING, True, "other", 1.5, 2, "b1", 3.25, 4.125,
        "the disk is gone", "4593.2.5", "rescue", "b2", True,
    ),
    Standing("node2"),
    Attempt("node1", "b1", 2, 10.5, 20.25, "failed", "the disk is gone", "4593.2.5"),
    BootRecord("b1", "node1", "52:54:00:00:00:01", "10.0.0.9", 1.0, "web", "install", 9.0, "running", 2.0, "", "1", 9),
    Token("aa" * 32, "node1", "b1", Purpose.SYSTEM, 10.5, FUTURE, True, Spent.SERVING, "10.0.0.9"),
    Booted("node1", "stable", "4593.2.5", "ab" * 64, "cd" * 64, 11.0),
    FirstBoot("node1", "LABEL=ROOT", 12.0, ("52:54:00:00:00:01",)),
    Alert("0000000000001-aa", 13.0, "node1", "52:54:00:00:00:01", "10.0.0.9", "replay", "asked twice"),
    Timeline("0000abcd", "node1", "52:54:00:00:00:01", 14.5, 15.25, "stuck", "no-dhcp-server", '{"id": "0000abcd"}'),
    Setting("token-key", "secret"),
)  # fmt: skip


@dataclass
class Place:
    """A database that is pxed's alone."""

    state: str
    data_dir: Path
    opened: list[Store] = field(default_factory=list)

    def open(self, *, read_only: bool = False) -> Store:
        """One more store here; it is closed with the place."""
        store = open_store(self.state, self.data_dir, read_only=read_only)
        self.opened.append(store)
        return store

    def close(self) -> None:
        """Close all that were opened."""
        while self.opened:
            self.opened.pop().close()

    def again(self) -> Store:
        """As after a restart."""
        self.close()
        return self.open()
