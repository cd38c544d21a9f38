"""A hall powers on: the events of 10,000 machines folded into boots and looked at, in one core; and what they take.

No rival, a lower and an upper bound. All boots run at the same time, in a shuffled order, with a tick for each second
of the boots' own time; a tenth of them stop somewhere, and each must be told as what it is afterwards.
"""

from __future__ import annotations

import gc
import itertools
import random
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.link import Link
from benchmarks.model import Case, Sample
from benchmarks.ours import pxed
from benchmarks.process import Process
from pxed.events import Event, Kind
from pxed.status.timeline import Timeline

MACHINES = 10_000
_QUICK = 1000
_STOPS = {3: "offer-dropped", 7: "kernel-never"}  # number modulo 20: where a machine stops
_START = 1_700_000_000.0


def cases() -> list[Case]:
    fold = f"Events of {MACHINES:,} machines folded and diagnosed, one core"
    memory = f"Memory of {MACHINES:,} tracked boots, kB each"
    return [
        Case("timeline fold", fold, "events/s", 20_000.0, pxed(10), [], _fold, at_least=True),
        Case("timeline memory", memory, "kB", 8.0, pxed(10), [], _memory),
    ]


def _fold(_link: Link, _process: Process, quick: bool) -> Sample:
    count = _QUICK if quick else MACHINES
    events = list(events_of(count))
    timeline, now = Timeline(), _START
    began = time.process_time()
    for event in events:
        if event.time - now >= 1.0:
            now = event.time
            timeline.tick(now)
        timeline.fold(event)
    for _ in range(150):
        now += 1.0
        timeline.tick(now)
    seconds = time.process_time() - began
    wrong = sum(not _right(timeline, number) for number in range(count))
    return Sample(len(events) / seconds, f"{wrong} boots are not told right" if wrong else "", {"events": len(events)})


def _memory(_link: Link, _process: Process, quick: bool) -> Sample:
    count = _QUICK if quick else MACHINES
    timeline = Timeline()
    events = list(events_of(count))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for event in events:
        timeline.fold(event)
    timeline.tick(events[-1].time + 1)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return Sample(held / count / 1000, "", {"machines": count})


def _right(timeline: Timeline, number: int) -> bool:
    boot = timeline.current(f"node{number}")
    if boot is None:
        return False
    fault = _STOPS.get(number % 20)
    if fault is not None:
        return boot.finding is not None and str(boot.finding.fault) == fault
    return str(boot.outcome) == "running" and boot.finding is None


def events_of(count: int) -> Iterator[Event]:
    """The events of `count` boots that begin within a minute, in the order of time."""
    dice = random.Random(5)
    boots = [list(_boot(number, _START + dice.uniform(0, 60))) for number in range(count)]
    yield from sorted(itertools.chain.from_iterable(boots), key=lambda event: event.time)


def _boot(number: int, when: float) -> Iterator[Event]:
    name, mac = f"node{number}", f"52:54:00:00:{number // 256:02x}:{number % 256:02x}"
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    stop = number % 20

    def event(kind: Kind, after: float, **data: object) -> Event:
        return Event(kind, when + after, name, mac, "a line of the log", data={"interface": "eth1", **data})  # type: ignore[dict-item]

    dhcp = {"client": "PXE firmware", "arch": "x86_64-efi", "uuid": f"{number:032x}", "xid": f"{number:08x}"}
    server = {"server": "10.0.0.2", "profile": "worker", "reason": "by MAC", "why": "UEFI"}
    yield event(Kind.OFFER, 0, message="DISCOVER", file="snponly.efi", address="255.255.255.255", **dhcp, **server)
    yield event(Kind.IGNORED, 4, message="REQUEST", chosen="10.0.0.1", requested=address, **dhcp)
    if _STOPS.get(stop) == "offer-dropped":
        return
    yield event(Kind.BOOTSERVER, 4.1, message="REQUEST", file="snponly.efi", address=address, **dhcp, **server)
    tftp = {"file": "snponly.efi", "transport": "tftp", "address": address, "stage": "loader", "retransmits": 0}
    yield event(Kind.TRANSFER, 4.2, result="probed", bytes=0, **tftp)
    yield event(Kind.PROGRESS, 4.3, id=number, bytes=0, due=284_672, heard=False, **tftp)
    yield event(Kind.LOADER, 4.6, bytes=284_672, seconds=0.3, blksize=1468, **tftp)
    script = "http://10.0.0.2:8080/boot.ipxe?mac=${mac}"
    ipxe = dhcp | {"client": "iPXE"}
    yield event(Kind.IPXE, 7, message="DISCOVER", file=script, address="255.255.255.255", lacks="", **ipxe, **server)
    yield event(Kind.IGNORED, 8, message="REQUEST", chosen="10.0.0.1", requested=address, **ipxe)
    plan = {"way": "memory", "files": "vmlinuz image.cpio.gz", "config": "url", "first_boot": True, "image": "flatcar"}
    yield event(Kind.SCRIPT, 8.2, profile="worker", arch="x86_64-efi", boot=f"b{number}", address=address, **plan)
    if _STOPS.get(stop) == "kernel-never":
        return
    for kind, file, start in ((Kind.KERNEL, "vmlinuz", 9.0), (Kind.INITRD, "image.cpio.gz", 12.0)):
        http = {"file": file, "transport": "http", "address": address, "stage": str(kind), "due": 60_000_000}
        yield event(Kind.PROGRESS, start, id=number, bytes=0, heard=False, **http)
        yield event(Kind.PROGRESS, start + 1, id=number, bytes=30_000_000, heard=True, **http)
        yield event(kind, start + 2, bytes=60_000_000, seconds=2.0, **http)
    yield event(Kind.IGNORED, 30, message="DISCOVER", client="other", chosen="", requested="")
    yield event(Kind.IGNORED, 31, message="REQUEST", client="other", chosen="10.0.0.1", requested=address)
    yield event(Kind.IGNITION, 33, bytes=4000, seconds=0.1, address=address)
