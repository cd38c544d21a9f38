"""Vagrant takes the Vagrantfiles, and the inventories beside them have their machines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pxed.server.load import load_snapshot
from tests.lab.hypervisor import Hypervisor
from tests.vagrant.site import VAGRANT, vagrant

pytestmark = pytest.mark.e2e

CLIENTS = dict(re.findall(r'\["(\w+)", "([0-9a-f:]{17})"', (VAGRANT / "clients.rb").read_text()))


@pytest.mark.parametrize("place", ["", "host"])
def test_vagrant_validates(host: Hypervisor, place: str) -> None:
    assert "validated successfully" in vagrant(host, place, "validate")


@pytest.mark.parametrize("path", sorted(VAGRANT.glob("**/pxed.yaml")), ids=lambda path: path.parent.name)
def test_the_inventory_has_each_machine_by_its_mac(path: Path) -> None:
    machines = load_snapshot(path).inventory.machines
    assert {name: ",".join(map(str, machine.macs)) for name, machine in machines.items()} == CLIENTS
