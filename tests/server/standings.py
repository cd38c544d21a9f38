"""A small keeper of standings in memory, and an API whose token is known: what the API's own tests need."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pxed.server.auth import Auth
from pxed.server.orders import OrderError
from pxed.status.records import Alert, Attempt, BootRecord, Standing, State
from tests.server.httpsite import INVENTORY, Site, serving

TOKEN = "2f6c1d9e0b7a4835" * 2
BEARER = f"Bearer {TOKEN}"
HELD = "node4"  # whose orders are refused


class Standings:
    """Holds rows and takes orders as they come."""

    def __init__(self) -> None:
        self.rows: dict[str, Standing] = {}
        self.all_boots: list[BootRecord] = []
        self.all_attempts: list[Attempt] = []
        self.all_alerts: list[Alert] = []
        self.orders: list[tuple[str, ...]] = []

    async def install(self, name: str, profile: str = "") -> Standing:
        return self._order("install", name, profile, state=State.WANTED, ordered=True, profile=profile)

    async def local(self, name: str) -> Standing:
        return self._order("local", name, state=State.LOCAL, ordered=True)

    async def reset(self, name: str) -> Standing:
        return self._order("reset", name, state=None, ordered=False)

    async def next(self, name: str, profile: str) -> Standing:
        return self._order("next", name, profile, next_profile=profile)

    def names(self) -> Iterable[str]:
        return self.rows

    def standing(self, name: str) -> Standing | None:
        return self.rows.get(name)

    def boots(self, name: str = "") -> Sequence[BootRecord]:
        return [boot for boot in self.all_boots if name in ("", boot.machine)]

    def attempts(self, name: str) -> Sequence[Attempt]:
        return [attempt for attempt in self.all_attempts if attempt.machine == name]

    def alerts(self, name: str = "") -> Sequence[Alert]:
        return [alert for alert in self.all_alerts if name in ("", alert.machine)]

    def stage(self, name: str) -> str:
        state = self.rows[name].state if name in self.rows else None
        return f"{state}, in words" if state else ""

    def _order(self, order: str, name: str, *words: str, **changes: object) -> Standing:
        if name == HELD:
            raise OrderError(f"{name} has no image to install.", 409)
        self.orders.append((order, name, *words))
        self.rows[name] = replace(self.rows.get(name, Standing(name)), **changes)  # type: ignore[arg-type]
        return self.rows[name]


def write_token(path: Path, token: str = TOKEN) -> Path:
    """A token's file as it should be."""
    path.write_text(f"{token}\n")
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def ordering(
    home: Path,
    standings: Standings | None = None,
    credential: Path | None = None,
    server: str = "api_token_file: token",
) -> AsyncIterator[Site]:
    """A server that takes orders with TOKEN, from the file `token` of the inventory's directory."""
    write_token(home / "token")
    text = INVENTORY.replace("data_dir: data", f"data_dir: data, {server}" if server else "data_dir: data")
    async with serving(home, text=text, machines=standings or Standings(), auth=Auth(credential)) as site:
        yield site
