"""`pxed-probe`: act as a PXE client against any server, and explain what is on a wire. A program of its own.

Exit codes: 0 good, 1 a verdict of failure, 2 bad use or not permitted. Modules are imported when their command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="pxed-probe",
    help="Act as a PXE client against any boot server, and explain what is on a wire.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Interface = Annotated[str, typer.Option("-i", "--interface", metavar="IFACE", help="The interface of the network.")]
As = Annotated[
    str,
    typer.Option(
        "--as", metavar="CLIENT", help="bios, uefi, uefi32, arm64, riscv64, http, http-arm64, ipxe, ipxe-bios, "
        "ipxe-arm64, or a number of option 93."
    ),
]  # fmt: skip
Mac = Annotated[str, typer.Option(help="The MAC to have: of a machine that is switched off. Default: one made up.")]
Uuid = Annotated[str, typer.Option(help="The UUID to send (option 97).")]
Plain = Annotated[
    bool, typer.Option("--plain", help="Use the interface itself with its own MAC, instead of a macvlan of it.")
]
Wait = Annotated[float, typer.Option("--timeout", min=0.2, help="Seconds to wait for offers.")]
Server = Annotated[str, typer.Option(help="The address of the PXE server that is meant to answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def dhcp(
    interface: Interface,
    client: As = "uefi",
    mac: Mac = "",
    uuid: Uuid = "",
    timeout: Wait = 4.0,
    server: Server = "",
    lease: Annotated[
        bool, typer.Option(help="Take a lease and ask port 4011 where the firmware would; it is given back.")
    ] = True,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Ask as a client's firmware, list every server that answers, and judge the answers as that firmware would."""
    from pxed.probe.commands import Who, run_dhcp

    raise typer.Exit(run_dhcp(Who(interface, client, mac, uuid, plain), timeout, server, lease, as_json))


@app.command()
def tftp(
    server: Annotated[str, typer.Argument(help="The server's IPv4 address, or ADDRESS:PORT.")],
    file: Annotated[str, typer.Argument(help="The file's name.")],
    blksize: Annotated[int, typer.Option(min=8, max=65464, help="Bytes of a block to ask for; 512: none.")] = 1468,
    windowsize: Annotated[int, typer.Option(min=1, max=65535, help="Blocks at a time (RFC 7440).")] = 1,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until it asks again.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Write the file here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a file by TFTP: size, time, what was negotiated, what the file is, or why it does not come."""
    from pxed.probe.commands import run_tftp

    raise typer.Exit(run_tftp(server, file, blksize, windowsize, out, timeout, as_json))


@app.command()
def http(
    url: Annotated[str, typer.Argument(help="An http or https URL.")],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds without a byte.")] = 10.0,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the certificate.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask HEAD, GET and a range of a URL, and judge the answers as UEFI HTTP Boot and iPXE need them."""
    from pxed.probe.commands import run_http

    raise typer.Exit(run_http(url, timeout, insecure, as_json))


@app.command()
def boot(
    interface: Interface,
    client: As = "uefi",
    mac: Mac = "",
    uuid: Uuid = "",
    serial: Annotated[str, typer.Option(help="The serial number that iPXE tells.")] = "",
    timeout: Wait = 4.0,
    server: Server = "",
    ignition: Annotated[
        bool, typer.Option("--ignition", help="Fetch the Ignition config too. A config for one boot is used up by it.")
    ] = False,
    report: Annotated[str, typer.Option(help="Report this at the end, as the machine would: running, failed ...")] = "",
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Play a whole boot against any PXE server: every stage with its verdict. Files are fetched whole, none is run."""
    from pxed.probe.commands import BootOptions, Who, run_boot

    options = BootOptions(serial, timeout, server, ignition, report)
    raise typer.Exit(run_boot(Who(interface, client, mac, uuid, plain), options, as_json))


@app.command()
def watch(
    interface: Interface,
    seconds: Annotated[float, typer.Option(min=0, help="For so long; 0: until it is interrupted.")] = 0.0,
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Explain a wire live: every packet of a boot as a sentence, rival servers, and why a boot stands still."""
    from pxed.probe.telling import run_watch

    raise typer.Exit(run_watch(interface, seconds, server, as_json))


@app.command()
def pcap(
    file: Annotated[Path, typer.Argument(help="A capture: pcap or pcapng, plain or gzipped.")],
    server: Server = "",
    after: Annotated[
        float, typer.Option(min=0, help="Seconds of silence that are taken to follow the last packet.")
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """The same from a capture, with the verdict of each boot in it."""
    from pxed.probe.telling import run_pcap

    raise typer.Exit(run_pcap(file, server, after, as_json))


def _version(wanted: bool) -> None:
    if wanted:
        from pxed import __version__

        typer.echo(f"pxed-probe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Act as a PXE client against any boot server, and explain what is on a wire."""


def main() -> None:
    """The console script."""
    app()
