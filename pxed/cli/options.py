"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/pxed/pxed.yaml")

# Not readable=True, which is the default: what to do about a file that cannot be read is said by who reads it.
Config = Annotated[Path, typer.Option("-c", "--config", metavar="FILE", readable=False, help="The inventory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Server = Annotated[
    str,
    typer.Option("--server", metavar="URL", envvar="PXED_SERVER", help="The daemon. Left out: this host's, by -c."),
]
