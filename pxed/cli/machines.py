"""`pxed machines`: where each machine stands, and orders, through the running daemon's API.

Exit codes: 0 done, 1 the daemon refused, 2 bad use, or the daemon cannot be reached.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pxed.cli.completion import machines, profiles
from pxed.cli.options import DEFAULT_CONFIG, AsJson, Config, Server

app = typer.Typer(no_args_is_help=True)

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="PXED_API_TOKEN_FILE",
        help="File with the API's token. Left out, for this host's daemon: the inventory's, or /etc/pxed/api-token.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A machine's name, or a MAC.", autocompletion=machines)]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME...", help="Machines, by name or MAC.", autocompletion=machines),
]
All = Annotated[bool, typer.Option("--all", help="Every machine that has an installation. Needs --yes.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --all: it is meant.")]


@app.command("list")
def list_(
    state: Annotated[
        str, typer.Option(help="Only those: wanted, installing, installed, local, failed, or none of these: none.")
    ] = "",
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Every machine: what it boots, how far its installation and its boot are, and what is wrong."""
    from pxed.cli.machines_list import run

    raise typer.Exit(run(config, server, state, as_json))


@app.command()
def show(name: Name, config: Config = DEFAULT_CONFIG, server: Server = "", as_json: AsJson = False) -> None:
    """All that is known of one machine: what is wrong, its boot over time, installation, boots, alerts, events."""
    from pxed.cli.machines_show import run

    raise typer.Exit(run(config, server, name, as_json))


@app.command()
def install(
    names: Names = None,
    profile: Annotated[str, typer.Option(help="Instead of the machine's own profile.", autocompletion=profiles)] = "",
    every: All = False,
    yes: Yes = False,
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Install machines at their next boot, once. What is on the disk is lost."""
    from pxed.cli.machines_order import Order, run

    content = {"profile": profile} if profile else {}
    raise typer.Exit(run(config, server, token_file, Order("install", names or [], content, every, yes, as_json)))


@app.command()
def local(
    names: Names = None,
    every: All = False,
    yes: Yes = False,
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let machines boot their disks from now on."""
    from pxed.cli.machines_order import Order, run

    raise typer.Exit(run(config, server, token_file, Order("local", names or [], {}, every, yes, as_json)))


@app.command()
def reset(
    names: Names = None,
    every: All = False,
    yes: Yes = False,
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Forget installations and orders: what the inventory says counts again. With `boot: install` it installs."""
    from pxed.cli.machines_order import Order, run

    raise typer.Exit(run(config, server, token_file, Order("reset", names or [], {}, every, yes, as_json)))


@app.command("next")
def next_(
    names: Names = None,
    profile: Annotated[str, typer.Option(help="What the next boot gets.", autocompletion=profiles)] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take a one-shot boot back.")] = False,
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Boot machines with another profile once, at their next boot."""
    from pxed.cli.machines_order import Order, run, usage

    if bool(profile) == clear:
        raise typer.Exit(usage("next needs --profile NAME, or --clear to take a one-shot boot back"))
    raise typer.Exit(run(config, server, token_file, Order("next", names or [], {"profile": profile}, as_json=as_json)))
