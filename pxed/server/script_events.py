"""What the event of a boot script tells: what this boot fetches next, and how its system gets its config and reports.

Read from the very command line that the machine gets, as its last word of a kind counts: `args` may say otherwise than
the profile.
"""

from __future__ import annotations

from collections.abc import Mapping

from pxed.boot.course import Way
from pxed.boot.delivery import embeds_config
from pxed.boot.endpoint import Endpoint
from pxed.boot.page import Page
from pxed.events import Value
from pxed.server.redact import redacted
from pxed.server.views import boot_id
from pxed.server.visits import Arrival

_FIRST_BOOT = "flatcar.first_boot"
_CONFIG_URL = "ignition.config.url="
_ROOT = "root="


def script_data(
    arrival: Arrival, boot: str, way: Way, page: Page, endpoint: Endpoint, query: Mapping[str, str], *, report: bool
) -> dict[str, Value]:
    """Event data of a script. `boot` is the boot's id, "" for one that is not kept; `report`: one is awaited."""
    profile, words = arrival.match.profile, page.cmdline.split(" ")
    loads = bool(page.cmdline)
    url = _last(words, _CONFIG_URL)
    within = profile.installation.deadline if way is Way.INSTALL else profile.report_within
    return {
        "profile": arrival.match.profile_name,
        "way": str(way),
        "arch": arrival.visitor.identity.arch,
        "platform": query.get("platform", "")[:16],
        "reason": arrival.match.reason,
        "boot": boot_id(boot) if boot else "",
        "image": (profile.image or "") if loads else "",
        "version": page.version,
        "files": " ".join(page.files),
        "config": _config(url, endpoint, embedded=loads and embeds_config(profile)),
        "config_url": redacted(url.partition("?")[0]),  # the query has the token
        "report": report,
        "report_within": float(within) if report else 0.0,
        "first_boot": any(word.partition("=")[0] == _FIRST_BOOT for word in words),
        "root": _last(words, _ROOT),
    }


def _config(url: str, endpoint: Endpoint, *, embedded: bool) -> str:
    """How the booted system gets its Ignition config. Ignition takes a URL before what is embedded."""
    if url:
        ours = tuple(f"{base}/" for base in (endpoint.url, endpoint.secure_url) if base)
        return "url" if url.startswith(ours) else "elsewhere"
    return "embedded" if embedded else "none"


def _last(words: list[str], name: str) -> str:
    """The value of the last word that begins with `name`."""
    return next((word.removeprefix(name) for word in reversed(words) if word.startswith(name)), "")
