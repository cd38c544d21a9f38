"""From the inventory's path to a snapshot that can be served. What can be wrong is found here, before it is used."""

from __future__ import annotations

from pathlib import Path

from pxed.boot.lint import command_line_problems
from pxed.errors import ConfigError
from pxed.ignition.config import load_configs
from pxed.inventory.loader import load, located
from pxed.server.live import Snapshot


def load_snapshot(path: Path, generation: int = 1) -> Snapshot:
    """The snapshot of the inventory at `path`. Raises ConfigError with every problem."""
    inventory = load(path)
    problems = located(command_line_problems(inventory), path)
    try:
        configs = load_configs(inventory, Path.read_bytes)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if problems:
        raise ConfigError(problems)
    return Snapshot(inventory, configs, generation)
