"""`pxed-probe watch` and `pcap`: packets as sentences, verdicts of boots, and who answers on the wire."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pxed.events import Event
from pxed.probe.commands import FAILED, GOOD, guarded
from pxed.probe.watching import News, Watcher, is_stuck, live, read_capture, told_lines
from pxed.server.tftp_events import printable
from pxed.status.boots import Boot, Stage, as_dict
from pxed.status.network import ServerSeen


def run_watch(interface: str, seconds: float, server: str, as_json: bool) -> int:
    """`pxed-probe watch`."""

    def work() -> int:
        watcher = Watcher(interface, server)
        teller = _Teller(watcher, time.time(), as_json)
        with contextlib.suppress(KeyboardInterrupt):
            live(interface, watcher, seconds, teller.tell)
        teller.end()
        return FAILED if is_stuck(watcher) or rivals(watcher) else GOOD

    return guarded(work)


def run_pcap(path: Path, server: str, after: float, as_json: bool) -> int:
    """`pxed-probe pcap`."""

    def work() -> int:
        watcher = Watcher("the wire", server)
        teller = _Teller(watcher, 0.0, as_json)
        read_capture(path, watcher, teller.tell, after)
        teller.end()
        return FAILED if is_stuck(watcher) else GOOD

    return guarded(work)


def rivals(watcher: Watcher) -> list[ServerSeen]:
    """Servers beside the boot server that would have machines boot from them."""
    return [one for one in watcher.servers() if one.is_pxe and one.address != watcher.observer.server]


def boot_dict(watcher: Watcher, boot: Boot) -> dict[str, Any]:
    """A boot with its verdict as this side has it."""
    found = watcher.told(boot, boot.finding)
    return as_dict(boot) | {"verdict": found.as_dict() if found else None, "sentence": watcher.verdict(boot)}


def verdict_lines(watcher: Watcher, boots: Sequence[Boot]) -> list[str]:
    """For a terminal: each boot, how it stands, and why."""
    lines = []
    for boot in boots:
        who = boot.machine if boot.machine == boot.mac else f"{boot.machine} [{boot.mac}]"
        kind = boot.firmware or ("iPXE" if boot.stage is Stage.IPXE else "a boot")
        stages = ", ".join(dict.fromkeys(str(span.stage) for span in boot.spans))
        lines += [f"{who}: {kind}{f' ({boot.arch})' if boot.arch else ''}: {stages}"]
        lines += [f"  {watcher.verdict(boot)}"]
        found = watcher.told(boot, boot.finding)
        lines += [f"    {line}" for line in (found.evidence if found else ())]
    return [printable(line) for line in lines]


class _Teller:
    """Prints lines as they come, or one JSON document at the end."""

    def __init__(self, watcher: Watcher, start: float, as_json: bool) -> None:
        self._watcher = watcher
        self._start = start
        self._as_json = as_json
        self._packets: list[dict[str, Any]] = []
        self._rivals: set[str] = set()

    def tell(self, events: list[Event], news: list[News]) -> None:
        """What came, and what was found."""
        for when, who, text in told_lines(events):
            self._start = self._start or when
            self._line(when, who, text)
        for one in news:
            if one.finding is not None:
                self._line(one.time, one.boot.machine, f"{one.finding.severity}: {one.finding.sentence}")
        for rival in rivals(self._watcher):
            if rival.address not in self._rivals:
                self._rivals.add(rival.address)
                self._line(rival.last, rival.address, f"is another server that offers to boot: {rival_words(rival)}")

    def end(self) -> None:
        """All boots, and all servers."""
        watcher = self._watcher
        servers = [one.as_dict() | {"rival": one in rivals(watcher)} for one in watcher.servers()]
        if self._as_json:
            boots = [boot_dict(watcher, boot) for boot in watcher.boots()]
            report = {"server": watcher.observer.server or None, "servers": servers, "boots": boots}
            print(json.dumps(report | {"packets": self._packets}, indent=2))
            return
        print("\n".join(["", *verdict_lines(watcher, watcher.boots())]))
        print(f"\nboot server: {watcher.observer.server or 'none was seen'}")
        for seen in watcher.servers():
            print(printable(f"also heard: {seen.address}, {rival_words(seen)}"))

    def _line(self, when: float, who: str, text: str) -> None:
        seconds = round(when - self._start, 6)
        if self._as_json:
            self._packets.append({"seconds": seconds, "who": who, "text": text})
        else:
            print(f"{seconds:9.3f}  {who}  {printable(text)}", flush=True)


def rival_words(seen: ServerSeen) -> str:
    """What a server does, in a few words."""
    words = ["gives addresses" if seen.gives_addresses else "a ProxyDHCP server"]
    words += [f'option 60 "{seen.vendor}"'] if seen.vendor else []
    words += [f"boot file {seen.file}"] if seen.file else []
    words += [f"for iPXE {seen.ipxe_file}"] if seen.ipxe_file else []
    return ", ".join(words)
