"""What happens during a sync as sentences: the command line and the daemon's log say the same."""

from __future__ import annotations

from pxed.assets.mirror.events import Event, Failed, Progress, Published, Removed, Resolved, Retrying, UpToDate, Warned

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def sentence(event: Event) -> str:
    """One line, without the image's name."""
    match event:
        case Resolved():
            return f"wants {event.channel} {event.arch} {event.version}, from {event.url}"
        case Progress():
            return f"{event.version} is arriving: {event.file}, {amount(event.done)} of {amount(event.total)}"
        case Retrying():
            return f"{event.file} of {event.version} broke off: {event.reason}; again in {event.seconds:.0f} s"
        case Published():
            what = f"{amount(event.size)} in {event.files} files, signed by {event.signed_by}"
            return f"{event.version} published: {what}{'; ' if event.note else ''}{event.note}"
        case UpToDate():
            return f"{event.version} is mirrored and verified already"
        case Failed():
            return failure(event)
        case Warned():
            return event.message
        case Removed():
            where = f"{event.channel} {event.arch} {event.version}"
            return f"{where} removed from the mirror, {amount(event.size)}"


def failure(event: Failed) -> str:
    """What went wrong, and what machines boot nevertheless."""
    if not event.image:
        return event.reason
    what = f"{event.version} was not mirrored" if event.version else "not mirrored"
    return f"{what}: {event.reason}; {_stays(event)}"


def _stays(event: Failed) -> str:
    if not event.serving:
        return "it has nothing to boot yet"
    if event.serving == event.version:
        return "of what it had, what is right goes on being served"
    return f"{event.serving} goes on being served"


def images_of(event: Event) -> tuple[str, ...]:
    """The images that an event is about; none for a removal."""
    match event:
        case Removed():
            return ()
        case Resolved() | Failed() | Warned():
            return (event.image,) if event.image else ()
        case _:
            return event.images


def amount(size: float) -> str:
    """Bytes for people: "374.2 MB"."""
    exponent = 0
    while size >= 1000 and exponent < len(_UNITS) - 1:
        size, exponent = size / 1000, exponent + 1
    return f"{size:.1f} {_UNITS[exponent]}" if exponent else f"{size:.0f} {_UNITS[0]}"


def duration(seconds: float) -> str:
    """ "5 s", "3 min 20 s", "2 h 5 min" """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
