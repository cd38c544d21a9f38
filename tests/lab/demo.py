"""`make run`: boot one UEFI and one BIOS machine through pxed on a private network, and tell it as it happens.

    python -m tests.lab.demo [--keep | --down] [--name NAME]

Exit 0 only if both machines ran a kernel that fetched its own Ignition config, which their own print-out and pxed's
events must both show.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab import capture, daemon, dhcpserver, inventory, netns, stages
from tests.lab.inventory import document, profile, sources
from tests.lab.keep import Kept
from tests.lab.laboratory import BOOT_TIMEOUT, Lab, fresh
from tests.lab.process import ROOT, LabError
from tests.lab.tail import POLL
from tests.lab.vm import Firmware, Guest, Vm

GUESTS = {Guest("uefi1", Firmware.UEFI, 0): "worker", Guest("bios1", Firmware.BIOS, 1): "edge"}


def example(directory: Path) -> dict[str, Any]:
    """The inventory: two machines, each with a profile of its own."""
    profiles = {"worker": profile("worker", "rack=r1"), "edge": profile("edge", "rack=r2")}
    return document(directory, GUESTS, profiles)


@contextlib.contextmanager
def _up(directory: Path, kept: Kept | None) -> Iterator[Lab]:
    """The network, the DHCP server and pxed; they stay up if they are to be `kept`."""
    config = inventory.write(directory, example(directory))
    inventory.fill(directory)
    with contextlib.ExitStack() as stack:
        if kept:
            network, served = _start_kept(kept, config)
        else:
            network = stack.enter_context(netns.network(len(GUESTS)))
            stack.enter_context(dhcpserver.serving(network, directory))
            served = stack.enter_context(daemon.serving(network, config, directory))
        path = stack.enter_context(capture.capturing(network, network.clients, directory / "clients.pcap"))
        yield Lab(directory, network, served, path, stack)


def _start_kept(kept: Kept, config: Path) -> tuple[netns.Network, daemon.Daemon]:
    kept.remember([])
    network = netns.up(len(GUESTS), prefix=kept.prefix)
    dhcp = dhcpserver.start_server(network, kept.home, outlive=True)
    kept.remember([dhcp.pid])
    served = daemon.start(network, config, kept.home, outlive=True)
    kept.remember([dhcp.pid, served.program.pid])
    return network, served


def _tell(seconds: float, machine: str, stage: str, text: str) -> None:
    print(f"{seconds:6.1f} s  {machine:<6} {stage:<11} {text}", flush=True)


class Story:
    """Tells each milestone once, in the seconds since the machines were switched on."""

    def __init__(self, lab: Lab, machines: list[Vm]) -> None:
        self.finished: dict[str, float] = {}  # machine -> seconds
        self._lab = lab
        self._machines = machines
        self._began = time.monotonic()
        self._told = 0

    def follow(self) -> None:
        """Until nothing more is to come from any machine, or time is up."""
        while len(self.finished) < len(self._machines) and self._seconds() < BOOT_TIMEOUT:
            over = [vm for vm in self._machines if vm.machine.name not in self.finished and vm.over()]
            self._tell_events()
            for vm in over:
                self._tell_end(vm)
            time.sleep(POLL)

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _tell_events(self) -> None:
        events = self._lab.daemon.events()
        for event in events[self._told :]:
            if event["kind"] in stages.STAGES and event["machine"]:
                _tell(self._seconds(), event["machine"], event["kind"], event["text"])
        self._told = len(events)

    def _tell_end(self, vm: Vm) -> None:
        name = vm.machine.name
        self.finished[name] = self._seconds()
        how = "its firmware has given up" if vm.program.alive() else "the machine has switched itself off"
        _tell(self.finished[name], name, "off", how)


def faults(lab: Lab, vm: Vm) -> list[str]:
    """Everything that this boot should have done and has not."""
    name, printout = vm.machine.name, vm.printout()
    found = [f"pxed saw no {stage} stage" for stage in stages.missing(lab.daemon.events(), name)]
    if f"pxed.lab={GUESTS[vm.machine]}" not in printout.arguments:
        found.append(f"the kernel's command line is not its profile's: {printout.cmdline or 'none printed'}")
    try:
        if sources(printout.config)["/etc/hostname"] != name:
            found.append(f"the Ignition config is another machine's: {printout.ignition}")
    except (ValueError, KeyError, TypeError):
        found.append(f"the guest printed no Ignition config: {printout.ignition or 'nothing'}")
    return found


def _summary(lab: Lab, machines: list[Vm], seconds: dict[str, float]) -> bool:
    """What is wrong, in full, then a table; whether every machine got there."""
    events = lab.daemon.events()
    rows = [("machine", "firmware", "result", "seconds", "stages")]
    wrong = {vm.machine.name: faults(lab, vm) for vm in machines}
    for vm in machines:
        name = vm.machine.name
        for fault in wrong[name]:
            print(f"FAILED  {name}: {fault}")
        if wrong[name]:
            print(lab.story(vm))
        took = f"{seconds[name]:.1f}" if name in seconds else "-"
        firmware = vm.printout().firmware or str(vm.machine.firmware)
        result = "FAILED" if wrong[name] else "booted"
        rows.append((name, firmware, result, took, " ".join(stages.reached(events, name))))
    print()
    for row in rows:
        print("{:<9} {:<9} {:<8} {:>7}  {}".format(*row))
    return not any(wrong.values())


def _boot(directory: Path, kept: Kept | None) -> bool:
    with _up(directory, kept) as lab:
        print(f"pxed is up at {daemon.URL} in the network namespace {lab.network.pxe}; two machines are switched on\n")
        machines = [lab.boot(guest) for guest in GUESTS]
        story = Story(lab, machines)
        story.follow()
        return _summary(lab, machines, story.finished)


def _tell_kept(kept: Kept) -> None:
    enter = f"ip netns exec {kept.prefix}-pxe"
    print(f"\nThe network, its DHCP server and pxed stay up.\n  URL        {daemon.URL}   (inside the namespace)")
    print(f"  enter      {enter} bash\n  ask        {enter} curl -s {daemon.URL}/api/v1/machines")
    print(f"  inventory  {kept.home / 'pxed.yaml'}\n  log        {kept.home / 'pxed.log'}\n  take down  make down")


def _run_kept(kept: Kept) -> bool:
    kept.down()
    try:
        good = _boot(fresh(kept.home), kept)
    except BaseException:
        kept.down()
        raise
    _tell_kept(kept)
    return good


def _run_once() -> bool:
    directory = fresh(ROOT / ".run" / f"demo-{os.getpid()}")
    good = False
    try:
        good = _boot(directory, None)
    finally:
        if good:
            shutil.rmtree(directory)
        else:
            print(f"\nconsoles, logs and the packet capture: {directory}", file=sys.stderr)
    return good


def main(argv: list[str]) -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the network and the daemon up")
    parser.add_argument("--down", action="store_true", help="take down what --keep left up")
    parser.add_argument("--name", default="keep", help="the name of what is kept, if there is to be more than one")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    kept = Kept(options.name)
    if options.down:
        print("taken down" if kept.down() else "nothing was up")
        return 0
    try:
        return 0 if (_run_kept(kept) if options.keep else _run_once()) else 1
    except LabError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
