"""`pxed explain`: what pxed would answer, and why, by the very functions that answer the wire. Nothing is sent.

Exit codes: 0 it would boot, or the capture was read; 1 it would be left alone, or a file is missing; 2 bad use.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pxed.architecture import HTTP_BOOT, name_of, without_http
from pxed.assets.library import Asset, Library
from pxed.assets.mirror.files import MirrorFiles
from pxed.assets.mirror.index import load_index
from pxed.boot.decide import Discovery, Offer
from pxed.boot.delivery import fetches_config, ignition_url, machine_files
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import BootFile
from pxed.boot.page import page_for
from pxed.cli.installation import archived, booted, course_of, summary, target_for
from pxed.cli.live_verdict import View, ask, lines, seen
from pxed.cli.subject import Subject, find_subject, local_endpoint, mirrored_release
from pxed.cli.tables import plain
from pxed.cli.trace import trace, verdict
from pxed.dhcp.codes import BOOT_SERVER_PORT, CLIENT_PORT, SERVER_PORT
from pxed.dhcp.pxe import Stage
from pxed.dhcp.simulate import boot_server_request, discover
from pxed.errors import ConfigError, PxedError
from pxed.ignition.config import recipe_of
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Boot, Inventory
from pxed.server.live import Snapshot
from pxed.server.load import load_snapshot
from pxed.server.respond import Outcome, respond

_EXAMPLE_ADDRESS = "192.0.2.1"  # RFC 5737: the DHCP server's part, which pxed does not know


@dataclass(frozen=True, slots=True)
class Step:
    """One packet or request of a boot, and its answer."""

    stage: str
    asks: str
    answer: str  # "" for silence
    why: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Asking:
    """Whether and where the running daemon is asked what it has seen of the machine."""

    offline: bool = False
    server: str = ""  # its URL; "": this host's


def run(subject: str, config: Path, arch: int | None, ipxe: bool, address: str, as_json: bool, asking: Asking) -> int:
    """Explain one machine or one capture; the exit code."""
    try:
        snapshot = load_snapshot(config)
        endpoint = local_endpoint(snapshot.inventory.server, address)
        if _is_capture(subject):
            return trace(Path(subject), snapshot, endpoint, address, as_json)
        found = find_subject(snapshot.inventory, subject)
        steps = list(explain(snapshot, found, endpoint, 7 if arch is None else arch, ipxe))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except PxedError as error:
        print(f"pxed: {error}", file=sys.stderr)
        return 2
    view, why = (None, "") if asking.offline else ask(snapshot.inventory.server, asking.server, found.name)
    _print(found, steps, as_json, list(lines(view, why, time.time())) if not asking.offline else [], view)
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
    packet = discover(subject.mac, subject.uuid, without_http(arch), ipxe=True)
    outcome = _respond(snapshot, packet, SERVER_PORT, ("0.0.0.0", CLIENT_PORT), endpoint)
    yield _packet_step("ipxe", f"DISCOVER on port 67 by iPXE ({name_of(arch)})", outcome)
    yield from _content_steps(snapshot, subject, endpoint, arch)


def _content_steps(snapshot: Snapshot, subject: Subject, endpoint: Endpoint, arch: int) -> Iterator[Step]:
    """The script, and every file it makes the machine fetch."""
    identity = subject.identity(name_of(without_http(arch)))
    match = resolve(snapshot.inventory, identity)
    release = mirrored_release(snapshot, match)
    course = course_of(snapshot, match) if isinstance(match, Match) else None
    page = page_for(snapshot.inventory, match, identity, endpoint, release=release, course=course)
    yield Step("script", "GET /boot.ipxe?mac=...", page.script.rstrip(), page.problem or match.reason, not page.problem)
    if not isinstance(match, Match) or not page.cmdline or match.profile.image is None:
        return
    name, image = match.profile.image, snapshot.inventory.images[match.profile.image]
    version = release.version if release else ""
    for file in machine_files(match, image, endpoint, identity, version=version, token=course.token if course else ""):
        yield _file_step(snapshot, match, identity, endpoint, file, file.url(name, endpoint))
    target = target_for(snapshot, match)
    if target is not None or fetches_config(match.profile):
        yield _ignition_step(snapshot, match, identity, endpoint)
    if match.profile.boot is Boot.INSTALL:
        yield Step("install", "the booted system", *summary(snapshot, match, target))


def _file_step(
    snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint, file: BootFile, url: str
) -> Step:
    try:
        if file.made:
            archive = archived(snapshot, match, identity, endpoint)
            return Step(file.role, f"GET {url}", f"{len(archive.body)} bytes", "made for this machine")
        if file.remote:
            return Step(file.role, f"GET {url}", "from that server, not from pxed", "the image gives a URL")
        asset = _asset(snapshot.inventory, match, file)
    except PxedError as error:
        return Step(file.role, f"GET {url}", "", str(error), ok=False)
    return Step(file.role, f"GET {url}", f"{asset.size} bytes", f"{asset.path}")


def _asset(inventory: Inventory, match: Match, file: BootFile) -> Asset:
    data_dir = inventory.server.data_dir
    flatcar = inventory.images[match.profile.image or ""].flatcar
    if flatcar is None:
        return Library(data_dir).image(file.source)
    release = load_index(data_dir / "mirror").releases[flatcar.channel, flatcar.arch, file.version]
    return MirrorFiles(data_dir).find(release, file.name)


def _ignition_step(snapshot: Snapshot, match: Match, identity: Identity, endpoint: Endpoint) -> Step:
    url = ignition_url(match, endpoint, identity, course_of(snapshot, match).token)
    if match.profile.ignition_url:
        return Step("ignition", f"GET {url}", "from that server, not from pxed", "the profile gives a URL")
    config = booted(snapshot, match, identity, endpoint)
    sources = [str(path) for path in recipe_of(match.profile).paths]
    if match.profile.boot is Boot.INSTALL:
        sources.append("pxed's installer")
    return Step("ignition", f"GET {url}", f"{len(config.body)} bytes", " and ".join(sources))


def _loader_step(snapshot: Snapshot, offer: Offer) -> Step:
    """The boot loader, wherever the offer says it is."""
    name = offer.file.rpartition("/loaders/")[2]
    how = "HTTP GET" if offer.file.startswith("http") else "TFTP read of"
    try:
        asset = Library(snapshot.inventory.server.data_dir).loader(name)
    except PxedError as error:
        return Step("loader", f"{how} {offer.file}", "", str(error), ok=False)
    return Step("loader", f"{how} {offer.file}", f"{asset.size} bytes", f"{asset.path}")


def _packet_step(stage: str, asks: str, outcome: Outcome) -> Step:
    ok = isinstance(outcome.decision, Offer)
    return Step(stage, asks, verdict(outcome) if ok else "", outcome.decision.reason, ok)


def _asks_boot_server(offer: Offer) -> bool:
    """Current EDK2 goes to port 4011 when the offer has no option 43."""
    return offer.stage is Stage.PXE and offer.discovery is Discovery.NONE


def _respond(snapshot: Snapshot, packet: bytes, port: int, source: tuple[str, int], endpoint: Endpoint) -> Outcome:
    return respond(snapshot.inventory, packet, port, source, endpoint)


def _firmware(arch: int) -> str:
    return "UEFI HTTP Boot" if arch in HTTP_BOOT else "PXE firmware"


def _is_capture(subject: str) -> bool:
    return bool(re.search(r"\.(pcap|pcapng|cap)(\.gz)?$", subject))


def _print(subject: Subject, steps: list[Step], as_json: bool, live: list[str], view: View | None) -> None:
    if as_json:
        told = {"machine": subject.name, "mac": subject.mac, "live": seen(view) if view else None}
        print(json.dumps({**told, "steps": [asdict(step) for step in steps]}, indent=2))
        return
    print(f"{subject.name} [{subject.mac}]")
    print("".join(f"{plain(line)}\n" for line in live), end="")
    for number, step in enumerate(steps, 1):
        print(f"\n{number}. {step.stage}: {step.asks}")
        answer = step.answer or "no answer"
        print("\n".join(f"   -> {line}" if i == 0 else f"      {line}" for i, line in enumerate(answer.splitlines())))
        print(f"   because: {step.why}")
