"""Boots as a test tells them, with the interface of pxed.server.tracker.Tracker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pxed.status.boots import Boot, Outcome, Span, Speaker, Stage
from pxed.status.faults import Finding, finding
from pxed.status.network import Network
from pxed.status.wordings import Fault

T = 1790000000.0


@dataclass
class Timelines:
    """Holds boots, newest first."""

    version: int = 1
    boots: dict[str, list[Boot]] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    log: list[tuple[int, str]] = field(default_factory=list)
    forgets: int = 0  # changes before this version are not known any more

    def put(self, boot: Boot) -> Boot:
        """A new boot, or a change of it."""
        known = self.boots.setdefault(boot.machine, [])
        if not any(one.id == boot.id for one in known):
            known.insert(0, boot)
        self.version += 1
        self.log.append((self.version, boot.machine))
        return boot

    def names(self) -> Iterable[str]:
        return tuple(self.boots)

    def current(self, name: str) -> Boot | None:
        return next(iter(self.boots.get(name, ())), None)

    def recent(self, name: str) -> Sequence[Boot]:
        return self.boots.get(name, [])

    def boot(self, identity: str) -> Boot | None:
        return next((boot for boots in self.boots.values() for boot in boots if boot.id == identity), None)

    def changed(self, since: int) -> tuple[int, list[str] | None]:
        if since < self.forgets:
            return self.version, None
        return self.version, list(dict.fromkeys(name for at, name in self.log if at > since))


class NoHistory:
    """A store that has none."""

    async def recent(self, name: str, limit: int) -> list[dict[str, object]]:
        return []

    async def one(self, boot: str) -> dict[str, object] | None:
        return None


def boot_of(machine: str, mac: str, identifier: str = "b1", began: float = T, **fields: object) -> Boot:
    """A UEFI machine that is loading its kernel."""
    boot = Boot(identifier, machine, mac, began, began + 6, Stage.KERNEL, began + 5, macs=(mac,))
    boot.interface, boot.arch, boot.firmware, boot.addresses = "eth1", "x86_64-efi", "PXE firmware", ("10.0.0.21",)
    boot.loader, boot.profile, boot.way, boot.image = "snponly.efi", "worker", "memory", "rescue"
    rom, ipxe = Speaker.ROM, Speaker.IPXE
    boot.spans = [
        Span(Stage.DISCOVER, rom, began, began + 0.2, 2, transport="dhcp", retransmits=1),
        Span(Stage.OFFER, rom, began + 0.2, began + 1, transport="dhcp", text="offered snponly.efi"),
        Span(Stage.BOOTSERVER, rom, began + 1, began + 1.2, transport="dhcp"),
        Span(Stage.LOADER, rom, began + 1.2, began + 3, 1, True, "snponly.efi", "tftp", 1_000_000, 1_000_000, 3),
        Span(Stage.IPXE, ipxe, began + 3.5, began + 4, transport="dhcp"),
        Span(Stage.SCRIPT, ipxe, began + 4, began + 4.1, file="boot.ipxe", transport="http", bytes=900, due=900),
        Span(Stage.KERNEL, ipxe, began + 5, 0.0, 1, True, "vmlinuz", "http", 30_000_000, 60_000_000),
    ]
    boot.samples = [(began + 1.2, 0), (began + 2, 500_000), (began + 3, 1_000_000), (began + 5, 1_000_900)]
    boot.samples += [(began + 5.5, 14_000_000), (began + 6, 31_000_900)]
    for name, value in fields.items():
        setattr(boot, name, value)
    return boot


def stuck(boot: Boot, fault: Fault = Fault.TFTP_UNREACHED, **values: object) -> Boot:
    """The same boot with a finding."""
    boot.finding = found(fault, boot, **values)
    boot.outcome = Outcome.STUCK
    return boot


def found(fault: Fault, boot: Boot, **values: object) -> Finding:
    """A finding with evidence."""
    told = {"file": "snponly.efi", "server": "10.0.0.1", "interface": "eth1", "mac": boot.mac, **values}
    return finding(fault, str(boot.stage), boot.last, "asked twice", "nothing came", **told)
