"""The worst day of a machine: pxed is killed and upgraded while it boots, and it boots."""

from __future__ import annotations

import pytest

from tests.lab import debpackage
from tests.lab.process import run
from tests.lab.vm import Firmware, Guest
from tests.service.site import UNIT, Site, install, inventory_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

GUEST = Guest("bios", Firmware.BIOS)
# 8 MB of kernel then take eight seconds, in which apt has time.
SLOW = ("tbf", "rate", "8mbit", "burst", "32k", "latency", "400ms")
TALKATIVE = "[Service]\nExecStart=\nExecStart=/usr/bin/pxed serve -c /etc/pxed/pxed.yaml --log-level debug\n"


@pytest.fixture(scope="module", autouse=True)
def _enabled(host: Site) -> None:
    host.configure(inventory_of({GUEST: "worker"}))
    host.system.write("/etc/systemd/system/pxed.service.d/talkative.conf", TALKATIVE)
    host.system.run("systemctl", "daemon-reload")
    host.system.run("systemctl", "enable", "--now", UNIT)


def test_a_machine_boots_though_pxed_is_killed_and_then_upgraded(host: Site) -> None:
    package = debpackage.debian_package()
    newer = debpackage.as_version(package, f"{debpackage.field(package, 'Version')}+up1")
    run("ip", "netns", "exec", host.network.pxe, "tc", "qdisc", "add", "dev", "eth0", "root", *SLOW)
    mark, first = host.mark(), host.pid()
    machine = host.boot(GUEST)
    host.event("ipxe", GUEST.name)
    host.system.run("kill", "-KILL", str(first))
    host.wait("vmlinuz", PXED_KIND="progress", PXED_MACHINE=GUEST.name)
    host.restarted(mark)
    second = host.pid()
    install(host.system, newer)
    third = host.pid()
    printout = host.finish(machine)
    assert "pxed.lab=worker" in printout.arguments
    kernel = host.event("kernel", GUEST.name)
    assert "8247232 bytes" in kernel["MESSAGE"]
    assert kernel["_PID"] == str(third), "the download began before the upgrade and ended after it"
    assert len({first, second, third}) == 3
    assert host.system.run("dpkg-query", "-W", "-f", "${Version}", "pxed").endswith("+up1")
