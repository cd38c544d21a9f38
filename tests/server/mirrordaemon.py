"""The daemon as a process on loopback, whose images come from a test's release server."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.releases.server import ReleaseServer

INVENTORY = """\
server:
  interfaces: [lo]
  data_dir: data
  dhcp: "off"
  http: {{port: {http}}}
  tftp: {{port: {tftp}}}
  mirror: {{url: "{url}", key: key.asc, fingerprint: {fingerprint}, interval: {interval}}}
images: {{{images}}}
profiles: {{worker: {{{profile}}}}}
machines: {{node1: {{mac: "52:54:00:00:00:01", profile: worker}}}}
"""
FOLLOWING = "flatcar: {flatcar: {channel: stable}}"


class MirrorDaemon:
    """A running pxed. Its log is read line by line: each is an event."""

    def __init__(self, home: Path, releases: ReleaseServer, *, images: str = FOLLOWING, interval: str = "6h") -> None:
        self.home, self.releases = home, releases
        self.mirror = home / "data" / "mirror"
        self.ports = [free_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        releases.save_key(home / "key.asc")
        self.write(images, interval)
        command = [
            sys.executable,
            "-m",
            "pxed",
            "serve",
            "-c",
            "pxed.yaml",
            "--log-format",
            "json",
            "--log-level",
            "debug",
        ]
        self.process = subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True)

    def write(self, images: str, interval: str = "6h") -> None:
        """Another inventory."""
        profile = "image: flatcar" if "flatcar" in images else "boot: local"
        text = INVENTORY.format(
            http=self.ports[0], tftp=self.ports[1], url=self.releases.url, interval=interval,
            fingerprint=self.releases.signer.fingerprint, images=images, profile=profile,
        )  # fmt: skip
        (self.home / "pxed.yaml").write_text(text)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def event(self, fits: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The next event that fits; those before it are dropped."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {"text": line, "kind": "", "level": ""}
            if fits(event):
                return event
        raise AssertionError(f"pxed ended with {self.process.wait()}")

    def says(self, words: str, level: str = "") -> str:
        """The next line with these words in it, of that level."""
        return str(self.event(lambda event: words in event["text"] and level in ("", event["level"]))["text"])

    def stop(self) -> list[str]:
        """SIGTERM; the texts of the rest of its log."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=60)
        return [json.loads(line)["text"] for line in log.splitlines() if line.startswith("{")]


@contextlib.contextmanager
def mirroring(home: Path, releases: ReleaseServer, **options: str) -> Iterator[MirrorDaemon]:
    """A daemon for the length of the block."""
    daemon = MirrorDaemon(home, releases, **options)
    try:
        yield daemon
    finally:
        daemon.process.kill()
        daemon.process.communicate()
