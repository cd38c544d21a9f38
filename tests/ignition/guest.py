"""A stand-in for the machine on which pxed's scripts run: a directory, programs that record, and a pxed of a few lines.

The scripts are the generated ones, taken out of the finished Ignition config; only the places of their directories are
others, and `sleep` and `reboot` have other names (busybox' shell has both built in).
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import threading
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from pxed.ignition.document import Config

SHELLS = {"bash": ["bash"], "busybox": ["busybox", "sh"]}
CLOSED, SHORT = -1, -2  # in place of a status: no answer at all; an answer that ends too early
TOKEN, CONFIG_TOKEN = "R" * 43, "C" * 43
SYSTEM = b'{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "core", "passwordHash": "geheim"}]}}'


@dataclass
class Asked:
    path: str
    stage: str
    message: str
    kind: str


@dataclass
class Pxed:
    """What answers: for each path the statuses in their order, the last one for ever."""

    report: list[int] = field(default_factory=lambda: [204])
    config: list[int] = field(default_factory=lambda: [200])
    stages: dict[str, list[int]] = field(default_factory=dict)  # instead of `report`, for one stage
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def reports(self) -> list[str]:
        return [asked.stage for asked in self.asked if asked.stage]

    def answers(self, **statuses: Any) -> None:
        """Set what is answered from now on."""
        for name, value in deepcopy(statuses).items():
            setattr(self, name, value)

    def answer(self, path: str, query: dict[str, list[str]], body: bytes, kind: str) -> int:
        """Record what is asked, and say with which status it is answered."""
        stage = query.get("stage", [""])[0]
        assert query["token"] == [TOKEN if path.startswith("/report/") else CONFIG_TOKEN]
        self.asked.append(Asked(path, stage, body.decode(), kind))
        left = self.config if path.startswith("/ignition/") else self.stages.get(stage, self.report)
        return left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def serving(pxed: Pxed, tls: ssl.SSLContext | None = None) -> Iterator[Pxed]:
    """The stand-in on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = pxed.answer(url.path, parse_qs(url.query), body, self.headers.get("Content-Type", ""))
            if status == CLOSED:
                self.close_connection = True
                return
            text = SYSTEM if status in (200, SHORT) else b"this boot is over\n"
            self.send_response(200 if status == SHORT else status)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(b"" if status == 204 else text[:20] if status == SHORT else text)
            self.close_connection = True

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        pxed.port = server.server_address[1]
        if tls is not None:
            pxed.scheme, server.socket = "https", tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield pxed
        finally:
            server.shutdown()
            thread.join()


def files_of(config: Config) -> dict[str, tuple[bytes, int]]:
    """The content and mode of each file that Ignition would write."""
    found = {}
    for node in json.loads(config.body)["storage"]["files"]:
        head, _, data = node["contents"]["source"].partition(",")
        body = b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
        if node["contents"].get("compression") == "gzip":
            body = zlib.decompress(body, wbits=31)
        found[node["path"]] = body, node["mode"]
    return found


RECORDER = """#!/bin/sh
for word in "$@"; do printf '%s|' "$word"; done | {{ read -r line; echo "{name} $line" >>{log}; }}
"""
FLATCAR_INSTALL = """
while getopts "V:B:C:DI:d:o:c:e:i:t:b:k:f:nusyvh" option; do
    case $option in
    i) [ "$(stat -c %a "$OPTARG")" = 600 ] && cp "$OPTARG" {home}/written ;;
    k) cp "$OPTARG" {home}/key ;;
    esac
done
ps -ww -e -o args= | grep -F -e RRRRRRRR -e CCCCCCCC | grep -v grep >>{home}/seen
echo "Downloading, writing and verifying flatcar_production_image.bin.bz2..."
{body}
"""


@dataclass
class Guest:
    """The machine. `log` has a line for each program that was run."""

    home: Path

    def __post_init__(self) -> None:
        for name in ("bin", "at", "dev", "sys/block", "sys/devices"):
            (self.home / name).mkdir(parents=True)
        for name in ("nap", "restart", "systemctl", "udevadm", "sync"):
            self.program(name)
        self.program("lsblk", f"cat {self.home}/mounted/$(basename $3) 2>/dev/null || :")
        self.installs()
        (self.home / "dev/sda").touch()

    @property
    def log(self) -> list[str]:
        path = self.home / "log"
        return path.read_text().splitlines() if path.exists() else []

    def ran(self, name: str) -> list[str]:
        """The arguments of each run of a program."""
        return [line.partition(" ")[2] for line in self.log if line.startswith(f"{name} ")]

    def program(self, name: str, body: str = "") -> None:
        file = self.home / "bin" / name
        file.write_text(RECORDER.format(name=name, log=self.home / "log") + body)
        file.chmod(0o755)

    def installs(self, body: str = "echo Success!") -> None:
        """What flatcar-install does when it has read its options."""
        self.program("flatcar-install", FLATCAR_INSTALL.format(home=self.home, body=body))

    def disk(self, name: str, gigabytes: float, *, bus: str = "pci0/ata1", mounted: str = "", **values: int) -> None:
        """A disk in sysfs."""
        there = self.home / "sys/devices" / bus / name
        (there / "device").mkdir(parents=True)
        values = {"size": int(gigabytes * 1e9) // 512, "ro": 0, "removable": 0, "hidden": 0, **values}
        for key, value in values.items():
            (there / key).write_text(f"{value}\n")
        (self.home / "sys/block" / name).symlink_to(there)
        (self.home / "mounted").mkdir(exist_ok=True)
        (self.home / "mounted" / name).write_text(mounted)

    def unreal(self, name: str) -> None:
        """A block device without a device below it: a loop device, a RAM disk."""
        (self.home / "sys/block" / name).mkdir()

    def run(self, config: Config, shell: str, *, at: str) -> subprocess.CompletedProcess[str]:
        """Lay the config's files and run its script to its end."""
        for path, (body, mode) in files_of(config).items():
            file = self.home / "at" / path.removeprefix(f"{at}/")
            file.write_bytes(body)
            file.chmod(mode)
        script = self.home / "at/run"
        text = (
            script.read_text().replace(at, f"{self.home}/at").replace("sleep ", "nap ").replace("reboot -f", "restart")
        )
        text = re.sub(r"work=/run/[\w-]+", f"work={self.home}/work", text)
        text = text.replace("sys=/sys", f"sys={self.home}/sys").replace("dev=/dev", f"dev={self.home}/dev")
        script.write_text(text)
        environment = {"PATH": f"{self.home}/bin:{os.environ['PATH']}"}
        command = [*SHELLS[shell], str(script)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
