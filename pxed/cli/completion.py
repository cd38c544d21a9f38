"""Names of the inventory for the shell's completion. Read, not checked: a shell waits for it at each TAB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from pxed.cli.options import DEFAULT_CONFIG


def names_of(section: str) -> Callable[[typer.Context, str], list[str]]:
    """What typer asks: the names of a section, "machines", of the inventory that the command line has; nothing rather
    than an error.
    """

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        from pxed.inventory.yamltext import Faulty, read

        try:
            data: Any = read((context.params.get("config") or DEFAULT_CONFIG).read_text())
        except (Faulty, OSError):
            return []
        found = data.get(section) if isinstance(data, dict) else None
        return [name for name in found if name.startswith(incomplete)] if isinstance(found, dict) else []

    return complete


def words(*known: str) -> Callable[[str], list[str]]:
    """The same for an argument that is one of a few words."""
    return lambda incomplete: [word for word in known if word.startswith(incomplete)]


machines, profiles, images = names_of("machines"), names_of("profiles"), names_of("images")
