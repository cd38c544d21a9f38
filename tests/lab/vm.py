"""Virtual machines with real firmware, without disks unless they are given some.

KVM is never used: there are hosts whose /dev/kvm opens and then hangs the guest. TCG boots a machine in seconds.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.lab import disks, guest
from tests.lab.netns import Network
from tests.lab.process import LabError, Program, spawn
from tests.lab.tail import Tail

_OVMF = Path("/usr/share/OVMF")
# What a firmware says when it gives up: SeaBIOS, OVMF after a boot loader that returned, OVMF without an answer.
_GIVEN_UP = (
    "No bootable device",
    "BdsDxe: failed to start Boot",
    "BdsDxe: failed to load Boot0001",
    "PXE-E16",
    "PXE-E18",
    "PXE-E23",
    "PXE-E99",
)


class Firmware(StrEnum):
    """How a machine starts."""

    BIOS = "bios"  # SeaBIOS with the iPXE ROM that QEMU brings
    UEFI = "uefi"  # OVMF's own PXE client: arch 7, asks on port 4011
    UEFI_SECURE = "uefi-secure"  # the same with Secure Boot on, and Microsoft's keys as boards have them
    UEFI_HTTP = "uefi-http"  # OVMF's HTTP Boot: arch 16, vendor class HTTPClient


@dataclass(frozen=True, slots=True)
class Guest:
    """A machine before it is switched on. `number` gives it its tap, MAC, UUID and serial number."""

    name: str
    firmware: Firmware
    number: int = 0
    memory: int = field(default=0)  # MiB; 0: what its firmware needs
    disks: tuple[int, ...] = ()  # GiB; a machine with a disk starts again when it reboots

    @property
    def mac(self) -> str:
        return f"52:54:00:77:00:{self.number + 1:02x}"

    @property
    def uuid(self) -> str:
        return f"4c4c4544-0077-4000-8000-5254007700{self.number + 1:02x}"

    @property
    def serial(self) -> str:
        return f"PXEDLAB{self.number + 1:04}"

    @property
    def megabytes(self) -> int:
        return self.memory or {Firmware.BIOS: 192, Firmware.UEFI_SECURE: 512}.get(self.firmware, 320)


def _firmware(machine: Guest, directory: Path) -> list[str]:
    if machine.firmware is Firmware.BIOS:
        return ["-machine", "pc,graphics=off"]  # graphics=off: SeaBIOS and iPXE talk on the serial line
    variables = directory / f"{machine.name}.vars"
    secure = machine.firmware is Firmware.UEFI_SECURE
    shutil.copyfile(_OVMF / ("OVMF_VARS_4M.ms.fd" if secure else "OVMF_VARS_4M.fd"), variables)
    argv = ["-machine", "q35,smm=on" if secure else "q35"]
    if secure:  # its variables may only be written in System Management Mode
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"]
    code = "OVMF_CODE_4M.secboot.fd" if secure else "OVMF_CODE_4M.fd"
    argv += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={_OVMF / code}"]
    argv += ["-drive", f"if=pflash,format=raw,unit=1,file={variables}"]
    if machine.firmware is Firmware.UEFI_HTTP:  # without its PXE clients HTTP Boot is what remains
        argv += ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no"]
        argv += ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no"]
    elif machine.disks:  # the order of boot has all of a card's clients, and PXE by IPv6 without an answer takes 63 s
        argv += ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no"]
    return argv


def tap(machine: Guest) -> str:
    """The QEMU back end that plugs the machine into the network directly."""
    return f"tap,id=net,ifname=tap{machine.number},script=no,downscript=no"


def command(machine: Guest, directory: Path, netdev: str) -> list[str]:
    """QEMU's command line. An empty romfile= leaves OVMF its own PXE client; with the ROM, iPXE would be the client."""
    rom = "" if machine.firmware is Firmware.BIOS else ",romfile="
    argv = [
        "qemu-system-x86_64",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "1",
        "-m",
        str(machine.megabytes),
    ]
    argv += ["-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]
    argv += disks.arguments(directory, machine.name, machine.serial, machine.disks)
    argv += _firmware(machine, directory)
    argv += ["-uuid", machine.uuid, "-smbios", f"type=1,serial={machine.serial},manufacturer=pxed,product=laboratory"]
    argv += ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
    argv += ["-netdev", netdev, "-device", f"virtio-net-pci,netdev=net,mac={machine.mac},bootindex=0{rom}"]
    argv += ["-chardev", f"file,id=console,path={directory / machine.name}.serial,append=on"]
    return [*argv, "-serial", "chardev:console"]


def _last_word(line: str) -> str | None:
    """What ends the wait for a machine: "done" or "given up"."""
    said = guest.said(line)
    if said and said[0] == "done":
        return "done"
    return "given up" if any(words in line for words in _GIVEN_UP) else None


class Vm:
    """A running machine: its serial console is followed while it boots."""

    def __init__(self, machine: Guest, program: Program, console: Path) -> None:
        self.machine = machine
        self.program = program
        self.console = Tail(console, program.alive)
        self.started = time.monotonic()

    def printout(self) -> guest.Printout:
        """What the machine has printed so far."""
        self.console.poll()
        return guest.read(self.console.lines)

    def wait_for(self, text: str, timeout: float) -> bool:
        """Whether the console shows `text` within `timeout` seconds."""
        return self.console.wait(lambda line: True if text in line else None, timeout) is not None

    def wait_line(self, text: str, timeout: float, start: int = 0) -> int:
        """The number of the line after the first one from `start` on that has `text` in it: from where to read on.

        0 if there is none within `timeout` seconds.
        """
        self.console.wait(lambda line: True if text in line else None, timeout, start)
        return next((at + 1 for at, line in enumerate(self.console.lines) if at >= start and text in line), 0)

    def reset(self) -> None:
        """Press its reset button."""
        assert self.machine.disks, "only a machine with a disk starts again"
        disks.reset(self.program.pid)

    def wait_done(self, timeout: float) -> guest.Printout:
        """Until the machine has printed all and switched itself off, or its firmware has given up, or time is up."""
        if self.console.wait(_last_word, timeout) == "done":
            self.program.wait(10)
        return self.printout()

    def over(self) -> bool:
        """Whether nothing more is to come: it is off, or its firmware has given up."""
        self.console.poll()
        return not self.program.alive() or any(_last_word(line) == "given up" for line in self.console.lines)


def switch_on(machine: Guest, network: Network, directory: Path, netdev: str = "") -> Vm:
    """Start the machine; its console goes to `directory`/NAME.serial."""
    console = directory / f"{machine.name}.serial"
    console.write_bytes(b"")
    argv = command(machine, directory, netdev or tap(machine))
    if machine.disks:
        argv = disks.on_and_on(argv)
    program = spawn(argv, log=directory / f"{machine.name}.qemu", namespace=network.switch, name=machine.name)
    if program.wait(0.2) is not None:
        raise LabError(f"QEMU did not start {machine.name}:\n{program.output.end()}")
    return Vm(machine, program, console)


@contextlib.contextmanager
def booting(machine: Guest, network: Network, directory: Path, netdev: str = "") -> Iterator[Vm]:
    """The machine for the length of the block; killed at its end if it still runs."""
    vm = switch_on(machine, network, directory, netdev)
    try:
        yield vm
    finally:
        vm.program.stop()
