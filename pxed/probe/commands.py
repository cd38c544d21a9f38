"""What the commands of pxed-probe do and print."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pxed.errors import PxedError
from pxed.probe import boot, judge
from pxed.probe.client import Client, Reply, kind_of
from pxed.probe.nic import Nic, ProbeError
from pxed.probe.oracles.choice import choose
from pxed.probe.oracles.firmware import Firmware
from pxed.probe.oracles.verdict import Accepted, Ask
from pxed.server.tftp_events import printable
from pxed.status.faults import Finding
from pxed.status.wordings import Severity

GOOD, FAILED, BAD_USE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Who:
    """The machine to play."""

    interface: str
    client: str
    mac: str = ""
    uuid: str = ""
    plain: bool = False

    def checked(self) -> Who:
        """With a MAC made up where none is given. Raises ProbeError for what is no MAC or UUID."""
        mac = self.mac.lower().replace("-", ":")
        if mac and not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac):
            raise ProbeError(f"{self.mac!r} is no MAC address")
        if self.uuid and not re.fullmatch(r"[0-9a-f]{32}", self.uuid.replace("-", "").lower()):
            raise ProbeError(f"{self.uuid!r} is no UUID")
        if self.plain and mac:
            raise ProbeError("--plain has the interface's own MAC: leave --mac out")
        kind_of(self.client)
        made_up = "" if self.plain else f"52:54:00:{':'.join(f'{byte:02x}' for byte in secrets.token_bytes(3))}"
        return Who(self.interface, self.client, mac or made_up, self.uuid, self.plain)

    def nic(self) -> Nic:
        """Its network card."""
        return Nic(self.interface, self.mac, own=not self.plain)


def guarded(work: Callable[[], int]) -> int:
    """The exit code; bad use and missing rights are one line and 2."""
    try:
        return work()
    except PxedError as error:
        print(f"pxed-probe: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return FAILED


def show(found: Sequence[Finding]) -> None:
    """Findings on the terminal: cause, evidence, remedy."""
    for one in found:
        _say(f"{one.severity}: {one.cause}. [{one.fault}]")
        for line in one.evidence:
            _say(f"    {boot.redacted(line)}")
        _say(f"  -> {one.remedy}.")


def _say(line: str) -> None:
    """A line for a terminal, on which nothing that a server sent does anything."""
    print(printable(line), flush=True)


def _hint(nic: Nic, interface: str) -> None:
    """Said on standard error, so that JSON stays whole."""
    if nic.hidden:
        said = f"servers on this host itself ({nic.hidden}) are not reached through {interface}: ask from another host"
        print(f"pxed-probe: note: {said}", file=sys.stderr)


# dhcp


def run_dhcp(who: Who, timeout: float, server: str, lease: bool, as_json: bool) -> int:
    """`pxed-probe dhcp`."""

    def work() -> int:
        checked = who.checked()
        kind, arch = kind_of(checked.client)
        with checked.nic() as nic, kind(nic, uuid=checked.uuid, arch=arch) as client:
            _hint(nic, who.interface)
            offers = client.discover(timeout)
            choice = client.choose(offers)
            found = judge.findings(client, offers, choice, who.interface, server)
            asked = _on_4011(client, offers) if lease else {}
        stuck = any(one.severity is Severity.STUCK for one in found)
        ok = isinstance(choice.verdict, Accepted) and not stuck and all(asked.values())
        report = _dhcp_report(client, offers, found, asked, ok)
        if as_json:
            print(json.dumps(report, indent=2))
        else:
            _print_dhcp(report, found)
        return GOOD if ok else FAILED

    return guarded(work)


def _on_4011(client: Client, offers: Sequence[Reply]) -> dict[str, str]:
    """Server -> what it answers on port 4011, where this firmware would ask; "" for silence."""
    choice = client.choose(offers)
    if choice.lease is None or not isinstance(choice.verdict, Accepted) or not isinstance(choice.verdict.next, Ask):
        return {}
    client.request(offers[choice.lease])
    if client.lease is None:
        return {}
    asked = choice.verdict.next
    answer = client.bootserver(asked.server, asked.item)
    return {asked.server: judge.shown(answer) if answer else ""}


def _dhcp_report(
    client: Client, offers: Sequence[Reply], found: Sequence[Finding], asked: dict[str, str], ok: bool
) -> dict[str, Any]:
    return {
        "client": client.title,
        "arch": client.arch,
        "mac": client.nic.mac,
        "ok": ok,
        "servers": [_server(client, offer) for offer in offers],
        "takes": {str(one): _choice(client, one, offers) for one in (client.firmware, *client.also)},
        "bootserver": asked,
        "findings": [one.as_dict() for one in found],
    }


def _server(client: Client, offer: Reply) -> dict[str, Any]:
    return {
        "server": offer.server,
        "from": offer.datagram.src,
        "mac": offer.mac,
        "seconds": round(offer.seconds, 4),
        "address": offer.address or None,
        "vendor": offer.vendor or None,
        "file": offer.file or None,
        "next": offer.next or None,
        "option43": offer.discovery or None,
        "shown": judge.shown(offer),
        "alone": {
            str(one): str(one.offer(offer.datagram, offer.request))
            for one in (client.firmware, *client.also)
            if not offer.address
        },
    }


def _choice(client: Client, firmware: Firmware, offers: Sequence[Reply]) -> dict[str, Any]:
    request = offers[0].request if offers else client.sends.discover()
    choice = choose(firmware, [offer.datagram for offer in offers], request)
    return {
        "lease": None if choice.lease is None else offers[choice.lease].server,
        "boot": None if choice.boot is None else offers[choice.boot].server,
        "verdict": str(choice.verdict),
        "ok": isinstance(choice.verdict, Accepted),
    }


def _print_dhcp(report: dict[str, Any], found: Sequence[Finding]) -> None:
    _say(f"{report['client']} (architecture {report['arch']}) with MAC {report['mac']}")
    for one in report["servers"]:
        print()
        _say(f"{one['seconds']:8.3f} s  {one['shown']}")
        for firmware, verdict in one["alone"].items():
            _say(f"            {firmware}: {verdict}")
    if not report["servers"]:
        print("\nno reply")
    print()
    for firmware, takes in report["takes"].items():
        _say(f"{firmware} takes the lease of {takes['lease'] or 'nobody'}, then: {takes['verdict']}")
    for server, answer in report["bootserver"].items():
        _say(f"{server}:4011 answers: {answer or 'nothing'}")
    show(found)


# boot


@dataclass(frozen=True, slots=True)
class BootOptions:
    """What a boot is played with, besides the machine."""

    serial: str = ""
    timeout: float = 4.0
    server: str = ""
    ignition: bool = False
    report: str = ""


def run_boot(who: Who, options: BootOptions, as_json: bool) -> int:
    """`pxed-probe boot`."""

    def work() -> int:
        checked = who.checked()
        kind, arch = kind_of(checked.client)
        plan = boot.Plan(
            who.interface,
            kind,
            arch,
            checked.uuid,
            options.serial,
            options.timeout,
            options.server,
            options.ignition or bool(options.report),
            options.report,
        )
        with checked.nic() as nic:
            _hint(nic, who.interface)
            if not as_json:
                print(f"{kind.title} (architecture {arch}) with MAC {nic.mac}")
            story = boot.play(plan, nic, _silent if as_json else lambda step: _say(str(step)))
        if as_json:
            print(json.dumps({"mac": nic.mac, **boot.as_dict(story)}, indent=2))
        else:
            _print_end(story)
        return GOOD if story.ok else FAILED

    return guarded(work)


def _silent(step: boot.Step) -> None:
    """Steps are printed at the end."""


def _print_end(story: boot.Story) -> None:
    show(story.notes)
    if story.finding is not None:
        show([story.finding])
    if story.ok:
        _say(f"good: {boot.redacted(story.end)}")


# tftp and http


def run_tftp(
    server: str, file: str, blksize: int, windowsize: int, out: Path | None, timeout: float, as_json: bool
) -> int:
    """`pxed-probe tftp`."""
    from pxed.probe.files import read_and_judge, tftp_lines

    def work() -> int:
        report = read_and_judge(server, file, blksize, windowsize, out, timeout)
        if as_json:
            print(json.dumps(report.as_dict(), indent=2))
        else:
            for line in tftp_lines(report):
                _say(line)
            show([report.got.finding] if report.got.finding else [])
        return GOOD if report.got.ok else FAILED

    return guarded(work)


def run_http(url: str, timeout: float, insecure: bool, as_json: bool) -> int:
    """`pxed-probe http`."""
    from pxed.probe.httpcheck import check

    def work() -> int:
        report = check(url, timeout, insecure)
        if as_json:
            print(json.dumps(asdict(report) | {"ok": report.ok}, indent=2))
        else:
            for line in report.lines():
                _say(line)
        return GOOD if report.ok else FAILED

    return guarded(work)
