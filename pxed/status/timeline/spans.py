"""The bars of one boot's waterfall: begin them, extend them, end them, within their bounds."""

from __future__ import annotations

from pxed.status.boots import MOST_NOTES, MOST_SAMPLES, MOST_SPANS, Boot, Note, Span, Speaker, Stage
from pxed.status.trail import Flow

MOST_ADDRESSES = 8
MOST_MACS = 8
SAMPLE_SECONDS = 0.9  # between two samples of throughput


def enter(boot: Boot, stage: Stage, speaker: Speaker, when: float, text: str = "", transport: str = "dhcp") -> Span:
    """The boot is in `stage` now; the same stage again is a repetition of it."""
    span = _last(boot, stage, speaker)
    if span is not None and boot.stage is stage:
        span.count += 1
        span.text = text or span.text
        return span
    if boot.stage is not stage or not boot.since:
        boot.stage, boot.since = stage, when
    leave(boot, when)
    return _append(boot, Span(stage, speaker, when, transport=transport, text=text))


def leave(boot: Boot, when: float) -> None:
    """What has no end of its own ends with what comes after it."""
    for span in boot.spans:
        if not span.ended and span.transport == "dhcp":
            span.ended = when


def file_span(boot: Boot, flow: Flow, stage: Stage, speaker: Speaker, when: float) -> Span:
    """The bar of a file that is on its way; of the same file again a new one when the last is over."""
    for span in reversed(boot.spans):
        if span.stage is stage and span.file == flow.file and not span.ended:
            return span
    if boot.stage is not stage:
        boot.stage, boot.since = stage, when
    leave(boot, when)
    return _append(boot, Span(stage, speaker, flow.began, file=flow.file, transport=flow.transport, due=flow.due))


def end_file(span: Span, flow: Flow, when: float, retransmits: int, *, ok: bool, text: str) -> None:
    """The transfer of it is over."""
    span.ended, span.ok, span.text = when, ok, text
    span.bytes, span.due, span.retransmits = flow.bytes, flow.due, retransmits


def close(boot: Boot, when: float) -> None:
    """The boot is over, and all that was open in it."""
    for span in boot.spans:
        if not span.ended:
            span.ended = when


def note(boot: Boot, when: float, text: str) -> None:
    """Keep the newest notes."""
    boot.notes.append(Note(when, text[:300]))
    if len(boot.notes) > MOST_NOTES:
        del boot.notes[0]


def sample(boot: Boot, when: float) -> None:
    """How many bytes the boot has by now; of many samples every second one goes."""
    if boot.samples and when - boot.samples[-1][0] < SAMPLE_SECONDS:
        return
    boot.samples.append((when, sum(span.bytes for span in boot.spans)))
    if len(boot.samples) > MOST_SAMPLES:
        boot.samples[:] = boot.samples[::2]


def add_address(boot: Boot, address: str) -> None:
    """An address that the boot used; the newest is the last."""
    if address and address not in ("0.0.0.0", "255.255.255.255") and boot.addresses[-1:] != (address,):
        boot.addresses = (*boot.addresses, address)[-MOST_ADDRESSES:]


def add_mac(boot: Boot, mac: str) -> None:
    """A NIC that took part."""
    if mac and mac not in boot.macs:
        boot.macs = (*boot.macs, mac)[:MOST_MACS]


def _append(boot: Boot, span: Span) -> Span:
    if len(boot.spans) < MOST_SPANS:
        boot.spans.append(span)
    return span


def _last(boot: Boot, stage: Stage, speaker: Speaker) -> Span | None:
    return next((s for s in reversed(boot.spans) if s.stage is stage and s.speaker is speaker), None)
