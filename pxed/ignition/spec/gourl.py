"""Takes URLs apart as Go's net/url does, as far as Ignition's verdict depends on it: validity, scheme, opaque, query.

RFC 3986 with Go's habits. Host, path and user are checked, not returned.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(r"(:[0-9]*)?")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
# In a host only bytes beyond ASCII may be escaped.
_HOST = re.compile(r"""(?:[A-Za-z0-9!$&'()*+,;=:\[\]<>"\-._~]|[^\x00-\x7f]|%25|%[89A-Fa-f][0-9A-Fa-f])*""")


@dataclass(frozen=True, slots=True)
class GoUrl:
    """What Ignition asks of a URL. `opaque` is the part after the scheme of a URL whose path has no root."""

    scheme: str
    opaque: str
    query: str

    def first(self, name: str) -> str | None:
        """The first value of a query parameter; None if there is none."""
        for pair in self.query.split("&"):
            key, _, value = pair.partition("=")
            if ";" not in pair and key == name and not _BAD_ESCAPE.search(value):
                return value
        return None


def parse_url(text: str) -> GoUrl | None:
    """The parts of a URL; None if Go refuses to parse it."""
    body, _, fragment = text.partition("#")
    if _CONTROL.search(body) or _BAD_ESCAPE.search(fragment):
        return None
    if body.startswith(":"):
        return None  # missing protocol scheme
    found = _SCHEME.match(body)
    scheme, rest = (found[1].lower(), body[found.end() :]) if found else ("", body)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/") and scheme:
        return GoUrl(scheme, rest, query)
    return GoUrl(scheme, "", query) if _hierarchy(scheme, rest) else None


def _hierarchy(scheme: str, rest: str) -> bool:
    if not rest.startswith("/") and ":" in rest.partition("/")[0]:
        return False  # the first path segment cannot contain a colon
    path = rest
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        if not _authority(authority):
            return False
        path = slash + path
    return not _BAD_ESCAPE.search(path)


def _authority(authority: str) -> bool:
    user, at, host = authority.rpartition("@")
    if at and (not _USER.fullmatch(user) or _BAD_ESCAPE.search(user)):
        return False
    if "[" in host:
        return _literal(host)
    colon = host.rfind(":")
    if colon >= 0 and not _PORT.fullmatch(host[colon:]):
        return False
    return bool(_HOST.fullmatch(host))


def _literal(host: str) -> bool:
    address, bracket, port = host[1:].rpartition("]")
    if host[0] != "[" or not bracket or not _PORT.fullmatch(port):
        return False
    address, _, zone = address.partition("%25")
    if _BAD_ESCAPE.search(zone) or ("%25" in host and not zone):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True
