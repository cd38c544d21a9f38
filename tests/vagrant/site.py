"""The files of vagrant/ in the laboratory: its inventories with the laboratory's image, its domains by TCG."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab import guest, inventory
from tests.lab.daemon import HTTP_PORT, Daemon, serving_in
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import ROOT, LabError, run

VAGRANT = ROOT / "vagrant"
LIBVIRT = VAGRANT / "libvirt"
PXED = Path(sys.executable).with_name("pxed")
MEGABYTES = {"bios": 192, "uefi": 320}
BOOT_SECONDS = 120.0  # a machine takes 25 on an idle host


def lab_inventory(directory: Path, source: Path, **server: Any) -> Path:
    """An inventory of vagrant/, its `server` and `machines` as they are, with an image that boots in 192 MB."""
    document = yaml.load(source.read_text(), yaml.BaseLoader)  # a MAC must not become a number
    settings = document["server"] | {"data_dir": str(directory / "data")} | server
    names = {settings["profile"] for settings in document["machines"].values()}
    plain = {
        "server": settings,
        "images": {inventory.IMAGE: inventory.document(directory, {})["images"][inventory.IMAGE]},
        "profiles": {name: inventory.profile(name) for name in names},
        "machines": document["machines"],
    }
    inventory.fill(directory)
    return inventory.write(directory, plain)


@contextlib.contextmanager
def pxed_on(host: Hypervisor, source: Path, **server: Any) -> Iterator[Daemon]:
    """pxed on the hypervisor itself, for the length of the block."""
    with serving_in(host.namespace, lab_inventory(host.directory, source, **server), host.directory) as daemon:
        yield daemon


def stages_by_status(host: Hypervisor) -> Mapping[str, str]:
    """Machine to the stage that `pxed status --json` gives its newest boot."""
    argv = (str(PXED), "status", "--json", "--server", f"http://127.0.0.1:{HTTP_PORT}")
    answer = json.loads(run("ip", "netns", "exec", host.namespace, *argv))
    return {row["name"]: row["stage"] for row in answer["machines"]}


def expect_boot(host: Hypervisor, daemon: Daemon, console: str, machine: str, firmware: str) -> None:
    """The machine ran its kernel and said so: on its serial line, and to pxed."""
    tail = host.console(console)
    started = time.monotonic()
    if tail.wait(lambda line: line if "PXED-LAB done" in line else None, BOOT_SECONDS) is None:
        raise LabError(f"{machine} did not boot: {tail.end()}\n{daemon.program.output.end(40)}")
    printout = guest.read(tail.lines)
    assert printout.firmware == firmware
    assert printout.reported and printout.config["ignition"]
    daemon.wait("running", machine, 10)
    assert stages_by_status(host)[machine] == "running"
    print(f"{machine}: {time.monotonic() - started:.1f} s")


def vagrant(host: Hypervisor, place: str, *argv: str) -> str:
    """A vagrant command in vagrant/`place`, by TCG, with its state and the machines' consoles in the laboratory."""
    env = {
        "VAGRANT_CWD": str(VAGRANT / place),
        "VAGRANT_HOME": str(host.directory / "home"),
        "VAGRANT_DOTFILE_PATH": str(host.directory / f"dot-{place}"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "PXED_DRIVER": "qemu",
        "PXED_MEMORY": "320",
        "PXED_CONSOLE": str(host.directory),
    }
    return host.run("vagrant", *argv, timeout=400, env=env)
