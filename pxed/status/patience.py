"""How long each step of a boot may take before pxed says that it stands still. Seconds.

Each is well above what real firmware was seen to need: ROMs repeat a DISCOVER after 4, 8 and 16 s (PXE 2.1 2.2.3), EDK2
asks port 4011 within 1 s of its lease, a NIC whose link was reset needs up to 30 s at a switch port with spanning tree.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Patience:
    """Times from one step to the next."""

    lease: float = 12.0  # from a ROM's first DISCOVER to its REQUEST: two tries
    request: float = 10.0  # from the REQUEST to port 4011, TFTP or HTTP
    bootserver: float = 8.0  # from pxed's answer on 4011 to the loader
    first_block: float = 8.0  # from a read request to any sign that its answer arrived
    loader: float = 45.0  # from the loader's last byte to iPXE's DISCOVER: the link may be reset
    ipxe: float = 45.0  # from pxed's offer to iPXE, to the request for the script: it waits 16 s for an IPv6 router
    script: float = 20.0  # from the script to the kernel's first byte
    stall: float = 20.0  # of a transfer that does not move
    broken: float = 12.0  # for a machine to come back to a transfer that broke off
    next_file: float = 15.0  # from the kernel's last byte to the first of the initrd
    start: float = 120.0  # from the last file to the first sign of the booted system
    config: float = 60.0  # from that sign to the request for its Ignition config
    unseen: float = 180.0  # from the last file to taking a boot for good that shows nothing more
    silence: float = 600.0  # without any sign: what comes then is another boot
    forget: float = 3600.0  # a boot that stands still for so long is over
    loop: float = 900.0  # in which repeated boots make a loop

    def scaled(self, factor: float) -> Patience:
        """All of it `factor` times as long: for slow links, and for tests."""
        return Patience(**{field.name: getattr(self, field.name) * factor for field in fields(self)})
