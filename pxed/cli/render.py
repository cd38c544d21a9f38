"""`pxed render`: exactly what a machine would get. Exit codes: 0, 1 when it gets nothing to boot, 2 for bad use.

In place of each secret, which every boot gets anew, stands TOKEN.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pxed.architecture import name_of
from pxed.boot.page import page_for
from pxed.cli.installation import booted, course_of, installed
from pxed.cli.subject import find_subject, local_endpoint, mirrored_release
from pxed.errors import ConfigError, PxedError
from pxed.ignition.config import IgnitionError
from pxed.ignition.snippet import SnippetError
from pxed.inventory.lookup import Match, Unmatched, resolve
from pxed.server.load import load_snapshot


class NothingToRenderError(PxedError):
    """The machine gets no such thing."""


KINDS = ("script", "ignition", "cmdline", "system")


def run(machine: str, what: str, config: Path, arch: int, address: str) -> int:
    """Print it; the exit code."""
    if what not in KINDS:
        print(f"pxed: {what!r} cannot be rendered: {', '.join(KINDS)}", file=sys.stderr)
        return 2
    try:
        body = rendered(machine, what, config, arch, address)
    except (ConfigError, IgnitionError, SnippetError, NothingToRenderError) as error:
        print(error, file=sys.stderr)
        return 1
    except PxedError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(body)
    return 0


def rendered(machine: str, what: str, config: Path, arch: int, address: str) -> bytes:
    """The bytes that HTTP would give; for `cmdline` the line and a newline. Raises PxedError."""
    snapshot = load_snapshot(config)
    subject = find_subject(snapshot.inventory, machine)
    endpoint = local_endpoint(snapshot.inventory.server, address)
    identity = subject.identity(name_of(arch))
    match = resolve(snapshot.inventory, identity)
    if what in ("ignition", "system"):
        if isinstance(match, Unmatched):
            raise NothingToRenderError(f"{subject.name} gets no Ignition config: {match.reason}")
        return (booted if what == "ignition" else installed)(snapshot, match, identity, endpoint).body
    release = mirrored_release(snapshot, match)
    if release is not None and release.missing:
        print(f"note: {subject.name} gets this when its image is mirrored: pxed images sync", file=sys.stderr)
        release = None
    course = course_of(snapshot, match) if isinstance(match, Match) else None
    page = page_for(snapshot.inventory, match, identity, endpoint, release=release, course=course)
    if what == "cmdline":
        if not page.cmdline:
            raise NothingToRenderError(f"{subject.name} boots no kernel of pxed's: {page.problem or match.reason}")
        return f"{page.cmdline}\n".encode()
    return page.script.encode()
