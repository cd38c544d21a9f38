"""Syslog lines as they come: by the standards, and as devices send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.status.syslogline import MOST_TEXT, Line, read_line

LINES: dict[str, tuple[bytes, Line]] = {
    "RFC 5424": (
        b"<34>1 2026-11-24T03:00:00.003Z node1 su - ID47 - 'su root' failed",
        Line("auth", "crit", "su", "'su root' failed"),
    ),
    "RFC 5424 with structured data and a byte order mark": (
        b'<165>1 - - evntslog - ID47 [ex@32473 iut="3" src="App ] \\"q\\""][b@1 c=""] \xef\xbb\xbfan event',
        Line("local4", "notice", "evntslog", 'an event'),
    ),
    "RFC 5424 without a message": (b"<13>1 - - - - - -", Line("user", "notice", "", "")),
    "RFC 3164": (
        b"<30>Nov 24 03:00:00 node1 systemd[1]: Started something.",
        Line("daemon", "info", "systemd", "Started something."),
    ),
    "RFC 3164 without a host": (
        b"<4>Nov  4 03:00:00 kernel: eth0: link down", Line("kern", "warning", "kernel", "eth0: link down"),
    ),
    "RFC 3164 without a time": (b"<3>dracut: no root\n", Line("kern", "err", "dracut", "no root")),
    "a switch that has no tag": (b"<189>%LINK-3-UPDOWN: up", Line("local7", "notice", "", "%LINK-3-UPDOWN: up")),
    "no priority": (b"just words", Line("user", "notice", "", "just words")),
    "a priority that is none": (b"<999>words", Line("user", "notice", "", "<999>words")),
    "nothing": (b"", Line("user", "notice", "", "")),
    "control characters": (
        b"<14>x: a\x1b[2Jb\nc\0\0", Line("user", "info", "x", "a\\x1b[2Jb\\nc"),
    ),
    "no UTF-8": (b"<14>x: caf\xe9", Line("user", "info", "x", "caf\ufffd")),
}  # fmt: skip


@pytest.mark.parametrize(("datagram", "line"), LINES.values(), ids=LINES)
def test_a_line_is_read(datagram: bytes, line: Line) -> None:
    assert read_line(datagram) == line


def test_a_long_line_is_cut() -> None:
    assert read_line(b"<14>x: " + b"y" * 5000).text == "y" * MOST_TEXT
    assert len(read_line(b"<14>x: " + b"\x01" * 5000).text) == MOST_TEXT


@given(st.binary(max_size=600) | st.from_regex(rb"\A<\d{1,3}>1? ?.{0,300}\Z"))
def test_whatever_comes_is_a_printable_line(datagram: bytes) -> None:
    line = read_line(datagram)
    assert line.text.isprintable()
    assert line.tag.isprintable()
    assert len(line.text) <= MOST_TEXT
