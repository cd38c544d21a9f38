"""`pxed machines install|local|reset|next`: one order to one machine, several or all, and what each says to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxed.cli.client import Client, RefusedError, UnreachableError, client
from pxed.cli.tables import plain


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for. `content` is the body of each request."""

    what: str
    names: list[str]
    content: dict[str, str]
    every: bool = False
    yes: bool = False
    as_json: bool = False


def run(config: Path, server: str, token_file: Path | None, order: Order) -> int:
    """Give it; the exit code."""
    if not order.names and not order.every:
        return usage(f"{order.what} needs the name of a machine" + (", or --all" if order.what != "next" else ""))
    if order.names and order.every:
        return usage("either names or --all")
    return with_client(config, server, token_file, lambda daemon: _run(daemon, order))


def _run(daemon: Client, order: Order) -> int:
    names = list(dict.fromkeys(order.names)) or _every(daemon, order)
    if order.every and not order.yes:
        return usage(f"{order.what} --all means {len(names)} machines at {daemon.url}: say --yes if that is meant")
    views, refusals = [], 0
    for name in names:
        try:
            view = daemon.order(name, order.what, order.content)
        except RefusedError as error:
            refusals += 1
            print(f"{name}: {error}", file=sys.stderr)
            if error.status in (401, 403, 429):  # the same for all others
                break
            continue
        views.append(view)
        if not order.as_json:
            print(plain(_told(view)))
    if order.as_json:
        print(json.dumps({"machines": views}, indent=2, ensure_ascii=False))
    return 1 if refusals else 0


def _every(daemon: Client, order: Order) -> list[str]:
    """The listed machines that have an installation; every listed one where a profile is named."""
    machines = daemon.get("machines")["machines"]
    chosen: Iterable[dict[str, Any]] = (view for view in machines if view["install"] or "profile" in order.content)
    return [view["name"] for view in chosen if view["listed"]]


def _told(view: dict[str, Any]) -> str:
    once = f"boots {view['next']['profile']} once" if view["next"] else ""
    return f"{view['name']}: " + ("; ".join(words for words in (view["summary"], once) if words) or "done")


def with_client(config: Path, server: str, token_file: Path | None, act: Callable[[Client], int]) -> int:
    """Do something with the daemon; the exit code. Errors are said on standard error."""
    try:
        with client(config, server, token_file) as daemon:
            return act(daemon)
    except UnreachableError as error:
        return usage(str(error))
    except RefusedError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 1


def usage(sentence: str) -> int:
    """Bad use."""
    print(f"pxed: {sentence}", file=sys.stderr)
    return 2
