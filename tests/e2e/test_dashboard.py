"""A machine with real firmware boots while the dashboard is open in Chromium: the page tells it as it happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.daemon import URL
from tests.lab.inventory import document
from tests.lab.laboratory import BOOT_TIMEOUT, laboratory
from tests.lab.process import ROOT
from tests.lab.vm import Firmware, Guest
from tests.web.chromium import Browser, browsing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240 * 2)]

SHOTS = ROOT / ".run" / "screenshots"
STAGES = ["discover", "offer", "bootserver", "loader", "ipxe", "script", "kernel", "initrd", "ignition", "running"]
ROW = """
    const row = document.querySelector('.row:not([hidden])')
    return [row.dataset.state, row.querySelector('.stage').textContent.split(' ')[0]]
"""


def watch(browser: Browser) -> tuple[list[str], list[str]]:
    """States and stages of the row as they come, until it runs. A picture is kept of each stage."""
    states: list[str] = []
    stages: list[str] = []

    def look() -> bool:
        state, stage = browser.run(ROW)
        if states[-1:] != [state]:
            states.append(state)
        if stage and stages[-1:] != [stage]:
            stages.append(stage)
            browser.screenshot(SHOTS / f"boot-{len(stages)}-{stage}.png")
        return bool(state == stage == "running")

    browser.until(look, "that it runs", BOOT_TIMEOUT)
    return states, stages


def test_a_boot_is_seen_stage_by_stage(artifacts: Path) -> None:
    guest = Guest("uefi", Firmware.UEFI)
    with (
        laboratory(artifacts, document(artifacts, {guest: "efi"}), taps=1) as lab,
        browsing(artifacts, lab.network.dhcp) as browser,
    ):
        browser.go(f"{URL}/")
        browser.wait_text("live", "#link")
        browser.wait("return document.querySelector('.row:not([hidden])')")
        machine = lab.boot(guest)
        states, stages = watch(browser)
        lab.finish(machine)
        assert (states[0], states[-1]) == ("idle", "running")
        assert "stuck" not in states
        assert stages == sorted(stages, key=STAGES.index), "a stage came back"
        assert {"bootserver", "initrd"} <= set(stages), "those that last longest were not seen"
        assert (stages[-1], len(stages) >= 4) == ("running", True)
        browser.go(f"{URL}/#/machine/uefi")
        browser.wait("return document.querySelectorAll('.waterfall .bar').length > 8")
        bars = browser.run("return [...document.querySelectorAll('.bar .stage')].map((one) => one.textContent)")
        browser.screenshot(SHOTS / "boot-machine.png")
        assert [stage for stage in STAGES if stage in bars] == STAGES
        assert browser.text(".verdict") == ""
        assert "pxed.lab=efi" in browser.text(".preview")
