"""`pxed explain`: what pxed would answer, and why, by the very functions that answer the wire. Nothing is sent.

Exit codes: 0 the machine would boot (or the capture was read), 1 it would be left alone or something is missing, 2 bad use.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pxed.architecture import HTTP_BOOT, Architecture, name_of
from pxed.boot.decide import Discovery, Ignore, Offer
from pxed.boot.endpoint import Endpoint
from pxed.cli.subject import Subject, find_subject, local_endpoint
from pxed.cli.trace import trace
from pxed.dhcp.codes import BOOT_SERVER_PORT, CLIENT_PORT, SERVER_PORT
from pxed.dhcp.simulate import boot_server_request, discover
from pxed.errors import ConfigError, PxedError
from pxed.server.load import load_snapshot
from pxed.server.live import Snapshot
from pxed.server.respond import Outcome, respond

_IPXE_ARCHITECTURE = {number: number for number in Architecture} | {
    Architecture.X64_UEFI_HTTP: Architecture.X64_UEFI,
    Architecture.X86_UEFI_HTTP: Architecture.X86_UEFI,
    Architecture.ARM64_UEFI_HTTP: Architecture.ARM64_UEFI,
    Architecture.ARM32_UEFI_HTTP: Architecture.ARM32_UEFI,
}
_EXAMPLE_ADDRESS = "192.0.2.1"  # RFC 5737: the DHCP server's part, which pxed does not know


@dataclass(frozen=True, slots=True)
class Step:
    """One packet or request of a boot, and its answer."""

    stage: str
    asks: str
    answer: str  # "" for silence
    why: str
    ok: bool = True


def run(subject: str, config: Path, arch: int | None, ipxe: bool, address: str, as_json: bool) -> int:
    """Explain one machine or one capture; the exit code."""
    try:
        snapshot = load_snapshot(config)
        endpoint = local_endpoint(snapshot.inventory.server, address)
        if _is_capture(subject):
            return trace(Path(subject), snapshot, endpoint, as_json)
        found = find_subject(snapshot.inventory, subject)
        steps = list(explain(snapshot, found, endpoint, 7 if arch is None else arch, ipxe))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except PxedError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 2
    _print(found, steps, as_json)
    return 0 if all(step.ok for step in steps) else 1


def explain(snapshot: Snapshot, subject: Subject, endpoint: Endpoint, arch: int, ipxe: bool) -> Iterator[Step]:
    """The steps of one boot as far as they would lead."""
    steps = _ipxe_steps if ipxe else _firmware_steps
    for step in steps(snapshot, subject, endpoint, arch):
        yield step
        if not step.ok:
            return


def _firmware_steps(snapshot: Snapshot, subject: Subject, endpoint: Endpoint, arch: int) -> Iterator[Step]:
    packet = discover(subject.mac, subject.uuid, arch)
    outcome = _respond(snapshot, packet, SERVER_PORT, ("0.0.0.0", CLIENT_PORT), endpoint)
    yield _packet_step("discover", f"DISCOVER on port 67 by {_firmware(arch)} ({name_of(arch)})", outcome)
    if isinstance(outcome.decision, Offer) and _asks_boot_server(outcome.decision):
        request = boot_server_request(subject.mac, subject.uuid, arch, _EXAMPLE_ADDRESS)
        acknowledged = _respond(snapshot, request, BOOT_SERVER_PORT, (_EXAMPLE_ADDRESS, BOOT_SERVER_PORT), endpoint)
        yield _packet_step("bootserver", "REQUEST on port 4011 (the offer has no option 43)", acknowledged)
    if isinstance(outcome.decision, Offer):
        yield _loader_step(snapshot, outcome.decision)
    yield from _ipxe_steps(snapshot, subject, endpoint, arch)


def _ipxe_steps(snapshot: Snapshot, subject: Subject, endpoint: Endpoint, arch: int) -> Iterator[Step]:
    packet = discover(subject.mac, subject.uuid, _IPXE_ARCHITECTURE.get(arch, arch), ipxe=True)
    outcome = _respond(snapshot, packet, SERVER_PORT, ("0.0.0.0", CLIENT_PORT), endpoint)
    yield _packet_step("ipxe", f"DISCOVER on port 67 by iPXE ({name_of(arch)})", outcome)
    yield from _content_steps(snapshot, subject, endpoint, arch)


"""
"""
