"""A boot whose DHCP pxed has not seen, for it was restarted between that and the script: the boot heals itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.inventory import document, sources
from tests.lab.laboratory import laboratory
from tests.lab.process import run
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 * 2)]

GUEST = Guest("node1", Firmware.BIOS)
LEASES = ("10.77.0.64/26", "10.77.0.128/25")  # where the DHCP server's addresses are


def test_a_boot_that_pxed_did_not_see_shows_itself_and_goes_on(artifacts: Path) -> None:
    """Until pxed is back, what it answers by TCP goes nowhere: the machine waits for its script, and is not refused."""
    with laboratory(artifacts, document(artifacts, {GUEST: "worker"}), taps=1) as lab:
        for leases in LEASES:
            run("ip", "-n", lab.network.pxe, "route", "add", "blackhole", leases)
        machine = lab.boot(GUEST)
        lab.daemon.wait("ipxe", GUEST.name)
        lab.crash()
        assert lab.daemon.events("script") == []
        lab.restart()
        for leases in LEASES:
            run("ip", "-n", lab.network.pxe, "route", "del", "blackhole", leases)
        printout = lab.finish(machine)
        assert machine.wait_for("pxed has not seen the DHCP of this boot", timeout=0)
        assert sources(printout.config) == {"/etc/hostname": GUEST.name, "/etc/pxed-lab": "worker"}
        ways = [event["text"] for event in lab.daemon.events("script", GUEST.name)]
        assert [("announce" in way, "memory" in way) for way in ways] == [(True, False), (False, True)]
        assert lab.daemon.events("alert") == []
