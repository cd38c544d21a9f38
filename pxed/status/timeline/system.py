"""The script and what comes after it: the Ignition config, reports, the state of an installation, lines by syslog."""

from __future__ import annotations

from pxed.events import Event, Kind
from pxed.status.boots import ORDER, Outcome, Speaker, Stage
from pxed.status.timeline import spans
from pxed.status.timeline.book import Book, number
from pxed.status.trail import LOADS, Install, Plan, Trail

_REPORTS = {Kind.INSTALLING: Stage.INSTALLING, Kind.RUNNING: Stage.RUNNING, Kind.INSTALLED: Stage.INSTALLED}
_LONGEST = 300


def on_script(book: Book, event: Event) -> None:
    """The machine has its script: what it is told to do next."""
    trail = _for_script(book, event)
    if trail is None:
        return
    data, boot = event.data, trail.boot
    boot.profile, boot.way = str(data.get("profile", "")), str(data.get("way", ""))
    record = str(data.get("boot", "")) or boot.record
    if record != boot.record:
        trail.refusals.pop("image", None)  # else iPXE asks again for what it was refused
    boot.record = record
    boot.image, boot.version = str(data.get("image", "")), str(data.get("version", ""))
    boot.arch = boot.arch or str(data.get("arch", ""))
    trail.plan = _plan(event, trail)
    book.alarm(trail)
    trail.scripted, trail.loaders, trail.left_out = event.time, 0, ""
    loads_elsewhere = boot.way in LOADS and not trail.plan.files and not trail.plan.problem
    trail.loaded = event.time if loads_elsewhere else 0.0  # nothing of it will be seen
    book.learn(trail, str(event.data.get("address", "")))
    spans.enter(boot, Stage.SCRIPT, Speaker.IPXE, event.time, event.text, "http")
    spans.leave(boot, event.time)
    boot.spans[-1].ended = event.time
    if boot.way == "local":
        book.end(trail, event.time, Outcome.LOCAL)


def on_held(book: Book, event: Event) -> None:
    """A machine without a profile shows the waiting screen."""
    trail = book.open_trail(event, Stage.SCRIPT)
    if trail is None:
        return
    trail.boot.way, trail.boot.profile = "held", ""
    trail.left_out = event.text
    book.alarm(trail)
    trail.boot.uuid = trail.boot.uuid or str(event.data.get("uuid", "")).replace("-", "")
    book.learn(trail, str(event.data.get("address", "")))
    spans.enter(trail.boot, Stage.SCRIPT, Speaker.IPXE, event.time, event.text, "http")


def on_ignored_script(book: Book, event: Event) -> None:
    """iPXE asked for a script, and the inventory has none for it."""
    trail = book.trail(event)
    if trail is not None and trail.is_open:
        book.alarm(book.touched(trail, event))
        trail.left_out = str(event.data.get("reason", ""))


def on_ignition(book: Book, event: Event) -> None:
    """Its Ignition config has arrived."""
    trail = book.open_trail(event, Stage.IGNITION)
    if trail is None:
        return
    trail.fetched = event.time
    book.alarm(trail)
    embedded = trail.plan.config == "embedded"
    trail.spoke = trail.spoke if embedded else trail.spoke or event.time
    trail.refusals.pop("ignition", None)
    trail.refusals.pop("archive", None)
    if ORDER[trail.boot.stage] >= ORDER[Stage.INSTALLING]:
        spans.note(trail.boot, event.time, event.text)  # the installer fetches that of the installed system
        return
    book.learn(trail, str(event.data.get("address", "")))
    speaker = Speaker.IPXE if embedded else Speaker.INITRAMFS
    span = spans.enter(trail.boot, Stage.IGNITION, speaker, event.time, event.text, "http")
    span.bytes, span.ended = number(event, "bytes"), event.time


def on_report(book: Book, event: Event) -> None:
    """The machine tells of itself."""
    stage = _REPORTS[event.kind]
    trail = book.trail(event)
    if trail is None:
        trail = book.open_trail(event, stage)
    if trail is None:
        return
    book.touched(trail, event)
    boot = trail.boot
    book.learn(trail, str(event.data.get("address", "")))
    if boot.ended and stage is Stage.RUNNING:
        _late_report(book, trail, event)
        return
    spans.enter(boot, stage, Speaker.OS, event.time, event.text, "http")
    trail.spoke = trail.spoke or event.time
    if stage is not Stage.INSTALLING:
        outcome = Outcome.INSTALLED if stage is Stage.INSTALLED else Outcome.RUNNING
        book.end(trail, event.time, outcome)


def on_failed(book: Book, event: Event) -> None:
    """The machine reports that it failed."""
    trail = book.open_trail(event, Stage.INSTALLING)
    if trail is None:
        return
    book.alarm(trail)
    reason = str(event.data.get("reason") or event.text)
    spans.note(trail.boot, event.time, event.text)
    if trail.install.state == "" or not trail.install.reason:
        trail.install = Install(
            "failed", trail.install.attempt, trail.install.attempts, reason[:_LONGEST], False, event.time
        )


def on_state(book: Book, event: Event) -> None:
    """Where the machine's installation is now."""
    data = event.data
    track = book.track(book.name(event))
    if track is None or track.trail is None or "state" not in data:
        return
    trail = track.trail
    trail.install = Install(
        str(data.get("state", "")),
        number(event, "attempt"),
        number(event, "attempts"),
        str(data.get("reason") or "")[:_LONGEST],
        bool(data.get("held")),
        event.time,
    )
    book.alarm(trail)
    book.mark(trail.boot.machine)


def on_syslog(book: Book, event: Event) -> None:
    """A line that the machine has sent: it is up."""
    trail = book.trail(event)
    if trail is None:
        return
    book.touched(trail, event)
    if ORDER[trail.boot.stage] >= ORDER[Stage.KERNEL]:
        trail.spoke = trail.spoke or event.time
    tag = str(event.data.get("tag", ""))
    spans.note(trail.boot, event.time, f"{tag}: {event.text}" if tag else event.text)


def _for_script(book: Book, event: Event) -> Trail | None:
    """The boot that asks for its script: another one when this one was past it, or when pxed gave it another id."""
    trail = book.trail(event)
    identity = str(event.data.get("boot", ""))
    if trail is not None and trail.is_open and ORDER[trail.boot.stage] > ORDER[Stage.SCRIPT]:
        is_another = bool(identity and trail.boot.record and identity != trail.boot.record)
        if is_another and trail.loaded:
            return book.begin(book.name(event), event, Stage.SCRIPT)
    return book.open_trail(event, Stage.SCRIPT)


def _plan(event: Event, trail: Trail) -> Plan:
    data = event.data
    refusal = trail.refusals.pop("boot", None)
    problem = refusal.reason if refusal is not None and event.time - refusal.time < 1.0 else ""
    within = number(event, "report_within")
    return Plan(
        tuple(str(data.get("files", "")).split()),
        str(data.get("config", "")),
        str(data.get("config_url", "")),
        event.time + within if data.get("report") and within else 0.0,
        bool(data.get("first_boot", True)),
        str(data.get("root", "")),
        problem,
    )


def _late_report(book: Book, trail: Trail, event: Event) -> None:
    """A boot that was taken for good already, or for its disk's, says that it is."""
    boot = trail.boot
    if boot.stage is not Stage.RUNNING:
        spans.enter(boot, Stage.RUNNING, Speaker.OS, event.time, event.text, "http").ended = event.time
    boot.outcome = Outcome.RUNNING if boot.outcome is not Outcome.INSTALLED else boot.outcome
    book.amended.append(boot)
    book.alarm(trail)
    book.mark(boot.machine)
