"""`pxed images`: the mirror of Flatcar releases.

Exit codes: 0 all is well, 1 something failed, 2 bad use, 130 interrupted.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pxed.cli.completion import images as names
from pxed.cli.options import DEFAULT_CONFIG, AsJson, Config

app = typer.Typer(no_args_is_help=True)

Image = Annotated[str, typer.Argument(help="An image of the inventory.", autocompletion=names)]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for another process that writes the mirror.")]


@app.command()
def sync(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]...", help="Only these images.", autocompletion=names)
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happens, one JSON object per line.")] = False,
    wait: Wait = False,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="End with standard input: the daemon's.")] = False,
) -> None:
    """Bring the mirror up to date: download, verify, publish. An interrupted download is resumed by the next sync."""
    from pxed.cli.images_sync import run

    raise typer.Exit(run(config, images or [], as_json=as_json, wait=wait, child=child))


@app.command("list")
def list_(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What each image, profile and machine boots, what is newer, and what each machine booted last."""
    from pxed.cli.images_list import run

    raise typer.Exit(run(config, as_json))


@app.command()
def verify(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check digests and signatures of everything in the mirror again."""
    from pxed.cli.images_verify import run

    raise typer.Exit(run(config, as_json))


@app.command()
def prune(
    config: Config = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed, and why not.")] = False,
    as_json: AsJson = False,
    wait: Wait = False,
) -> None:
    """Remove versions beyond server.mirror.keep that no image names and no machine is booting."""
    from pxed.cli.images_prune import run

    raise typer.Exit(run(config, dry_run=dry_run, as_json=as_json, wait=wait))


@app.command()
def promote(
    image: Image,
    version: Annotated[str, typer.Argument(help="Instead of the newest; one that was rolled back, too.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Let all machines boot the version that so far only the canaries boot."""
    from pxed.cli.images_rollout import run_promote

    raise typer.Exit(run_promote(config, image, version, as_json))


@app.command()
def rollback(image: Image, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Refuse the newest version for ever, and boot the one before it."""
    from pxed.cli.images_rollout import run_rollback

    raise typer.Exit(run_rollback(config, image, as_json))
