"""A syslog line as it came by UDP, as a value: RFC 5424 6, and RFC 3164 4 with what devices make of it. Pure.

Every datagram is a line: what cannot be read is its text. Left out: structured data, which is skipped.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_TEXT = 1024  # characters of a message that are kept
MOST_TAG = 48
_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_USUAL = 13  # RFC 3164 4.3.3: user.notice for a line without a priority
_PRIORITY = re.compile(r"<([0-9]{1,3})>")
# RFC 5424 6: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID, then structured data or "-".
_HEADER = re.compile(r"1 \S+ \S+ (?P<tag>\S+) \S+ \S+ (?=[\[-])")
_ELEMENT = re.compile(r'\[[^\s\]"=]+(?: [^\s\]"=]+="(?:[^"\\]|\\.)*")*\]')
# RFC 3164 4.1.2: "Mmm dd hh:mm:ss"; relays and devices leave the host out, or both.
_STAMP = re.compile(r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} ")
_TAG = re.compile(r"(?P<tag>[\w./-]{1,64})(?:\[\w{1,20}\])?: ?", re.ASCII)
_HOST_AND_TAG = re.compile(rf"\S{{1,255}} {_TAG.pattern}", re.ASCII)


class Line(NamedTuple):
    """One line. Text and tag are printable, whatever came."""

    facility: str
    severity: str
    tag: str
    text: str


def read_line(datagram: bytes) -> Line:
    """The line in a datagram. Never raises."""
    text = datagram.rstrip(b"\0\r\n").decode("utf-8", "replace")
    priority = _PRIORITY.match(text)
    number = int(priority[1]) if priority else _USUAL
    if priority is None or number >= len(_FACILITIES) * len(_SEVERITIES):
        number, rest = _USUAL, text
    else:
        rest = text[priority.end() :]
    tag, message = _new(rest) or _old(rest)
    facility, severity = divmod(number, len(_SEVERITIES))
    return Line(_FACILITIES[facility], _SEVERITIES[severity], _plain(tag, MOST_TAG), _plain(message, MOST_TEXT))


def _new(rest: str) -> tuple[str, str] | None:
    """Tag and message of RFC 5424."""
    header = _HEADER.match(rest)
    if header is None:
        return None
    at = header.end()
    if rest.startswith("-", at):
        at += 1
    while element := _ELEMENT.match(rest, at):
        at = element.end()
    tag = "" if header["tag"] == "-" else header["tag"]
    return tag, rest[at:].removeprefix(" ").removeprefix("\ufeff")


def _old(rest: str) -> tuple[str, str]:
    """Tag and message of RFC 3164, as far as there is one."""
    stamp = _STAMP.match(rest)
    at = stamp.end() if stamp else 0
    found = _TAG.match(rest, at) or (_HOST_AND_TAG.match(rest, at) if stamp else None)
    return (found["tag"], rest[found.end() :]) if found else ("", rest[at:])


def _plain(text: str, most: int) -> str:
    """So much of it as one printable line: control characters are escaped."""
    cut = text[:most]
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)[:most]
