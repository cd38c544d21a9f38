"""What happens during a sync, as values: the command line draws them, the daemon reads them as JSON lines.

`done` and `total` are bytes. `total` is 0 while the server has not told it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pxed.assets.mirror.errors import MirrorError


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image wants this version: what it is pinned to, or what the release server says is current."""

    image: str
    channel: str
    arch: str
    version: str
    url: str  # of the version's directory


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a big file has come: told when it starts, a few times a second, and when it is complete."""

    images: tuple[str, ...]
    channel: str
    arch: str
    version: str
    file: str
    done: int
    total: int
    resumed: int = 0  # bytes that an earlier sync had


@dataclass(frozen=True, slots=True)
class Retrying:
    """A download was interrupted and goes on after `seconds`."""

    images: tuple[str, ...]
    version: str
    file: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Published:
    """A version is verified and can be booted."""

    images: tuple[str, ...]
    channel: str
    arch: str
    version: str
    files: int
    size: int
    signed_by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class UpToDate:
    """The wanted version was there already."""

    images: tuple[str, ...]
    channel: str
    arch: str
    version: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An image did not get the version that it wants. `serving` is what its machines go on booting, "" if nothing."""

    image: str
    version: str  # "" when it is not known
    reason: str
    serving: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that somebody should look at, though nothing failed."""

    image: str
    message: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A version was removed to make room."""

    channel: str
    arch: str
    version: str
    size: int


Event = Resolved | Progress | Retrying | Published | UpToDate | Failed | Warned | Removed
_KINDS: dict[str, type[Event]] = {
    "resolved": Resolved, "progress": Progress, "retrying": Retrying, "published": Published,
    "up-to-date": UpToDate, "failed": Failed, "warned": Warned, "removed": Removed,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_json(event: Event) -> str:
    """The event as one line of JSON, without its end."""
    return json.dumps({"event": _NAMES[type(event)], **asdict(event)}, ensure_ascii=False)


def from_json(line: str) -> Event:
    """The event of a line. Raises MirrorError."""
    try:
        fields: dict[str, Any] = json.loads(line)
        kind = _KINDS[fields.pop("event")]
        if "images" in fields:
            fields["images"] = tuple(fields["images"])
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MirrorError(f"found {line[:200]!r}, expected an event of a sync: {error}") from None
