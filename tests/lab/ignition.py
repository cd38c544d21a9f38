"""The real Ignition as a program on a host of the laboratory, without a machine. It changes nothing there."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.flatcar import IGNITION

# It takes the URL from /proc/cmdline, so it gets one of its own, in a mount namespace.
_SCRIPT = """
mount --bind "$1/cmdline" /proc/cmdline
shift
exec timeout 30 "$@"
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How its stage fetch ended."""

    status: int
    log: str
    cache: Path  # what it made of the config; not there if it failed


def fetch(namespace: str, url: str, directory: Path) -> Fetched:
    """Run the stage fetch as a machine would that was booted with this ignition.config.url."""
    directory.mkdir(parents=True)
    (directory / "cmdline").write_text(f"flatcar.first_boot=1 ignition.config.url={url}\n")
    cache = directory / "ignition.json"
    argv = [str(IGNITION), "--platform=metal", "--stage=fetch", "--log-to-stdout", "--fetch-timeout=20s"]
    places = [f"--root={directory}", f"--config-cache={cache}", f"--state-file={directory / 'state'}"]
    outside = ["ip", "netns", "exec", namespace, "unshare", "--mount", "bash", "-ec", _SCRIPT, "-", str(directory)]
    done = subprocess.run([*outside, *argv, *places], capture_output=True, text=True, check=False, timeout=60)
    return Fetched(done.returncode, done.stdout + done.stderr, cache)
