"""Conditional and range requests (RFC 9110 sections 13 and 14.2). Pure: header values in, what to send out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,20})\s*-\s*(\d{0,20})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells two versions of a file apart. `mtime` in whole seconds since 1970."""

    etag: str  # with its quotes
    mtime: int

    @property
    def last_modified(self) -> str:
        return formatdate(self.mtime, usegmt=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """What to send: status 200, 206, 304, 412 or 416, and the bytes from `start` up to `stop`."""

    status: int
    start: int
    stop: int

    @property
    def count(self) -> int:
        return self.stop - self.start


def select(headers: Mapping[str, str], validators: Validators, size: int) -> Selection:
    """The answer to a GET or HEAD of a file of `size` bytes. Header names are matched as the mapping does it."""
    status = _precondition(headers, validators)
    if status is not None:
        return Selection(status, 0, 0)
    value = headers.get("Range")
    if value is None or not _range_applies(headers.get("If-Range"), validators):
        return Selection(200, 0, size)
    return _range(value, size)


def _precondition(headers: Mapping[str, str], validators: Validators) -> int | None:
    """304 or 412 (RFC 9110 13.2.2, in that order), None to go on."""
    if (tags := headers.get("If-Match")) is not None:
        if not _lists(tags, validators.etag, weak=False):
            return 412
    elif (date := _date(headers.get("If-Unmodified-Since"))) is not None and validators.mtime > date:
        return 412
    if (tags := headers.get("If-None-Match")) is not None:
        return 304 if _lists(tags, validators.etag, weak=True) else None
    date = _date(headers.get("If-Modified-Since"))
    return 304 if date is not None and validators.mtime <= date else None


def _range(value: str, size: int) -> Selection:
    """One byte range. Anything else in Range is ignored, as 14.2 allows: several ranges, other units, nonsense."""
    found = _RANGE.fullmatch(value.strip())
    if not found or not (found[1] or found[2]):
        return Selection(200, 0, size)
    if not found[1]:  # the last N bytes
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return Selection(200, 0, size)
    return Selection(206, start, stop) if start < stop else Selection(416, 0, 0)


def _range_applies(if_range: str | None, validators: Validators) -> bool:
    """13.1.5: a strong entity tag or exactly the date; otherwise the file has changed and all of it is due."""
    if if_range is None:
        return True
    if if_range.startswith(('"', "W/")):
        return if_range.strip() == validators.etag
    return _date(if_range) == validators.mtime


def _lists(tags: str, etag: str, *, weak: bool) -> bool:
    for tag in (part.strip() for part in tags.split(",")):
        if tag in ("*", etag) or (weak and tag.removeprefix("W/") == etag):
            return True
    return False


def _date(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return int(parsedate_to_datetime(value).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
