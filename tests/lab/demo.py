"""`make run`: boot one UEFI and one BIOS machine through pxed on a private network, and tell it as it happens.

    python -m tests.lab.demo [--keep | --down]

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

from tests.lab import capture, daemon, dhcpserver, inventory, keep, netns, stages
from tests.lab.inventory import document, profile, sources
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
def _up(directory: Path, *, keeping: bool) -> Iterator[Lab]:
    """The network, the DHCP server and pxed; they stay if `keeping`."""
    config = inventory.write(directory, example(directory))
    inventory.fill(directory)
    with contextlib.ExitStack() as stack:
        if keeping:
            network = netns.up(len(GUESTS), prefix=keep.PREFIX)
            dhcp = dhcpserver.start_server(network, directory, outlive=True)
            keep.remember([dhcp.pid])
            served = daemon.start(network, config, directory, outlive=True)
            keep.remember([dhcp.pid, served.program.pid])
        else:
            network = stack.enter_context(netns.network(len(GUESTS)))
            stack.enter_context(dhcpserver.serving(network, directory))
            served = stack.enter_context(daemon.serving(network, config, directory))
        path = stack.enter_context(capture.capturing(network, network.clients, directory / "clients.pcap"))
        yield Lab(directory, network, served, path, stack)


def _tell(seconds: float, machine: str, stage: str, text: str) -> None:
    print(f"{seconds:6.1f} s  {machine:<6} {stage:<11} {text}", flush=True)


def _follow(lab: Lab, machines: list[Vm]) -> dict[str, float]:
    """Tell every stage of every machine until all are done or time is up; gives the seconds of those that are done."""
    began = time.monotonic()
    told: set[tuple[str, str, str]] = set()
    finished: dict[str, float] = {}
    while len(finished) < len(machines) and time.monotonic() - began < BOOT_TIMEOUT:
        for event in lab.daemon.events():
            key = (event.get("machine", ""), event["kind"], event["text"])
            if event["kind"] in stages.STAGES and key[0] and key not in told:
                told.add(key)
                _tell(time.monotonic() - began, key[0], key[1], key[2])
        for vm in machines:
            if vm.machine.name not in finished and vm.over():
                finished[vm.machine.name] = time.monotonic() - began
                how = "its firmware has given up" if vm.program.alive() else "the machine has switched itself off"
                _tell(finished[vm.machine.name], vm.machine.name, "off", how)
        time.sleep(POLL)
    return finished


def _faults(lab: Lab, vm: Vm) -> list[str]:
    """Everything that this boot should have done and has not."""
    name, printout = vm.machine.name, vm.printout()
    faults = [f"pxed saw no {stage} stage" for stage in stages.missing(lab.daemon.events(), name)]
    if f"pxed.lab={GUESTS[vm.machine]}" not in printout.arguments:
        faults.append(f"the kernel's command line is not its profile's: {printout.cmdline or 'none printed'}")
    try:
        if sources(printout.config)["/etc/hostname"] != name:
            faults.append(f"the Ignition config is another machine's: {printout.ignition}")
    except (ValueError, KeyError, TypeError):
        faults.append(f"the guest printed no Ignition config: {printout.ignition or 'nothing'}")
    return faults


def _summary(lab: Lab, machines: list[Vm], seconds: dict[str, float]) -> bool:
    """The closing table; whether every machine got there."""
    events, good = lab.daemon.events(), True
    rows = [("machine", "firmware", "result", "seconds", "stages")]
    for vm in machines:
        faults = _faults(lab, vm)
        good = good and not faults
        took = f"{seconds[vm.machine.name]:.1f}" if vm.machine.name in seconds else "-"
        stage_list = " ".join(stages.reached(events, vm.machine.name))
        rows.append(
            (
                vm.machine.name,
                vm.printout().firmware or str(vm.machine.firmware),
                "FAILED" if faults else "booted",
                took,
                stage_list,
            )
        )
        for fault in faults:
            print(f"FAILED  {vm.machine.name}: {fault}")
        if faults:
            print(lab.story(vm))
    print()
    for row in rows:
        print("{:<9} {:<9} {:<8} {:>7}  {}".format(*row))
    return good


def _boot(directory: Path, *, keeping: bool) -> bool:
    with _up(directory, keeping=keeping) as lab:
        print(
            f"pxed is up at {daemon.URL} in the namespace {lab.network.pxe}; switching on {len(GUESTS)} machines\n",
            flush=True,
        )
        machines = [lab.boot(guest) for guest in GUESTS]
        return _summary(lab, machines, _follow(lab, machines))


def _kept(directory: Path) -> None:
    print(f"\nThe network, its DHCP server and pxed stay up:\n  URL       {daemon.URL}   (inside the namespace)")
    print(
        f"  enter     ip netns exec {keep.PREFIX}-pxe bash\n"
        f"  ask       ip netns exec {keep.PREFIX}-pxe curl {daemon.URL}/healthz"
    )
    print(f"  inventory {directory / 'pxed.yaml'}\n  log       {directory / 'pxed.log'}\n  take down make down")


def main(argv: list[str]) -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the network and the daemon up")
    parser.add_argument("--down", action="store_true", help="take down what --keep left up")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.down or options.keep:
        there = keep.down()
    if options.down:
        print("taken down" if there else "nothing was up")
        return 0
    directory = fresh(keep.HOME if options.keep else ROOT / ".run" / f"demo-{os.getpid()}")
    try:
        good = _boot(directory, keeping=options.keep)
    except LabError as error:
        print(f"make run: {error}", file=sys.stderr)
        good = False
    if options.keep:
        _kept(directory)
    elif good:
        shutil.rmtree(directory)
    else:
        print(f"\nconsoles, logs and the packet capture: {directory}", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
