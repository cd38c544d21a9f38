"""Which machine gets what: two machines at once with different profiles, beside one that pxed must not touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.capture import frames
from tests.lab.inventory import document, profile, sources
from tests.lab.laboratory import Lab, laboratory
from tests.lab.stages import missing
from tests.lab.vm import Firmware, Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180 * 2)]

WORKER = Guest("worker1", Firmware.UEFI, 0)
EDGE = Guest("edge1", Firmware.BIOS, 1)
STRANGER = Guest("stranger", Firmware.BIOS, 2)


def frames_to(lab: Lab, mac: str) -> list[str]:
    """What pxed's host sent to this machine: the frames to its address, and broadcasts that name it."""
    ours, raw = lab.network.pxe_mac(), bytes.fromhex(mac.replace(":", ""))
    sent = [frame for frame in frames(lab.capture) if frame.source_mac == ours]
    named = [frame for frame in sent if frame.target_mac == mac or raw in frame.payload]
    return [f"{frame.source}:{frame.sport} -> {frame.target}" for frame in named]


def test_machines_get_their_own_profiles_and_an_unlisted_one_is_left_alone(artifacts: Path) -> None:
    profiles = {"worker": profile("worker", "role=etcd"), "edge": profile("edge", "role=gateway")}
    inventory = document(artifacts, {WORKER: "worker", EDGE: "edge"}, profiles)
    inventory["machines"][EDGE.name] = {"uuid": EDGE.uuid, "profile": "edge"}  # this one is known by its UUID alone
    with laboratory(artifacts, inventory, taps=3) as lab:
        worker, edge, stranger = (lab.boot(guest) for guest in (WORKER, EDGE, STRANGER))
        first, second = lab.finish(worker), lab.finish(edge)
        assert ("role=etcd" in first.arguments, "role=gateway" in first.arguments) == (True, False)
        assert ("role=etcd" in second.arguments, "role=gateway" in second.arguments) == (False, True)
        assert sources(first.config) == {"/etc/hostname": WORKER.name, "/etc/pxed-lab": "worker"}
        assert sources(second.config) == {"/etc/hostname": EDGE.name, "/etc/pxed-lab": "edge"}
        assert [missing(lab.daemon.events(), guest.name) for guest in (WORKER, EDGE)] == [[], []]
        assert stranger.wait_for("No bootable device", timeout=90), stranger.console.end()
        assert f"net0: {STRANGER.mac}" in "\n".join(stranger.console.lines), "the stranger tried to boot"
        assert any(message.chaddr == STRANGER.mac and message.yiaddr != "0.0.0.0" for message in lab.messages())
        assert STRANGER.mac in {event["mac"] for event in lab.daemon.events("ignored")}, "pxed says that it ignored it"
        assert frames_to(lab, EDGE.mac), "the check below can see pxed's frames"
        assert frames_to(lab, STRANGER.mac) == []
