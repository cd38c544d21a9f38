"""Transfers into the boot: the loader by TFTP or HTTP, kernel and initrds, and what was refused."""

from __future__ import annotations

from pxed.events import Event, Kind
from pxed.status.boots import ORDER, Speaker, Stage
from pxed.status.timeline import spans
from pxed.status.timeline.book import Book, number
from pxed.status.trail import MOST_FLOWS, Flow, Refusal, Trail

_STAGES = {"loader": Stage.LOADER, "kernel": Stage.KERNEL, "initrd": Stage.INITRD}
_KINDS = {Kind.LOADER: Stage.LOADER, Kind.KERNEL: Stage.KERNEL, Kind.INITRD: Stage.INITRD}
_MOST_REFUSALS = 8
_LONGEST = 300


def on_progress(book: Book, event: Event) -> None:
    """A transfer has begun, or is so far by now."""
    stage = _STAGES.get(str(event.data.get("stage", "")))
    if stage is None:
        return
    trail = book.open_trail(event, stage)
    if trail is None:
        return
    flow = _flow(trail, event, stage)
    _advance(flow, event)
    _note_request(book, trail, event, stage)
    span = spans.file_span(trail.boot, flow, stage, _speaker(stage), event.time)
    span.bytes, span.due, span.count = flow.bytes, flow.due, flow.starts
    span.retransmits = number(event, "retransmits")
    spans.sample(trail.boot, event.time)


def on_file(book: Book, event: Event) -> None:
    """A file was sent whole."""
    stage = _KINDS[event.kind]
    trail = book.open_trail(event, stage)
    if trail is None:
        return
    flow = _flow(trail, event, stage)
    flow.bytes = flow.due = number(event, "bytes")
    flow.done = flow.moved = event.time
    flow.heard, flow.broke = True, 0.0
    flow.blksize = number(event, "blksize") or flow.blksize
    _note_request(book, trail, event, stage)
    span = spans.file_span(trail.boot, flow, stage, _speaker(stage), event.time)
    spans.end_file(span, flow, event.time, number(event, "retransmits"), ok=True, text=event.text)
    spans.sample(trail.boot, event.time)
    if stage is Stage.LOADER:
        trail.loaders += 1
        trail.boot.loader = flow.file
        trail.boot.firmware = trail.boot.firmware or "PXE firmware"
    elif stage is Stage.KERNEL:
        trail.boot.digest = str(event.data.get("digest", ""))
    _look_whether_loaded(trail, event.time)


def on_transfer(book: Book, event: Event) -> None:
    """A transfer ended before its end, or was no stage."""
    stage = _STAGES.get(str(event.data.get("stage", "")))
    trail = book.trail(event) if stage is not None else None
    if stage is None or trail is None or not trail.is_open or event.data.get("result") == "probed":
        return
    book.touched(trail, event)
    flow = _flow(trail, event, stage)
    _advance(flow, event)
    flow.broke, flow.why = event.time, str(event.data.get("reason", ""))
    span = spans.file_span(trail.boot, flow, stage, _speaker(stage), event.time)
    spans.end_file(span, flow, event.time, number(event, "retransmits"), ok=False, text=event.text)


def on_refused(book: Book, event: Event) -> None:
    """A request was answered by an error, or a reply of DHCP could not be sent."""
    data = event.data
    transport = data.get("transport")
    trail = book.trail(event) if transport == "dhcp" else book.open_trail(event, Stage.LOADER)
    if trail is None:
        return
    if transport == "dhcp":
        trail.unsent = str(data.get("reason", ""))
        book.alarm(book.touched(trail, event))
        return
    route = "tftp" if transport == "tftp" else str(data.get("route", "")) or "boot"
    what = str(data.get("file") or data.get("url") or "")
    if route == "tftp" and not _is_offered(trail, what):
        return  # a probe: autoexec.ipxe, *.lst; firmware asks for many names that need not be there (T11)
    if len(trail.refusals) < _MOST_REFUSALS or route in trail.refusals:
        reason = str(data.get("reason", ""))[:_LONGEST]
        trail.refusals[route] = Refusal(
            event.time, number(event, "status"), reason, what[:_LONGEST], str(data.get("why", ""))
        )
    spans.note(trail.boot, event.time, event.text)
    book.alarm(trail)


def _is_offered(trail: Trail, file: str) -> bool:
    return file.rpartition("/")[2] == trail.offered.rpartition("/")[2] or file == trail.ipxe_offered


def _flow(trail: Trail, event: Event, stage: Stage) -> Flow:
    """The flow of the file; the same file asked for again goes on in it."""
    file, asked = str(event.data.get("file", "")), number(event, "id", -1)
    flow = trail.flows.get(file)
    if flow is None:
        when, transport = event.time, str(event.data.get("transport", ""))
        flow = trail.flows[file] = Flow(file, stage, transport, when, when, when)
        if len(trail.flows) > MOST_FLOWS:
            del trail.flows[next(iter(trail.flows))]
    elif asked not in (-1, flow.id) and flow.id != -1:
        flow.starts += 1
        flow.began = event.time
        flow.bytes, flow.moved, flow.done, flow.broke = 0, event.time, 0.0, 0.0
    flow.id = asked if asked != -1 else flow.id
    trail.flows[file] = trail.flows.pop(file)
    return flow


def _advance(flow: Flow, event: Event) -> None:
    got = number(event, "bytes")
    if got > flow.bytes:
        flow.bytes, flow.moved = got, event.time
    flow.due = number(event, "due") or flow.due
    flow.heard = flow.heard or bool(event.data.get("heard")) or got > 0
    flow.blksize = number(event, "blksize") or flow.blksize


def _note_request(book: Book, trail: Trail, event: Event, stage: Stage) -> None:
    """Its address, and that TFTP can be reached there."""
    book.learn(trail, str(event.data.get("address", "")))
    if stage is Stage.LOADER and event.data.get("transport") == "tftp":
        book.network.wire(trail.boot.interface).tftp = event.time


def _look_whether_loaded(trail: Trail, when: float) -> None:
    files = trail.plan.files
    if not files or trail.loaded:
        return
    if all((flow := trail.flows.get(file)) is not None and flow.done for file in files):
        trail.loaded = when


def _speaker(stage: Stage) -> Speaker:
    return Speaker.ROM if ORDER[stage] <= ORDER[Stage.LOADER] else Speaker.IPXE
