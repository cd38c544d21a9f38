"""All of it together: a network, a DHCP server, pxed with an inventory, captures, and machines to switch on."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import daemon, dhcpserver, inventory, netns, plainrom, process, stages, vm
from tests.lab.capture import Dhcp, capturing, messages
from tests.lab.guest import Printout

BOOT_TIMEOUT = 120.0  # seconds; the slowest chain takes 25 on an idle machine


@dataclass(slots=True)
class Lab:
    """A laboratory that is up."""

    directory: Path
    network: netns.Network
    daemon: daemon.Daemon
    capture: Path  # of the bridge that the machines are on
    _stack: contextlib.ExitStack

    def boot(self, machine: vm.Guest, *, plain_rom: bool = False) -> vm.Vm:
        """Switch a machine on. `plain_rom`: its iPXE ROM shall not be known as iPXE (see `plainrom`)."""
        netdev = self._plain_rom(machine) if plain_rom else ""
        return self._stack.enter_context(vm.booting(machine, self.network, self.directory, netdev))

    def _plain_rom(self, machine: vm.Guest) -> str:
        # Not in the laboratory's own directory: a unix socket's path has 107 bytes at most, a checkout's may be long.
        ends = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pxed-rom-", dir="/tmp"))
        argv = ["python3", "-m", "tests.lab.plainrom", f"tap{machine.number}", ends]
        log = self.directory / f"{machine.name}.rom"
        program = self._stack.enter_context(process.running(argv, log=log, namespace=self.network.switch))
        if program.output.wait(lambda line: line if line == "ready" else None, timeout=10) is None:
            raise process.LabError(f"the frame filter did not start:\n{program.output.end()}")
        return plainrom.netdev(Path(ends))

    def crash(self) -> None:
        """Kill pxed: it gets to do nothing more."""
        self.daemon.program.signal(signal.SIGKILL)
        self.daemon.program.wait(10)

    def restart(self) -> None:
        """Start pxed again after a crash. Its log begins anew, in a file of its own."""
        number = len(list(self.directory.glob("pxed*.log"))) + 1
        again = daemon.start(self.network, self.daemon.config, self.directory, log=f"pxed{number}.log")
        self._stack.callback(again.program.stop, 15)
        self.daemon = again

    def finish(self, machine: vm.Vm, timeout: float = BOOT_TIMEOUT) -> Printout:
        """The print-out of a machine that booted, reported and switched itself off; else LabError with the story."""
        printout = machine.wait_done(timeout)
        if not (printout.done and printout.ignition and printout.reported):
            raise process.LabError(self.story(machine))
        if alarms := self.alarms(machine.machine.name):
            raise process.LabError(f"{machine.machine.name} booted, and was said to be stuck: {' / '.join(alarms)}")
        return printout

    def alarms(self, machine: str) -> list[str]:
        """What pxed named as the cause of a boot that stands still, in its own words."""
        return [f"{event['fault']}: {event['evidence']}" for event in self.daemon.events("stuck", machine)]

    def messages(self) -> list[Dhcp]:
        """The DHCP messages on the machines' bridge so far."""
        return messages(self.capture)

    def story(self, machine: vm.Vm) -> str:
        """Why a machine did not get there: the stage, and the ends of its console, of pxed's log and of QEMU's."""
        return "\n".join(
            [
                stages.stop_sentence(self.daemon.events(), machine.machine.name),
                f"  console of {machine.machine.name} ends ({machine.console.path}):",
                machine.console.end(),
                f"  pxed's log ends ({self.daemon.program.log}):",
                self.daemon.program.output.end(15),
                f"  QEMU said: {machine.program.output.end(5).strip()}",
            ]
        )


@contextlib.contextmanager
def laboratory(
    directory: Path,
    document: Mapping[str, Any],
    *,
    taps: int,
    relayed: bool = False,
    beside: Callable[[netns.Network], contextlib.AbstractContextManager[None]] | None = None,
    dhcp: str = "",
) -> Iterator[Lab]:
    """A laboratory for the length of the block. Its directory goes too, unless the block fails: it is the evidence.

    `beside` brings up further hosts, before pxed; `dhcp` are further lines of the DHCP server's configuration.
    """
    with contextlib.ExitStack() as stack:
        config = inventory.write(directory, document)
        inventory.fill(directory)
        network = stack.enter_context(netns.network(taps, relayed=relayed))
        path = stack.enter_context(capturing(network, network.clients, directory / "clients.pcap"))
        if relayed:
            stack.enter_context(capturing(network, network.servers, directory / "servers.pcap"))
        stack.enter_context(dhcpserver.serving(network, directory, dhcp))
        if beside is not None:
            stack.enter_context(beside(network))
        served = stack.enter_context(daemon.serving(network, config, directory))
        yield Lab(directory, network, served, path, stack)
    shutil.rmtree(directory)


def fresh(directory: Path) -> Path:
    """An empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
