"""Takes secrets out of what pxed writes: tokens, in URLs and queries or alone, and what an Authorization header gives.

What comes from a request may end up in an event, an error's text or a traceback. Here is the one place that knows what
of it nobody may read; the bus and the log pass everything through it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType

from pxed.events import Event, Value

HIDDEN = "..."
# In a query, percent-encoded in another URL, as a header or a JSON key. A value ends where no token goes on.
_SECRET = re.compile(
    r"(token(?:=|%3d|[\"']\s*:\s*[\"']?)|authorization[\"']?\s*[:=,]\s*b?[\"']?(?:\w+\s+)?|bearer\s+)[^\s&\"'<>,;)]+",
    re.IGNORECASE,
)
# A token wherever else it comes, as with `token` percent-encoded or cut off: 256 bits in base64url. A name of that
# length is hidden too; pxed says whose event it is in a field of its own.
_TOKEN = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])", re.ASCII)
# The id of a boot: whoever says it asks for that boot's script again, with its secrets (pxed.server.visits).
_BOOT = re.compile(r"(boot(?:=|%3d)[\"']?)[0-9a-f]{16}(?![\w-])", re.ASCII | re.IGNORECASE)
_MARKS = ("token", "bearer", "authorization", "boot=", "boot%3d")


def redacted(text: str) -> str:
    """The text without secrets."""
    # Most have none; to look for that is an eighth of the work or less, and every event's words come here.
    if _TOKEN.search(text) is None:
        small = text.lower()
        if not any(mark in small for mark in _MARKS):
            return text
    return _TOKEN.sub(HIDDEN, _BOOT.sub(rf"\g<1>{HIDDEN}", _SECRET.sub(rf"\g<1>{HIDDEN}", text)))


def clean(event: Event) -> Event:
    """The event without secrets; the same one when it has none."""
    text, data = redacted(event.text), _clean_data(event.data)
    if text == event.text and data is event.data:
        return event
    return event._replace(text=text, data=data)


def _clean_data(data: Mapping[str, Value]) -> Mapping[str, Value]:
    for value in data.values():
        if isinstance(value, str) and redacted(value) != value:
            return {key: redacted(one) if isinstance(one, str) else one for key, one in data.items()}
    return data


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def guard_log() -> None:
    """Let what libraries log, and tracebacks, go to stderr without secrets."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Redacting())
    logging.getLogger().addHandler(handler)


def guard_crashes() -> None:
    """Let what Python says of an exception that nobody caught go to stderr without secrets: one that ends the daemon
    or a thread, or comes while something is thrown away. Those of tasks come by the log."""
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    sys.unraisablehook = _unraisable


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _tell("", traceback.format_exception(kind, error, trace))


def _thread_crashed(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is not SystemExit:
        name = what.thread.name if what.thread is not None else "?"
        _tell(f"Exception in thread {name}:\n", _formatted(what.exc_value, what.exc_type))


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    _tell(f"{what.err_msg or 'Exception ignored in'}: {what.object!r}\n", _formatted(what.exc_value, what.exc_type))


def _formatted(error: BaseException | None, kind: type[BaseException]) -> list[str]:
    return traceback.format_exception(error) if error is not None else [f"{kind.__name__}\n"]


def _tell(head: str, lines: Iterable[str]) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads any more
        sys.stderr.write(redacted(head + "".join(lines)))
        sys.stderr.flush()
