"""The command line: one module per command group; the only reader of argv and the environment.

Modules are imported when their command runs, so that `pxed serve` is ready in a fraction of a second.
"""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from pxed.cli import completion
from pxed.cli.images import app as images
from pxed.cli.machines import app as machines
from pxed.cli.options import DEFAULT_CONFIG, AsJson, Config, Server
from pxed.cli.pflags import ButaneCommand

WHATS = ("script", "ignition", "cmdline", "system")

app = typer.Typer(
    name="pxed",
    help="Boot bare metal: ProxyDHCP, TFTP and HTTP from one YAML machine inventory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(images, name="images", help="The mirror of Flatcar releases.")
app.add_typer(machines, name="machines", help="Where machines stand, and orders to install, through the daemon.")


@app.command()
def serve(
    config: Config = DEFAULT_CONFIG,
    log_format: Annotated[str, typer.Option(help="text, json, or journal (fields for journald).")] = "auto",
    log_level: Annotated[str, typer.Option(help="debug, info or warning.")] = "info",
) -> None:
    """Run the daemon."""
    gc.disable()  # until READY: a start makes hardly any garbage, and looking for it takes 70 ms
    from pxed.cli.serve import run

    raise typer.Exit(run(config, log_format, log_level))


@app.command()
def check(
    config: Config = DEFAULT_CONFIG,
    host: Annotated[
        bool, typer.Option("--host", help="Also look for what of this host keeps pxed from serving; as root, best.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Validate the inventory, the templates of every machine, and what they refer to."""
    from pxed.cli.check import run

    raise typer.Exit(run(config, as_json, host))


@app.command()
def status(
    once: Annotated[bool, typer.Option("--once", help="Print the table once, on a terminal too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Print a line for each change, until it is ended.")] = False,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only machines that are stuck.")] = False,
    config: Config = DEFAULT_CONFIG,
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Every machine's boot, live: stage, since when, how far, and what is wrong. 1 if a machine is stuck."""
    from pxed.cli.status import Wanted, run

    raise typer.Exit(run(config, server, Wanted(once, watch, stuck, as_json)))


@app.command()
def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MACHINE|MAC|CAPTURE", help="A machine, a MAC, or a .pcap file.", autocompletion=completion.machines
        ),
    ],
    config: Config = DEFAULT_CONFIG,
    arch: Annotated[
        int | None, typer.Option(help="Option 93 of the client: 0 BIOS, 7 UEFI x64, 11 ARM64, 16 HTTP.")
    ] = None,
    ipxe: Annotated[bool, typer.Option("--ipxe", help="Only what iPXE would get.")] = False,
    address: Annotated[str, typer.Option(help="pxed's address as the machine sees it.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the daemon what it has seen.")] = False,
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """What the daemon sees of a machine's boot and why it is stuck; then what pxed would answer, stage by stage."""
    from pxed.cli.explain import Asking, run

    raise typer.Exit(run(subject, config, arch, ipxe, address, as_json, Asking(offline, server)))


@app.command()
def render(
    machine: Annotated[str, typer.Argument(help="A machine's name or MAC.", autocompletion=completion.machines)],
    what: Annotated[
        str, typer.Argument(metavar="script|ignition|cmdline|system", autocompletion=completion.words(*WHATS))
    ],
    config: Config = DEFAULT_CONFIG,
    arch: Annotated[int, typer.Option(help="Option 93 of the client.")] = 7,
    address: Annotated[str, typer.Option(help="pxed's address as the machine sees it.")] = "",
) -> None:
    """Print exactly what a machine would get, with TOKEN for secrets; `system`: the config of what is installed."""
    from pxed.cli.render import run

    raise typer.Exit(run(machine, what, config, arch, address))


@app.command(cls=ButaneCommand)
def butane(
    inputs: Annotated[list[str] | None, typer.Argument(metavar="[FILE]", help="The config; without it, stdin.")] = None,
    check: Annotated[bool, typer.Option("-c", "--check", help="Check the config without producing output.")] = False,
    color: Annotated[str, typer.Option("--color", "--colour", help="auto, always or never.")] = "auto",
    files_dir: Annotated[str, typer.Option("-d", "--files-dir", help="Where local files may be embedded from.")] = "",
    input_file: Annotated[str, typer.Option("--input", hidden=True)] = "",
    output: Annotated[str, typer.Option("-o", "--output", help="Write to a file instead of stdout.")] = "",
    pretty: Annotated[bool, typer.Option("-p", "--pretty", help="Indent the JSON.")] = False,
    raw: Annotated[bool, typer.Option("-r", "--raw", help="No effect for Flatcar configs.")] = False,
    raw_errors: Annotated[bool, typer.Option("--raw-errors", help="One line for each error and warning.")] = False,
    strict: Annotated[bool, typer.Option("-s", "--strict", help="Fail on any warning.")] = False,
    version: Annotated[bool, typer.Option("-V", "--version", help="Print the version.")] = False,
) -> None:
    """Translate a Butane config (variant flatcar) to Ignition."""
    from pxed.cli.butane import Options, run, show_version

    if version:
        raise typer.Exit(show_version())
    names = [*([input_file] if input_file else []), *(inputs or [])]
    raise typer.Exit(run(names, Options(check, color, files_dir, output, pretty, raw_errors, strict)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the inventory, for editors."""
    from pxed.cli.schema import run

    raise typer.Exit(run())


def _version(wanted: bool) -> None:
    if wanted:
        from pxed import __version__

        typer.echo(f"pxed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Boot bare metal: ProxyDHCP, TFTP and HTTP from one YAML machine inventory."""


def main() -> None:
    """The console script."""
    app()
