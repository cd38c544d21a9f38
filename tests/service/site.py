"""A provisioning host in a container: pxed as a service of real systemd, on a laboratory's network with machines."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab import daemon, debpackage, dhcpserver, inventory, netns, nspawn, process, stages, vm
from tests.lab.guest import Printout

UNIT = "pxed.service"
HOME = Path("/var/lib/pxed")
CONFIG = "/etc/pxed/pxed.yaml"
BOOT_TIMEOUT = 120.0
PROBE = Path(sys.executable).with_name("pxed-probe")


@dataclass(slots=True)
class Site:
    """One host and its network. `log` follows the unit's journal from the beginning."""

    directory: Path
    network: netns.Network
    system: nspawn.Container
    log: process.Program
    _stack: contextlib.ExitStack

    def configure(self, document: Mapping[str, Any]) -> None:
        """Write the inventory and the configs that it names, for root and pxed only."""
        for profile in document["profiles"].values():
            name = profile["ignition"]
            self._secret(f"/etc/pxed/{name}", inventory.ignition(Path(name).stem))
        self.write_inventory(yaml.safe_dump(dict(document), sort_keys=False))

    def write_inventory(self, text: str) -> None:
        self._secret(CONFIG, text)

    def _secret(self, path: str, text: str) -> None:
        self.system.write(path, text)
        self.system.run("chown", "root:pxed", path)
        self.system.run("chmod", "0640", path)

    def pid(self) -> int:
        """The daemon, as the container counts."""
        return int(self.system.show(UNIT, "MainPID"))

    def status(self) -> dict[str, str]:
        """/proc/PID/status of the daemon."""
        lines = self.system.run("cat", f"/proc/{self.pid()}/status").splitlines()
        return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}

    def ask(self, path: str, *, token: str = "", method: str = "GET") -> tuple[int, str]:
        """HTTP from the DHCP server's host: status and body."""
        head = ("--header", f"Authorization: Bearer {token}") if token else ()
        url = f"{daemon.URL}{path}"
        argv = ["curl", "-sS", "--max-time", "20", "-X", method, *head, "-w", "\n%{http_code}", url]
        said = process.run("ip", "netns", "exec", self.network.dhcp, *argv)
        body, _, status = said.rpartition("\n")
        return int(status), body

    def health(self) -> dict[str, Any]:
        """What /healthz says."""
        found: dict[str, Any] = json.loads(self.ask("/healthz")[1])
        return found

    def mark(self) -> int:
        """Now, in the journal's microseconds: from where to wait for what comes next."""
        self.system.run("journalctl", "--sync")
        return time.time_ns() // 1000

    def restarted(self, start: int) -> None:
        """Wait until systemd has started the daemon again by itself, and that is ready."""
        entry = self.wait("Scheduled restart job", start=start)
        self.event("ready", start=int(entry["__REALTIME_TIMESTAMP"]))

    def wait(self, words: str, *, start: int = 0, timeout: float = 60.0, **fields: str) -> dict[str, Any]:
        """The first entry since `start` with these words in it and these fields; LabError if none comes."""

        def find(line: str) -> dict[str, Any] | None:
            entry: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            late = int(entry.get("__REALTIME_TIMESTAMP", -1)) >= start
            fits = late and all(entry.get(name) == value for name, value in fields.items())
            return entry if fits and words in str(entry.get("MESSAGE")) else None

        if (entry := self.log.output.wait(find, timeout)) is None:
            raise process.LabError(f"no {words!r} {fields} in {timeout} s; the journal:\n{self.system.said(UNIT)}")
        return entry

    def event(self, kind: str, machine: str = "", *, start: int = 0, timeout: float = 60.0) -> dict[str, Any]:
        """The entry of an event."""
        who = {"PXED_MACHINE": machine} if machine else {}
        return self.wait("", start=start, timeout=timeout, PXED_KIND=kind, **who)

    def boot(self, machine: vm.Guest) -> vm.Vm:
        """Switch a machine on."""
        return self._stack.enter_context(vm.booting(machine, self.network, self.directory))

    def finish(self, machine: vm.Vm) -> Printout:
        """The print-out of a machine that booted, reported and switched itself off; else LabError with the story."""
        printout = machine.wait_done(BOOT_TIMEOUT)
        if not (printout.done and printout.ignition and printout.reported):
            entries = [one for one in self.system.journal(UNIT) if "PXED_KIND" in one]
            told = [{"kind": one["PXED_KIND"], "machine": one.get("PXED_MACHINE")} for one in entries]
            raise process.LabError(
                f"{stages.stop_sentence(told, machine.machine.name)}\n"
                f"{machine.console.end()}\nthe journal:\n{self.system.said(UNIT)[-6000:]}"
            )
        return printout

    def play(self, mac: str) -> subprocess.CompletedProcess[str]:
        """A boot by pxed-probe from the machines' segment: seconds, where a virtual machine takes ten."""
        argv = [
            str(PROBE),
            "boot",
            "-i",
            self.network.clients,
            "--as",
            "uefi",
            "--mac",
            mac,
            "--server",
            netns.PXE_ADDRESS,
        ]
        enter = ("ip", "netns", "exec", self.network.switch)
        return subprocess.run([*enter, *argv], capture_output=True, text=True, check=False, timeout=90)


def inventory_of(machines: Mapping[vm.Guest, str], **server: Any) -> dict[str, Any]:
    """An inventory of the laboratory for this host."""
    found = inventory.document(HOME, machines)
    found["server"] |= {"data_dir": str(HOME), **server}
    return found


def install(system: nspawn.Container, package: Path) -> None:
    """As an administrator does, without a network: what the package depends on is in apt's cache."""
    system.put(package, "/root/pxed.deb")
    system.run("apt-get", "install", "--yes", "--no-install-recommends", "/root/pxed.deb", timeout=120)


@contextlib.contextmanager
def site(name: str, directory: Path, *, taps: int = 2) -> Iterator[Site]:
    """The host with pxed's Debian package installed and its image in place, nothing enabled or started yet."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(netns.network(taps))
        stack.enter_context(dhcpserver.serving(network, directory))
        system = stack.enter_context(nspawn.container(name, network=network.pxe))
        install(system, debpackage.debian_package())
        inventory.fill(directory)
        system.put(directory / "data" / "images", f"{HOME}/images")
        system.run("chown", "-R", "pxed:pxed", str(HOME))
        log = stack.enter_context(system.following(UNIT, directory / "journal.log"))
        yield Site(directory, network, system, log, stack)
