"""What a database does for a store beyond SQL: is found, is held by one daemon, says in plain words what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection

from pxed.status.store.errors import StoreError


class Backend(Protocol):
    """One database. Everything raises StoreError, or what `trouble` makes one of."""

    where: str  # how sentences name it; without the password
    errors: tuple[type[Exception], ...]  # of its driver
    upsert: Callable[..., Any]  # the dialect's insert(), with on_conflict_do_update

    def connect(self) -> Connection:
        """A connection to the store that is there, held for this daemon alone unless it only reads."""

    def trouble(self, error: Exception) -> StoreError:
        """The sentence for an error of the driver."""

    def close(self) -> None:
        """Let the database go."""
