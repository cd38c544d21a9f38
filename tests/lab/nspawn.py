"""A Debian system with real systemd as PID 1, in a container: an overlay in memory over the cached tree.

It ends with the block, and when the test dies: then the kernel kills `unshare`, and with the namespace that this made
all that runs in it. (systemd-nspawn alone leaves its container running when it is killed.) Only an empty control group
stays, which the next container removes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.netns import PREFIX
from tests.lab.process import LabError, Program, run, running
from tests.lab.systemtree import SUITE, system_tree

BOOT_SECONDS = 30.0  # it takes one
_SCRIPT = Path(__file__).with_name("container.sh")
# In namespaces of processes and mounts of its own, with which all of it ends.
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Container:
    """A system that runs. `leader` is its PID 1, as this host counts."""

    name: str
    leader: int
    program: Program

    @property
    def root(self) -> Path:
        """Its root directory, for reading and writing files from here. Absolute links lead astray."""
        return Path(f"/proc/{self.leader}/root")

    def attempt(self, *argv: str, given: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in there, whatever becomes of it."""
        entered = [*self._enter(), *argv]
        return subprocess.run(entered, input=given, capture_output=True, text=True, check=False, timeout=timeout)

    def _enter(self) -> list[str]:
        enter = ("nsenter", "--target", str(self.leader), "--all", "--wd", "env", "-i", f"PATH={_PATH}", "HOME=/root")
        quiet = ("TERM=dumb", "SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0", "DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8")
        return [*enter, *quiet]

    def run(self, *argv: str, given: str = "", timeout: float = 60) -> str:
        """The same; its output. LabError with what it said if it fails."""
        done = self.attempt(*argv, given=given, timeout=timeout)
        if done.returncode:
            said = f"{done.stderr.strip()}\n{done.stdout.strip()}".strip()
            raise LabError(f"{self.name}: {' '.join(argv)}: exit {done.returncode}: {said}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit: "ActiveState", "MainPID" (as the container counts), "StatusText"."""
        return self.run("systemctl", "show", unit, "--value", "--property", name).strip()

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """The entries of a unit, and those of systemd about it."""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "--output=json", "--all", "--unit", unit).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @contextlib.contextmanager
    def following(self, unit: str, log: Path) -> Iterator[Program]:
        """The same as they come, as JSON a line, for the length of the block."""
        argv = ("journalctl", "--follow", "--lines=all", "--output=json", "--all", "--unit", unit)
        with running([*self._enter(), *argv], log=log, name="journalctl") as program:
            yield program

    def said(self, unit: str) -> str:
        """The same as text: the messages, one a line."""
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(unit))

    def put(self, source: Path, target: str) -> None:
        """Copy a file or a directory into it. Links stay links."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)

    def write(self, target: str, text: str) -> None:
        """A file of its own, made or replaced as an editor does, with the mode and owner of the old one."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@contextlib.contextmanager
def container(name: str, *, network: str = "", suite: str = SUITE, log: Path | None = None) -> Iterator[Container]:
    """A booted system for the length of the block. `network`: the namespace of a laboratory that it is put into
    (`Network.pxe`); without one it has a loopback interface only. `log` gets what systemd-nspawn says.
    """
    if os.geteuid():
        raise LabError("a container needs root")
    _sweep()
    tree, group = system_tree(suite), f"{PREFIX}{os.getpid()}-{name}"
    with tempfile.TemporaryDirectory(prefix="pxed-system-") as scratch, contextlib.ExitStack() as stack:
        place = Path(scratch, "overlay")
        place.mkdir()
        stack.callback(_remove, group)
        where = f"--network-namespace-path=/run/netns/{network}" if network else "--private-network"
        argv = (*_UNSHARE, str(_SCRIPT), str(place), str(tree), group, where, f"--machine={name}")
        with _notified(Path(scratch, "notify")) as told:
            os.environ["NOTIFY_SOCKET"] = str(Path(scratch, "notify"))
            try:
                program = stack.enter_context(running(argv, log=log or Path(scratch, "log"), name="systemd-nspawn"))
            finally:
                del os.environ["NOTIFY_SOCKET"]
            leader = _booted(told, program)
        stack.callback(_end, program, os.pidfd_open(leader))
        system = Container(name, leader, program)
        system.run("systemctl", "is-system-running", "--wait")
        yield system


@contextlib.contextmanager
def _notified(path: Path) -> Iterator[socket.socket]:
    """Where systemd-nspawn tells that it is ready. Closed after that: systemd tells it of each job that takes a while,
    and with nobody to read it, first systemd-nspawn would wait for room, and then PID 1 for systemd-nspawn, for good.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(path))
        yield told


def _booted(told: socket.socket, program: Program) -> int:
    """The process id of its PID 1, as soon as that says it is ready."""
    ending = os.pidfd_open(program.pid)
    try:
        while told.fileno() in select.select([told.fileno(), ending], [], [], BOOT_SECONDS)[0]:
            if b"READY=1" in told.recv(4096).split(b"\n"):
                return _child(_child(program.pid))  # unshare, systemd-nspawn, systemd
    finally:
        os.close(ending)
    raise LabError(f"the container did not boot; systemd-nspawn said:\n{program.output.end()}")


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def ended(process: int, timeout: float = BOOT_SECONDS) -> bool:
    """Whether the process of that pidfd ends in time."""
    return bool(select.select([process], [], [], timeout)[0])


def _end(program: Program, leader: int) -> None:
    """Kill it, and wait until its PID 1 and so all its processes are gone."""
    try:
        program.stop(grace=0)
        if not ended(leader):
            raise LabError("the container does not end")
    finally:
        os.close(leader)


def groups() -> list[str]:
    """The control groups of all containers, also of those that have ended without cleaning up."""
    return _unified(f"cd /mnt && ls -d {PREFIX}[0-9]*-*").split()


def _remove(group: str) -> None:
    _unified(f"find /mnt/{group} -depth -type d -exec rmdir {{}} +")


def _unified(script: str) -> str:
    """What a shell prints that sees the unified hierarchy of control groups at /mnt; the host may have it anywhere."""
    argv = ("unshare", "--mount", "sh", "-c", f"mount -t cgroup2 cgroup2 /mnt && {script}")
    return run(*argv, quiet=True)


def _sweep() -> None:
    """Remove those of containers whose test was killed: the name holds the number of a process that is gone."""
    for group in groups():
        if not Path(f"/proc/{group.removeprefix(PREFIX).split('-')[0]}").exists():
            _remove(group)
