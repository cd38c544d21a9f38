"""`vagrant up` without any box: machines that boot from pxed on the host, and are gone after `vagrant destroy`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.hypervisor import Hypervisor
from tests.vagrant.site import VAGRANT, expect_boot, pxed_on, vagrant

pytestmark = [pytest.mark.vagrant, pytest.mark.timeout(600)]

MACHINES = {"bios1": "bios", "uefi1": "efi", "bios2": "bios"}


@pytest.fixture
def destroyed(host: Hypervisor) -> Iterator[None]:
    """What vagrant made goes with the namespaces; here it has to go by `vagrant destroy`."""
    yield
    vagrant(host, "host", "destroy", "--force")
    assert not host.virsh("list", "--all", "--name").split()
    assert not host.virsh("net-list", "--all", "--name").split()


@pytest.mark.usefixtures("destroyed")
def test_every_machine_boots_through_pxed_on_the_host(host: Hypervisor) -> None:
    """pxed starts before the network exists, as a service does."""
    host.run(str(VAGRANT / "host" / "network"))
    with pxed_on(host, VAGRANT / "host" / "pxed.yaml") as daemon:
        vagrant(host, "host", "up")
        for machine, firmware in MACHINES.items():
            expect_boot(host, daemon, machine, machine, firmware)
    assert set(re.findall(r"^(\w+) +shutoff", vagrant(host, "host", "status"), re.MULTILINE)) == set(MACHINES)
