"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/pxed/pxed.yaml")

Config = Annotated[Path, typer.Option("-c", "--config", metavar="FILE", help="The inventory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Server = Annotated[
    str,
    typer.Option("--server", metavar="URL", envvar="PXED_SERVER", help="The daemon. Left out: this host's, by -c."),
]
