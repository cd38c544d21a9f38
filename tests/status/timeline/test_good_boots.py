"""No false alarm: good boots of every kind, with retransmits, losses, pauses, reboots and odd orders, name no fault."""

from __future__ import annotations

import random

import pytest

from pxed.events import Kind
from pxed.status.timeline import Timeline
from pxed.status.wordings import Severity
from tests.status.scene import Scene

_SEEDS = range(240)
_ARCHES = ("x86-bios", "x86_64-efi", "arm64-efi")
_WAYS = ("memory", "install", "local")
HTTP = "UEFI HTTP Boot"


def _pause(scene: Scene, dice: random.Random, most: float) -> None:
    """Any time below what the step may take."""
    scene.wait(round(dice.uniform(0.05, most), 2))


def _firmware(scene: Scene, dice: random.Random) -> None:
    http = dice.random() < 0.25 and scene.arch != "x86-bios"
    client = HTTP if http else "PXE firmware"
    file = "http://10.0.0.2:8080/loaders/snponly.efi" if http else "snponly.efi"
    if scene.arch == "x86-bios":
        file = "undionly.kpxe"
    elif scene.arch == "arm64-efi":
        file = file.replace("snponly", "snponly-arm64")
    scene.discover(client, file)
    for _ in range(dice.choice((0, 0, 1, 2))):
        _pause(scene, dice, 4.5)
        scene.discover(client, file)
    if dice.random() < 0.5:
        scene.reply()
    _pause(scene, dice, 2)
    scene.request(client)
    _pause(scene, dice, 3)
    if not http and (scene.arch != "x86-bios" or dice.random() < 0.2):
        scene.bootserver()
        _pause(scene, dice, 2)
    name = file.rpartition("/")[2]
    for _ in range(dice.choice((0, 0, 1))):  # EDK2 asks for the size first
        scene.emit(Kind.TRANSFER, "told the size", file=name, stage="loader", result="probed", bytes=0)
    scene.start(name, "loader", 284_672, "http" if http else "tftp")
    for part in range(dice.randrange(4)):
        _pause(scene, dice, 3)
        scene.progress(name, "loader", 50_000 * (part + 1), 284_672, "http" if http else "tftp")
    _pause(scene, dice, 3)
    scene.sent(Kind.LOADER, name, 284_672, "http" if http else "tftp", blksize=1468, retransmits=dice.randrange(4))
    _pause(scene, dice, 35)


def _ipxe(scene: Scene, dice: random.Random) -> None:
    scene.ipxe()
    for _ in range(dice.choice((0, 0, 1, 3))):
        _pause(scene, dice, 4)
        scene.ipxe()
    _pause(scene, dice, 2)
    scene.request("iPXE")
    _pause(scene, dice, 4)
    scene.refused("tftp", 1, "no such file", transport="tftp", file="autoexec.ipxe")


def _load(scene: Scene, dice: random.Random) -> None:
    for kind, file in ((Kind.KERNEL, "vmlinuz"), (Kind.INITRD, "image.cpio.gz")):
        if dice.random() < 0.1:
            scene.start(file, str(kind))
            _pause(scene, dice, 4)
            scene.broken(file, str(kind), 1000)
            _pause(scene, dice, 5)
        scene.start(file, str(kind), 1_000_000)
        for part in range(dice.randrange(6)):
            _pause(scene, dice, 15)
            scene.progress(file, str(kind), 150_000 * (part + 1))
        _pause(scene, dice, 10)
        scene.sent(kind, file)
        _pause(scene, dice, 10)


def _system(scene: Scene, dice: random.Random, *, config: str, report: bool, way: str) -> None:
    _pause(scene, dice, 90)
    if config == "url" or dice.random() < 0.8:
        scene.system("DISCOVER")
        _pause(scene, dice, 10)
        scene.system()
        _pause(scene, dice, 20)
    if config == "url":
        scene.ignition()
        _pause(scene, dice, 60)
    if way == "install":
        scene.emit(Kind.INSTALLING, "installing", address=scene.address)
        _pause(scene, dice, 900)
        scene.emit(Kind.INSTALLED, "installed", address=scene.address)
    elif report:
        scene.system("DISCOVER")
        _pause(scene, dice, 100)
        scene.emit(Kind.RUNNING, "running", address=scene.address)


def play(scene: Scene, dice: random.Random, number: int = 0) -> str:
    """One good boot; its way."""
    way = dice.choice(_WAYS)
    config = "url" if way == "install" else dice.choice(("url", "embedded", "none", "elsewhere"))
    report = way == "memory" and dice.random() < 0.5
    if dice.random() < 0.85:  # else a ROM that is iPXE itself
        _firmware(scene, dice)
    if dice.random() < 0.95:  # else "chain http://HOST/boot.ipxe" by hand
        _ipxe(scene, dice)
    scene.script(way, config=config, report=report, report_within=600 if report else 0, boot=f"b{number}")
    if way != "local":
        _pause(scene, dice, 10)
        _load(scene, dice)
        _system(scene, dice, config=config, report=report, way=way)
    scene.wait(400)
    return way


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_good_boot_is_never_said_to_be_stuck(seed):
    dice = random.Random(seed)
    scene = Scene(arch=dice.choice(_ARCHES))
    way = play(scene, dice)
    alarms = [one for one in scene.found if one and one.severity is not Severity.INFO]
    assert not alarms
    assert scene.boot.outcome == {"memory": "running", "install": "installed", "local": "local"}[way]
    assert len(scene.timeline.recent("node1")) == 1, [boot.stage for boot in scene.timeline.recent("node1")]


@pytest.mark.parametrize("seed", range(20))
def test_boots_of_one_machine_that_follow_each_other_are_told_apart(seed):
    dice = random.Random(seed)
    scene = Scene(arch=dice.choice(_ARCHES))
    for number in range(3):
        play(scene, dice, number)
    assert len(scene.timeline.recent("node1")) == 3
    assert not [one for one in scene.found if one and one.severity is not Severity.INFO]


def test_boots_of_many_machines_at_once_are_told_apart():
    timeline, dice = Timeline(), random.Random(7)
    scenes = [
        Scene(f"node{n}", f"52:54:00:00:01:{n:02x}", timeline=timeline, address=f"10.0.1.{n}") for n in range(1, 60)
    ]
    for scene in scenes:
        scene.discover()
    dice.shuffle(scenes)
    for scene in scenes:
        scene.request().bootserver().loader().ipxe().request("iPXE").script()
    dice.shuffle(scenes)
    for scene in scenes:
        scene.now += 3
        scene.files().system().ignition()
    scenes[0].wait(10)
    assert {scene.boot.outcome for scene in scenes} == {"running"}
    assert {scene.boot.addresses for scene in scenes} == {(scene.address,) for scene in scenes}
