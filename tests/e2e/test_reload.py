"""The inventory changes while a machine boots."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import inventory
from tests.lab.inventory import document, profile, sources
from tests.lab.laboratory import laboratory
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 * 2)]

GUEST = Guest("uefi", Firmware.UEFI)


def test_a_reload_during_a_boot_takes_effect_and_a_broken_one_is_refused(artifacts: Path) -> None:
    before = document(artifacts, {GUEST: "worker"}, {"worker": profile("worker", "edition=old")})
    after = document(artifacts, {GUEST: "worker"}, {"worker": profile("worker", "edition=new")})
    with laboratory(artifacts, before, taps=1) as lab:
        machine = lab.boot(GUEST)
        lab.daemon.wait("loader", GUEST.name)
        inventory.write(artifacts, after)
        lab.daemon.wait("reloaded", start=lab.daemon.reload())
        inventory.replace(lab.daemon.config, "machines: {uefi: {mak: 52:54:00:77:00:01, profile: none-such}}\n")
        lab.daemon.wait("reload-failed", start=lab.daemon.reload())
        printout = lab.finish(machine)
        assert ("edition=new" in printout.arguments, "edition=old" in printout.arguments) == (True, False)
        assert sources(printout.config) == {"/etc/hostname": GUEST.name, "/etc/pxed-lab": "worker"}
        refused = lab.daemon.events("reload-failed")
        assert {event["level"] for event in refused} == {"warning"}
        assert "the old inventory stays in force" in refused[0]["text"]
        assert f"{lab.daemon.config}:1:" in refused[0]["text"], "it says where the new inventory is wrong"
