"""An inventory whose images come from a test's release server, and the commands run on it as an operator does."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pxed.cli import app
from tests.releases.server import ReleaseServer

PXED = Path(sys.executable).with_name("pxed")
A, B, C = "4593.2.4", "4593.2.5", "4628.1.0"
KERNEL, INITRD = "flatcar_production_pxe.vmlinuz", "flatcar_production_pxe_image.cpio.gz"
INVENTORY = """\
server:
  data_dir: data
  mirror: {{url: "{url}", key: key.asc, fingerprint: {fingerprint}, keep: {keep}}}
images:
  flatcar: {{flatcar: {{channel: stable, arch: amd64, {flatcar}}}}}
  rescue: {{kernel: rescue/vmlinuz}}
profiles:
  worker: {{image: flatcar}}
  rescue: {{image: rescue}}
  disk: {{boot: local}}
groups:
  - {{match: {{mac: "52:54:00:00:01:*"}}, profile: worker}}
machines:
  node1: {{mac: "52:54:00:00:00:01", profile: worker}}
  node2: {{mac: "52:54:00:00:00:02", profile: worker}}
  node3: {{mac: "52:54:00:00:01:03"}}
  node4: {{mac: "52:54:00:00:00:04", profile: rescue}}
  node5: {{mac: "52:54:00:00:00:05", profile: disk}}
"""


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Home:
    """A directory with pxed.yaml and data/."""

    path: Path
    releases: ReleaseServer

    def write(self, flatcar: str = "version: current", keep: int = 2) -> None:
        """The inventory, with these fields of the Flatcar image."""
        self.releases.save_key(self.path / "key.asc")
        text = INVENTORY.format(
            url=self.releases.url, fingerprint=self.releases.signer.fingerprint, flatcar=flatcar, keep=keep
        )
        (self.path / "pxed.yaml").write_text(text)

    def command(self, *words: str) -> list[str]:
        return [str(PXED), "images", *words, "-c", "pxed.yaml"]

    def run(self, *words: str) -> Done:
        """The command to its end, in this process: starting another takes longer than most commands."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.path), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app(self.command(*words)[1:], standalone_mode=False)
        return Done(int(code or 0), out.getvalue(), err.getvalue())

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """The command, with its output in pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*words), cwd=self.path, stdout=pipe, stderr=pipe, text=True, **options)

    def synced(self, *versions: str) -> None:
        """Publish versions one after the other, each followed by a sync that must succeed."""
        for version in versions:
            self.releases.publish("stable", "amd64", version, kernel=f"kernel {version}".encode())
            done = self.run("sync")
            assert done.returncode == 0, done.stderr

    def listed(self) -> dict[str, Any]:
        """What `list --json` says of the Flatcar image."""
        return dict(self.list()["images"][0])

    def list(self) -> dict[str, Any]:
        done = self.run("list", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def boots(self) -> dict[str, str]:
        """The version that each machine boots next."""
        return {row["machine"]: row["version"] for row in self.list()["machines"]}

    def release(self, version: str) -> Path:
        """Where a version is mirrored."""
        return self.path / "data" / "mirror" / "stable" / "amd64-usr" / version


@contextlib.contextmanager
def written_by_another(home: Home) -> Iterator[None]:
    """The mirror is locked for the length of the block."""
    lock = home.path / "data" / "mirror" / ".lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        file.write("process 4711")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
