"""A host with real libvirtd, in namespaces of network, mounts and processes of its own, with which all of it ends.

Its machines run by TCG. Of Debian's packages it needs libvirt-daemon, libvirt-daemon-driver-qemu and libvirt-clients
only: libvirt-daemon-system would start libvirtd on the host that runs the tests.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.lab import netns
from tests.lab.process import CACHE, LabError, Program, run, spawn
from tests.lab.tail import Tail

_SCRIPT = Path(__file__).with_name("hypervisor.sh")
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
START_SECONDS = 60.0  # it takes three
_URI = {"LIBVIRT_DEFAULT_URI": "qemu:///system", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A host whose libvirtd answers. `leader` is its PID 1, as this host counts; `namespace` its network's name."""

    directory: Path
    namespace: str
    leader: int
    program: Program

    def run(
        self, *argv: str, timeout: float = 120, env: Mapping[str, str] | None = None, directory: Path | None = None
    ) -> str:
        """Run a program in there; its output. LabError with what it said if it fails."""
        enter = (
            "nsenter",
            "--target",
            str(self.leader),
            "--mount",
            "--pid",
            "--net",
            f"--wd={directory or Path.cwd()}",
        )
        try:
            done = subprocess.run(
                [*enter, *argv],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
                env={**os.environ, **_URI, **(env or {})},
            )
        except subprocess.TimeoutExpired as error:
            said = b"".join(part for part in (error.stdout, error.stderr) if isinstance(part, bytes))
            raise LabError(f"{' '.join(argv)}: not done in {timeout} s: {said.decode()}\n{self.end()}") from None
        if done.returncode:
            raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}\n{self.end()}")
        return done.stdout

    def virsh(self, *argv: str) -> str:
        """A virsh command."""
        return self.run("virsh", "--quiet", *argv)

    def console(self, name: str) -> Tail:
        """The serial line of a machine whose console is the file `directory`/NAME.serial."""
        path = self.directory / f"{name}.serial"
        path.touch()
        return Tail(path, self.program.alive)

    def end(self) -> str:
        """The last of what libvirtd itself said, for a failure report."""
        log = self.directory / "libvirtd.log"
        return Tail(log, self.program.alive).end() if log.exists() else self.program.output.end()


@contextlib.contextmanager
def hypervisor(directory: Path) -> Iterator[Hypervisor]:
    """One for the length of the block."""
    netns.sweep()
    prefix = f"{netns.PREFIX}{os.getpid()}"
    namespace = f"{prefix}-virt"
    try:
        run("ip", "netns", "add", namespace)
        capabilities = CACHE / "libvirt"
        capabilities.mkdir(parents=True, exist_ok=True)
        argv = (*_UNSHARE, str(_SCRIPT), str(directory), str(capabilities))
        program = spawn(argv, log=directory / "hypervisor.log", namespace=namespace, name="hypervisor")
        try:
            if program.output.wait(lambda line: line if line == "ready" else None, START_SECONDS) is None:
                raise LabError(f"libvirtd does not answer: {program.output.end()}")
            yield Hypervisor(directory, namespace, _leader(program.pid), program)
        finally:
            program.stop(grace=0)  # `unshare` does not hear SIGTERM; with its end the kernel ends the rest
    finally:
        netns.down(prefix)


def _leader(unshare: int) -> int:
    """The one child of `unshare`."""
    return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0])


def by_tcg(domain: Path, console: Path, *, megabytes: int) -> str:
    """A domain's XML for a host without KVM, of that size, its console written to a file."""
    root = ElementTree.parse(domain).getroot()
    root.set("type", "qemu")
    _element(root, "memory").text = str(megabytes)
    cpu = _element(root, "cpu")
    cpu.set("mode", "maximum")
    serial = _element(root, "devices/serial")
    serial.set("type", "file")
    ElementTree.SubElement(serial, "source", path=str(console), append="on")
    return ElementTree.tostring(root, encoding="unicode")


def _element(root: ElementTree.Element, path: str) -> ElementTree.Element:
    found = root.find(path)
    assert found is not None, f"the domain has no <{path}>"
    return found
