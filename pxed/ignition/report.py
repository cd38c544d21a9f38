"""The unit with which a machine reports that it runs: once a boot, when all of its multi-user.target is up.

Merged into configs of any Ignition 3; the same unit serves a live system and an installed one.
"""

from __future__ import annotations

from pxed.ignition.asking import ASKING
from pxed.ignition.document import Config
from pxed.ignition.snippet import File, Unit, addition, curl_url, grafted

SPEC = "3.0.0"  # the oldest: what it is merged into stays of its own spec
UNIT = "pxed-report.service"
_AT = "/etc/pxed/report"
# Restart= is not used: systemd before 244 refuses it of oneshot units.
_TEXT = f"""\
[Unit]
Description=Report to pxed that this machine runs
Wants=network-online.target
After=network-online.target multi-user.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {_AT}/run
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""
_SCRIPT = rf"""#!/bin/sh
# Reports to pxed that this machine runs. Made by pxed.
umask 077
at={_AT}
work=/run/pxed-report
mkdir -p "$work"
{ASKING}
uname -sr >"$work/message"
if post running "$work/message"; then
    say "reported that this machine runs"
else
    say "pxed refuses the report that this machine runs: $(trouble)"
    exit 1
fi
"""


def with_reports(config: Config, url: str, ca: bytes = b"") -> Config:
    """The config with a unit that posts `running` to `url`, a URL with a query; `ca` are the certificates (PEM) that
    it trusts instead of the system's. Raises SnippetError."""
    return grafted(config, reports(url, ca), "report: true")


def reports(url: str, ca: bytes = b"") -> Config:
    """The unit and its files alone. Raises SnippetError."""
    files = [File(f"{_AT}/run", _SCRIPT.encode(), 0o755), File(f"{_AT}/report-url", curl_url(url), 0o600)]
    if ca:
        files.append(File(f"{_AT}/ca.pem", ca))
    return addition(SPEC, Unit(UNIT, _TEXT), files)
