"""What `vagrant up` does in the machine that runs pxed, in a container of Debian 12 instead of the box."""

from __future__ import annotations

import pytest

from tests.lab.debpackage import debian_package
from tests.lab.nspawn import container
from tests.vagrant.site import VAGRANT

pytestmark = pytest.mark.e2e


def test_the_machine_serves_on_the_interface_that_vagrant_gave_its_address() -> None:
    """Twice, as `vagrant provision` does."""
    package = debian_package()
    with container("pxed") as system:
        system.run("ip", "link", "add", "enp0s6", "type", "veth", "peer", "name", "cable")
        system.run("ip", "address", "add", "192.168.79.2/24", "dev", "enp0s6")
        for interface in ("enp0s6", "cable"):
            system.run("ip", "link", "set", interface, "up")
        system.put(package, "/tmp/pxed.deb")
        system.put(VAGRANT / "pxed.yaml", "/tmp/pxed.yaml")
        system.put(VAGRANT / "provision.sh", "/tmp/provision.sh")
        for _ in range(2):
            system.run("/tmp/provision.sh", timeout=200)
            assert system.run("systemctl", "is-active", "pxed").strip() == "active"
        assert "serving 3 machines on 192.168.79.2 (enp0s6): DHCP proxy" in system.said("pxed")
        assert system.run("systemctl", "is-enabled", "pxed").strip() == "enabled"
        assert system.run("stat", "--format=%a %U:%G", "/etc/pxed/pxed.yaml").strip() == "640 root:pxed"
