"""Files that systemd hands to the service alone (systemd.exec(5), LoadCredential=): a command cannot read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pxed.errors import Problem
from pxed.inventory.model import Inventory
from pxed.server.apitoken import CREDENTIALS


def credential_notes(inventory: Inventory, environment: Mapping[str, str] = os.environ) -> Iterator[Problem]:
    """One for each file of the inventory that only the service can read."""
    for key, path in _files(inventory).items():
        if is_hidden(path, environment):
            text = f"{path} can be read inside the service only (LoadCredential=), which checks it at its start"
            yield Problem(inventory.path, 0, 0, key, text, warning=True)


def hidden_keys(inventory: Inventory) -> frozenset[str]:
    """The keys of those files."""
    return frozenset(note.key for note in credential_notes(inventory))


def is_hidden(path: Path, environment: Mapping[str, str]) -> bool:
    """Whether it is a credential of a service that this process is no part of, and that cannot be read here."""
    own = environment.get("CREDENTIALS_DIRECTORY", "")
    if not path.is_relative_to(CREDENTIALS) or (own and path.is_relative_to(own)):
        return False
    try:
        path.read_bytes()
    except OSError:
        return True
    return False


def _files(inventory: Inventory) -> dict[str, Path]:
    server, tls = inventory.server, inventory.server.http.tls
    named = {f"server.http.tls.{name}": getattr(tls, name, None) for name in ("certificate", "key", "ca")}
    return {key: path for key, path in {"server.api_token_file": server.api_token_file, **named}.items() if path}
