"""What a webhook is told, and how it is signed. Pure.

The signature is that of https://www.standardwebhooks.com (HMAC-SHA256 over id, time and body), which receivers have
libraries for. A post is made of an event of the bus, whose texts have no secrets any more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from pxed.events import Event, Kind
from pxed.inventory.webhooks import HookEvent
from pxed.status.wordings import Severity

UNKNOWN_SECONDS = 3600.0  # a machine that nobody listed asks for ever
SAME_SECONDS = 2.0  # a machine's report and what it did to its installation are one failure
MOST_REMEMBERED = 4_096  # machines, for that; the one that was told of first is forgotten first
PREFIX = "whsec_"
_REPORTS: dict[Kind, HookEvent] = {
    Kind.INSTALLING: "installing",
    Kind.INSTALLED: "installed",
    Kind.RUNNING: "running",
    Kind.FAILED: "failed",
    Kind.ALERT: "alert",
}
_QUIET = {"unknown": UNKNOWN_SECONDS, "failed": SAME_SECONDS}


@dataclass(frozen=True, slots=True)
class Post:
    """One message. The id stays the same however often it is sent."""

    id: str
    event: HookEvent
    body: bytes


def name_of(event: Event) -> HookEvent | None:
    """What an event is called here; None for one that nobody is told of."""
    kind, data = event.kind, event.data
    if (name := _REPORTS.get(kind)) is not None:
        return name
    if kind is Kind.STUCK:
        return "stuck" if data.get("severity") == Severity.STUCK else "warning"
    if kind is Kind.STATE:
        return "failed" if "failed: " in event.text else None
    if event.machine or not event.mac:
        return None
    unlisted = kind is Kind.IGNORED and "not listed" in str(data.get("reason", ""))
    return "unknown" if unlisted or kind is Kind.HELD else None


class Repeats:
    """Remembers what was just told."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_news(self, name: HookEvent, event: Event) -> bool:
        """Whether it was not told of this machine a moment ago; it counts as told from now on."""
        quiet = _QUIET.get(name)
        if quiet is None:
            return True
        key = (name, event.machine or event.mac)
        last = self._told.get(key)
        if last is not None and 0 <= event.time - last < quiet:
            return False
        self._told[key] = event.time
        self._told.move_to_end(key)
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)
        return True

    def __len__(self) -> int:
        return len(self._told)


def post_of(name: HookEvent, event: Event, identity: str, boot: str) -> Post:
    """The message of an event. `boot` is the id of the machine's boot, "" for none."""
    data = event.data
    body: dict[str, Any] = {
        "id": identity,
        "event": name,
        "time": round(event.time, 3),
        "machine": event.machine or None,
        "mac": event.mac or None,
        "text": event.text,
        "boot": data.get("boot") or boot or None,
        "reason": data.get("reason") or None,
        "verdict": _verdict(event) if event.kind is Kind.STUCK else None,
    }
    return Post(identity, name, json.dumps(body, ensure_ascii=False).encode())


def _verdict(event: Event) -> dict[str, Any]:
    """The finding, as in the API."""
    data = event.data
    plain = {key: data.get(key) for key in ("fault", "severity", "stage", "cause", "remedy")}
    return {**plain, "evidence": [part for part in str(data.get("evidence", "")).split(" | ") if part]}


def key_of(secret: str) -> bytes:
    """The key in a secret's text: base64 behind "whsec_", else the text itself."""
    if secret.startswith(PREFIX):
        try:
            return b64decode(secret.removeprefix(PREFIX), validate=True)
        except ValueError:
            pass
    return secret.encode()


def headers_of(post: Post, secret: str, now: float) -> dict[str, str]:
    """The headers that tell who sent it, and when."""
    stamp = f"{now:.0f}"
    signed = hmac.new(key_of(secret), f"{post.id}.{stamp}.".encode() + post.body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": post.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{b64encode(signed).decode()}",
    }
