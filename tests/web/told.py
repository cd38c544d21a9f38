"""Fleets as tests and screenshots show them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from pxed.status.boots import Boot, Note, Outcome, Span, Speaker, Stage
from pxed.status.faults import finding
from pxed.status.wordings import Fault
from tests.server.timelines import boot_of
from tests.web.site import LARGE, mac_of, name_of


def running_boot(machine: str, mac: str, identifier: str, began: float) -> Boot:
    """One that went well."""
    boot = boot_of(machine, mac, identifier, began)
    kernel = boot.spans[-1]
    kernel.ended, kernel.bytes = began + 6, kernel.due
    boot.spans += [
        Span(Stage.INITRD, Speaker.IPXE, began + 6, began + 9, 1, True, "initrd.img", "http", 400_000_000, 400_000_000),
        Span(Stage.IGNITION, Speaker.INITRAMFS, began + 15, began + 15.2, 2, True, "node1.ign", "http", 4000, 4000),
        Span(Stage.RUNNING, Speaker.OS, began + 24, began + 24, text="the machine reports: running"),
    ]
    boot.samples += [(began + 6.1, 61_000_900), (began + 7, 200_000_000), (began + 9, 461_000_900)]
    boot.stage, boot.since, boot.last, boot.outcome = Stage.RUNNING, began + 24, began + 24, Outcome.RUNNING
    boot.ended = began + 24
    boot.notes = [Note(began + 20, "systemd[1]: Reached target Multi-User System.")]
    return boot


def stuck_boot(machine: str, mac: str, identifier: str, began: float) -> Boot:
    """One whose boot loader does not arrive."""
    boot = boot_of(machine, mac, identifier, began)
    boot.spans = boot.spans[:4]
    loader = boot.spans[-1]
    loader.ended, loader.ok, loader.bytes, loader.retransmits = 0.0, False, 0, 6
    loader.text = "sent the first block six times, no acknowledgement came"
    boot.samples = []
    boot.stage, boot.since, boot.last = Stage.LOADER, began + 1.2, began + 31
    evidence = (
        "snponly.efi was asked for from 10.0.0.21 port 1743, 31 s ago",
        "6 times sent the first block from port 40112 to it, 0 acknowledgements",
        "requests reach port 69, so it is the way back from pxed's other ports that is closed",
    )
    boot.finding = finding(
        Fault.TFTP_BLOCKED, "loader", began + 20, *evidence, file="snponly.efi", mac=mac, interface="eth1",
        server="10.0.0.1", address="10.0.0.21", port="40112", bytes="0",
    )  # fmt: skip
    boot.outcome = Outcome.STUCK
    return boot


def fleet(count: int = LARGE, seed: int = 1) -> Iterator[Boot]:
    """Boots of most machines of large_inventory()."""
    chance, now = random.Random(seed), time.time()
    for number in range(count):
        name, mac, draw = name_of(number), mac_of(number), chance.random()
        if draw < 0.04:
            yield boot_of(name, mac, f"b{number}", now - chance.uniform(5, 30))
        elif draw < 0.045:
            yield stuck_boot(name, mac, f"b{number}", now - chance.uniform(40, 900))
        elif draw < 0.97:
            yield running_boot(name, mac, f"b{number}", now - chance.uniform(60, 400_000))
