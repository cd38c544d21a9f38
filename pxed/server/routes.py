"""HTTP request line -> what is asked for. Pure: a table, no aiohttp, no files.

Firmware asks for "//a/../b" and follows no redirect (H3), so every path is normalised here and answered where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote_to_bytes

from pxed.assets.paths import PathError, clean, is_autoexec

MAX_TARGET = 4096  # bytes of path and query; iPXE's own requests are below 300
MAX_FIELDS = 32  # of a query
READ = ("GET", "HEAD")
POST = ("POST",)


class Route(StrEnum):
    """Everything that pxed answers."""

    BOOT = "boot"
    AUTOEXEC = "autoexec"
    LOADER = "loader"
    IMAGE = "image"
    IGNITION = "ignition"
    ARCHIVE = "archive"
    MIRROR = "mirror"
    REPORT = "report"
    HEALTH = "health"
    MACHINES = "machines"
    MACHINE = "machine"
    EVENTS = "events"
    BOOTS = "boots"
    ALERTS = "alerts"
    INSTALL = "install"  # this and the next three change what a machine does: they need the token
    LOCAL = "local"
    RESET = "reset"
    NEXT = "next"
    INDEX = "index"
    METRICS = "metrics"
    OPENAPI = "openapi"
    WEB = "web"  # this and the next ones are for the dashboard
    FLEET = "fleet"
    FLEET_EVENTS = "fleet-events"
    TIMELINES = "timelines"
    TIMELINE = "timeline"
    PREVIEW = "preview"
    UNKNOWN = "unknown"
    MIRRORED = "mirrored"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Found:
    """A request that has a place to go. `args` are the variable parts of its path, in order."""

    route: Route
    args: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is answered by an error: one plain sentence that says what to do."""

    status: int
    sentence: str
    allow: tuple[str, ...] = ()


# Path, "*" for one part and "**" for the rest -> route and its methods.
_TABLE: tuple[tuple[tuple[str, ...], Route, tuple[str, ...]], ...] = (
    ((), Route.INDEX, READ),
    (("web", "*"), Route.WEB, READ),
    (("boot.ipxe",), Route.BOOT, READ),
    (("loaders", "**"), Route.LOADER, READ),
    (("images", "*", "**"), Route.IMAGE, READ),
    (("flatcar", "*", "*", "*", "**"), Route.MIRROR, READ),
    (("ignition", "*"), Route.IGNITION, READ),
    (("oem", "*"), Route.ARCHIVE, READ),
    (("report", "*"), Route.REPORT, POST),
    (("healthz",), Route.HEALTH, READ),
    (("metrics",), Route.METRICS, READ),
    (("api", "v1", "machines"), Route.MACHINES, READ),
    (("api", "v1", "machines", "*"), Route.MACHINE, READ),
    (("api", "v1", "machines", "*", "install"), Route.INSTALL, POST),
    (("api", "v1", "machines", "*", "local"), Route.LOCAL, POST),
    (("api", "v1", "machines", "*", "reset"), Route.RESET, POST),
    (("api", "v1", "machines", "*", "next"), Route.NEXT, POST),
    (("api", "v1", "machines", "*", "boots"), Route.TIMELINES, READ),
    (("api", "v1", "machines", "*", "preview"), Route.PREVIEW, READ),
    (("api", "v1", "timelines", "*"), Route.TIMELINE, READ),
    (("api", "v1", "fleet"), Route.FLEET, READ),
    (("api", "v1", "fleet", "events"), Route.FLEET_EVENTS, READ),
    (("api", "v1", "unknown"), Route.UNKNOWN, READ),
    (("api", "v1", "mirror"), Route.MIRRORED, READ),
    (("api", "v1", "network"), Route.NETWORK, READ),
    (("api", "v1", "openapi.json"), Route.OPENAPI, READ),
    (("api", "v1", "boots"), Route.BOOTS, READ),
    (("api", "v1", "alerts"), Route.ALERTS, READ),
    (("api", "v1", "events"), Route.EVENTS, READ),
)


def route(method: str, target: str) -> Found | Refusal:
    """What a request line asks for. `target` is as it was on the wire: percent-encoded, with its query."""
    if len(target) > MAX_TARGET:
        return Refusal(414, f"The address is longer than {MAX_TARGET} bytes.")
    path, _, query = _origin_form(target).partition("?")
    try:
        cleaned = clean(unquote_to_bytes(path).decode())
        fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except PathError as error:
        return Refusal(400, f"Bad path: {error}.")
    except ValueError:
        return Refusal(400, f"Bad address: path and query are UTF-8, and a query has at most {MAX_FIELDS} fields.")
    found, methods = _look_up(cleaned)
    if found is None:
        return Refusal(404, f"There is nothing at /{cleaned[:200]}: see / for what pxed serves.")
    if method not in methods:
        return Refusal(405, f"/{cleaned[:200]} takes {' and '.join(methods)} only.", methods)
    return Found(found.route, found.args, fields)


def _look_up(path: str) -> tuple[Found | None, tuple[str, ...]]:
    if is_autoexec(path):
        return Found(Route.AUTOEXEC), READ
    parts = tuple(path.split("/")) if path else ()
    for pattern, name, methods in _TABLE:
        args = _match(pattern, parts)
        if args is not None:
            return Found(name, args), methods
    return None, ()


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...] | None:
    args: list[str] = []
    for i, expected in enumerate(pattern):
        if i >= len(parts):
            return None
        if expected == "**":
            return (*args, "/".join(parts[i:]))
        if expected == "*":
            args.append(parts[i])
        elif expected != parts[i]:
            return None
    return tuple(args) if len(parts) == len(pattern) else None


def _origin_form(target: str) -> str:
    """RFC 9112 3.2.2: a server accepts the absolute form too; a fragment is no part of a request."""
    target = target.partition("#")[0]
    for scheme in ("http://", "https://"):
        if target[: len(scheme)].lower() == scheme:
            rest = target[len(scheme) :]
            cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
            return rest[cut:] or "/"
    return target
