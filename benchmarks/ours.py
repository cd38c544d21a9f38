"""pxed under measurement: `pxed serve` as a user runs it, events and log on, its log into a file."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import site, tools
from benchmarks.link import LOAD_ADDRESS, SERVER_INTERFACE, Link
from benchmarks.model import Contender
from benchmarks.process import Process, running

HTTP_PORT = 8080
PATIENCE = 60.0  # seconds to READY


def pxed(
    listed: int, *, unknown: str = "ignore", fields: str = "", files: Mapping[str, str] | None = None
) -> Contender:
    """pxed with `listed` machines of one profile; `unknown: bench` answers the unlisted ones with the same profile.

    `fields` are further fields of the profile, `files` the texts beside the inventory that they name.
    """

    @contextlib.contextmanager
    def serve(link: Link) -> Iterator[Process]:
        for name, text in (files or {}).items():
            site.write(name, text)
        config = site.write(f"pxed-{listed}.yaml", inventory(site.macs(listed), unknown, fields))
        with daemon(link, config) as process:
            yield replace(process, http_port=HTTP_PORT, image_path=f"/images/bench/{site.IMAGE.name}")

    return Contender("pxed", serve)


@contextlib.contextmanager
def daemon(link: Link, config: Path, *, restarts: bool = False, **environment: str) -> Iterator[Process]:
    """`pxed serve`, READY. With `restarts` the process is a shell that starts it again whenever it ends."""
    command = [str(Path(sys.executable).with_name("pxed")), "serve", "-c", str(config)]
    command = ["sh", "-c", 'while :; do "$@"; done', "sh", *command] if restarts else command
    with _notified() as (listener, env):
        began = time.monotonic()
        with running(link, command, tools.CACHE / "log" / "pxed.log", env | environment) as process:
            yield replace(process, ready_seconds=_wait_until_ready(process, listener) - began)


def inventory(macs: Sequence[str], unknown: str, fields: str = "") -> str:
    """The inventory's text: one profile over one image, and a line for each machine."""
    head = f"""
server:
  interfaces: [{SERVER_INTERFACE}]
  data_dir: {site.DATA}
  http: {{port: {HTTP_PORT}}}
  unknown: {unknown}
  relays: [{LOAD_ADDRESS}]
images:
  bench: {{kernel: {site.IMAGE.name}}}
profiles:
  bench: {{image: bench, loader: {site.LOADER.name}{fields and f", {fields}"}}}
machines:
"""
    return head + "".join(f'  node{n}: {{mac: "{mac}", profile: bench}}\n' for n, mac in enumerate(macs, 1))


@contextlib.contextmanager
def _notified() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """systemd's side of sd_notify(3): a datagram socket, and the environment that names it."""
    with (
        tempfile.TemporaryDirectory(prefix="pxed-bench-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        path = os.path.join(folder, "notify")  # noqa: PTH118
        listener.bind(path)
        listener.settimeout(0.25)
        yield listener, {"NOTIFY_SOCKET": path}


def _wait_until_ready(process: Process, listener: socket.socket) -> float:
    """The time (monotonic) at which READY=1 came."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.popen.poll() is None:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in listener.recv(4096).split(b"\n"):
                return time.monotonic()
    raise RuntimeError(f"pxed did not say READY: {process.log.read_text(errors='replace')[-2000:]}")
