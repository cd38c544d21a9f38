"""Restarts of the service in the middle of transfers: real systemd with its file descriptor store, clients that others
wrote, the bytes compared.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.lab.netns import PXE_ADDRESS
from tests.lab.process import Program, running, spawn
from tests.lab.vm import Firmware, Guest
from tests.service.site import HOME, PROBE, UNIT, Site, inventory_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

LOCKSTEP, WINDOWS, KERNEL = os.urandom(16 << 20), os.urandom(24 << 20), os.urandom(24 << 20)
AWAKE, ASLEEP = 0.004, 0.03  # seconds in turn that TFTP's clients run and are stopped: else a second is enough
PLAYED = "52:54:00:77:00:50"


@pytest.fixture(scope="module", autouse=True)
def _enabled(host: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    document = inventory_of({Guest("uefi", Firmware.UEFI): "worker"})
    document["images"]["big"] = {"kernel": "big/vmlinuz"}
    document["machines"]["played"] = {"mac": PLAYED, "profile": "worker"}
    host.configure(document)
    files = tmp_path_factory.mktemp("files")
    served = {"loaders/lockstep": LOCKSTEP, "loaders/windows": WINDOWS, "images/big/vmlinuz": KERNEL}
    for name, content in served.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_bytes(content)
        host.system.put(files / name, f"{HOME}/{name}")
    host.system.run("chown", "-R", "pxed:pxed", str(HOME))
    host.system.run("systemctl", "enable", "--now", UNIT)


class Clients:
    """Three that fetch slowly, from the DHCP server's host."""

    def __init__(self, host: Site, place: Path) -> None:
        lockstep, windows = str(place / "lockstep"), str(place / "windows")
        url = f"http://{PXE_ADDRESS}:8080/images/big/vmlinuz"
        lines = {
            "lockstep": ["tftp", "-m", "octet", PXE_ADDRESS, "-c", "get", "lockstep", lockstep],
            "windows": ["atftp", "--option", "windowsize 4", "-g", "-r", "windows", "-l", windows, PXE_ADDRESS],
            "kernel": ["curl", "-sS", "--fail", "--limit-rate", "4M", "-o", str(place / "kernel"), url],
        }
        self.place = place
        self.programs: dict[str, Program] = {}
        self._done = False
        self._slowed = threading.Thread(target=self._slow_down)
        self._slowed.start()
        for name, line in lines.items():
            self.programs[name] = spawn(line, log=place / f"{name}.log", namespace=host.network.dhcp)

    def _slow_down(self) -> None:
        while not self._done:
            for number, seconds in ((signal.SIGSTOP, ASLEEP), (signal.SIGCONT, AWAKE)):
                for program in [self.programs[name] for name in ("lockstep", "windows") if name in self.programs]:
                    program.signal(number)
                time.sleep(seconds)

    def started(self) -> None:
        """Wait until each of them has got something."""
        end = time.monotonic() + 30
        while not all((file := self.place / name).exists() and file.stat().st_size for name in self.programs):
            assert time.monotonic() < end, {one: program.output.end() for one, program in self.programs.items()}
            time.sleep(0.01)

    def finish(self) -> dict[str, bytes]:
        """What each of them got."""
        try:
            ends = {name: (program.wait(60), program.output.end()) for name, program in self.programs.items()}
            assert {status for status, _ in ends.values()} == {0}, ends
            return {name: (self.place / name).read_bytes() for name in self.programs}
        finally:
            self._done = True
            self._slowed.join()
            for program in self.programs.values():
                program.stop()


def store(host: Site) -> int:
    """How many descriptors systemd keeps."""
    return int(host.system.show(UNIT, "NFileDescriptorStore"))


def test_transfers_go_on_over_restarts_byte_for_byte(host: Site, tmp_path: Path) -> None:
    assert store(host) == 4, "67, 4011, 69 and 8080"
    mark, pids = host.mark(), {host.pid()}
    clients = Clients(host, tmp_path)
    clients.started()
    for _ in range(2):
        host.system.run("systemctl", "restart", UNIT)
        pids.add(host.pid())
    assert clients.finish() == {"lockstep": LOCKSTEP, "windows": WINDOWS, "kernel": KERNEL}
    assert len(pids) == 3
    assert "2 TFTP and 1 HTTP transfers" in host.wait("goes on with", start=mark)["MESSAGE"]
    assert f"{len(KERNEL)} bytes" in host.event("kernel", start=mark)["MESSAGE"]
    assert f"{len(LOCKSTEP)} bytes" in host.wait("sent lockstep", start=mark)["MESSAGE"]
    assert f"{len(WINDOWS)} bytes" in host.wait("sent windows", start=mark)["MESSAGE"]
    assert store(host) == 4, "transfers are let go of as they are taken up"


def test_a_boot_completes_over_restarts_in_the_middle(host: Site, tmp_path: Path) -> None:
    """pxed-probe's UEFI machine, with DHCP, while the service restarts again and again."""
    argv = [str(PROBE), "boot", "-i", host.network.clients, "--as", "uefi", "--mac", PLAYED, "--server", PXE_ADDRESS]
    with running(argv, log=tmp_path / "log", namespace=host.network.switch) as machine:
        restarts = 0
        while machine.alive():
            host.system.run("systemctl", "restart", UNIT)
            restarts += 1
            time.sleep(0.5)
    assert (machine.returncode, restarts > 1) == (0, True), machine.output.end()


def test_a_killed_service_leaves_its_ports_open(host: Site) -> None:
    mark = host.mark()
    host.system.run("kill", "-KILL", str(host.pid()))
    assert host.health()["status"] == "ok", "the connection waited for the next process"
    host.restarted(mark)
    assert store(host) == 4


def test_what_finds_no_room_ends_before_the_restart(host: Site, tmp_path: Path) -> None:
    """Room for the four ports and the note alone: the transfers are drained, as without a store."""
    host.system.write("/etc/systemd/system/pxed.service.d/store.conf", "[Service]\nFileDescriptorStoreMax=7\n")
    host.system.run("systemctl", "daemon-reload")
    host.system.run("systemctl", "stop", UNIT)
    assert store(host) == 0, "a stop lets go of all"
    host.system.run("systemctl", "start", UNIT)
    mark, clients = host.mark(), Clients(host, tmp_path)
    clients.started()
    host.system.run("systemctl", "restart", UNIT)
    assert clients.finish() == {"lockstep": LOCKSTEP, "windows": WINDOWS, "kernel": KERNEL}
    late = [one for one in host.system.journal(UNIT) if int(one["__REALTIME_TIMESTAMP"]) > mark]
    assert not [one for one in late if "goes on" in str(one["MESSAGE"])]
