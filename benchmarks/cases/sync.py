"""What a sync of the mirror costs: CPU beside `curl URL | sha512sum` on the same bytes, and memory by their amount.

Both fetch from the same release server; pxed also verifies what curl's user would have to, and writes it to the disk.
Digests are compared. The releases are made once a run in a temporary directory, 1.1 GB, as are the mirrors.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import tools
from benchmarks.link import SERVER_ADDRESS, Link
from benchmarks.model import Case, Contender, Sample
from benchmarks.process import Process, running, wait_for_port
from pxed.assets.mirror.index import load_index
from pxed.assets.mirror.layout import INITRD, KERNEL
from tests.releases.__main__ import key_of
from tests.releases.tree import Tree

PORT = 8090
_SIZES = {"alpha": 100_000_000, "stable": 1_000_000_000}  # bytes of a channel's release
_QUICK = {"alpha": 10_000_000, "stable": 50_000_000}
_VERSION = {"alpha": "4790.0.0", "stable": "4593.2.5"}
_KERNEL = 1 / 12  # its share, as in a real release


def cases() -> list[Case]:
    contender = Contender("pxed", _serve)
    return [
        Case("sync-cpu", "Mirror sync of 1 GB, CPU by that of curl | sha512sum", "x", 1.5, contender, [], _cpu),
        Case("sync-memory", "Mirror sync, more memory for 1 GB than for 100 MB", "MB", 8.0, contender, [], _memory),
    ]


class Cost(NamedTuple):
    """What one run of a program took."""

    cpu: float  # seconds, user and system
    peak_mb: float  # resident, of the process itself
    output: str


@contextlib.contextmanager
def _serve(link: Link) -> Iterator[Process]:
    root = _root()
    command = [
        sys.executable,
        "-m",
        "tests.releases",
        "serve",
        str(root),
        "--host",
        SERVER_ADDRESS,
        "--port",
        str(PORT),
    ]
    with running(link, command, tools.CACHE / "log" / "releases.log", {"PYTHONPATH": str(tools.ROOT)}) as process:
        wait_for_port(process, "tcp", PORT)
        yield process


def _cpu(link: Link, _process: Process, quick: bool) -> Sample:
    """curl, pxed, curl: the mean of the two beside it is what pxed is compared with."""
    size = _release("stable", quick)
    before, ours, after = _curl(link, "stable"), _pxed(link, "stable"), _curl(link, "stable")
    theirs = (before.cpu + after.cpu) / 2
    problem = "" if before.output == ours.output == after.output else "the digests differ"
    details = {"pxed_cpu_s": ours.cpu, "curl_cpu_s": theirs, "bytes": size, "pxed_peak_mb": ours.peak_mb}
    return Sample(ours.cpu / theirs, problem, details)


def _memory(link: Link, _process: Process, quick: bool) -> Sample:
    sizes = [_release(channel, quick) for channel in _SIZES]
    small, big = (_pxed(link, channel) for channel in _SIZES)
    details = {
        "peak_mb_small": small.peak_mb,
        "peak_mb_big": big.peak_mb,
        "bytes_small": sizes[0],
        "bytes_big": sizes[1],
    }
    return Sample(big.peak_mb - small.peak_mb, details=details)


def _curl(link: Link, channel: str) -> Cost:
    """The digests of a release's files as curl and sha512sum make them."""
    base = f"http://{SERVER_ADDRESS}:{PORT}/{channel}/amd64-usr/current"
    script = "".join(f"curl -sS {base}/{name} | sha512sum;" for name in (KERNEL, INITRD))
    cost = _run(link.on_load(["bash", "-c", script]))
    return cost._replace(output=" ".join(cost.output.split()[::2]))


def _pxed(link: Link, channel: str) -> Cost:
    """A sync of one channel into an empty mirror; its output is replaced by the digests."""
    root = _root()
    with tempfile.TemporaryDirectory(prefix="pxed-bench-mirror-", dir=root.parent) as directory:
        config = Path(directory) / "pxed.yaml"
        config.write_text(
            f"server:\n  data_dir: {directory}\n  mirror:\n    url: 'http://{SERVER_ADDRESS}:{PORT}/{{channel}}'\n"
            f"    key: {root / 'key.asc'}\n    fingerprint: {(root / 'fingerprint').read_text()}\n"
            f"images:\n  bench: {{flatcar: {{channel: {channel}}}}}\n"
        )
        command = [str(Path(sys.executable).with_name("pxed")), "images", "sync", "--json", "-c", str(config)]
        cost = _run(link.on_load(command))
        (release,) = load_index(Path(directory) / "mirror").releases.values()
        return cost._replace(output=" ".join(release.files[name].sha512 for name in (KERNEL, INITRD)))


def _run(command: Sequence[str]) -> Cost:
    """Run it to its end. The peak is VmHWM, which a wait4(2) would mix with that of the process that forked."""
    peak = 0
    with tempfile.TemporaryFile("w+") as stdout:
        popen = subprocess.Popen(command, stdout=stdout, stdin=subprocess.DEVNULL)
        while True:
            pid, status, usage = os.wait4(popen.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _peak(popen.pid))
            time.sleep(0.01)
        popen.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        output = stdout.read()
    if popen.returncode:
        raise RuntimeError(f"{shlex.join(command)} exited with {popen.returncode}: {output[-1000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, peak * 1024 / 1e6, output)


def _peak(pid: int) -> int:
    """Kibibytes; 0 when it has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pxed-bench-releases-")


def _root() -> Path:
    """The release server's directory; it goes with this process."""
    root = Path(_folder().name) / "releases"
    key_of(root)
    return root


@functools.cache
def _release(channel: str, quick: bool) -> int:
    """Publish a channel's release. Returns the bytes of its files."""
    size = (_QUICK if quick else _SIZES)[channel]
    folder = Path(_folder().name)
    kernel = _content(folder / "kernel", int(size * _KERNEL))
    initrd = _content(folder / "initrd", size - int(size * _KERNEL))
    Tree(_root(), key_of(_root())).publish(channel, "amd64", _VERSION[channel], kernel=kernel, initrd=initrd)
    kernel.unlink()
    initrd.unlink()
    return size


def _content(path: Path, size: int) -> Path:
    """A file of so many bytes; seeded."""
    block = random.Random(size).randbytes(1 << 20)
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    return path
