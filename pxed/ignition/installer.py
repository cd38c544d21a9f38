"""The config with which a live Flatcar installs a machine: a unit, a script and what the script needs.

The script reports `installing`, chooses the disk, fetches the machine's own config, runs flatcar-install
(https://github.com/flatcar/init/blob/flatcar-master/bin/flatcar-install) against pxed's mirror, and reports `installed`
or `failed`. It reboots when pxed has the report; a report that pxed refuses stops it where it stands. Left out:
deadlines and further attempts, which are pxed's (README.md, "Install once").
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from pxed.ignition.asking import ASKING
from pxed.ignition.document import Config
from pxed.ignition.installscript import INSTALL
from pxed.ignition.snippet import File, SnippetError, Unit, addition, curl_url

SPEC = "3.3.0"  # of every Flatcar since 3374
UNIT = "pxed-install.service"
_AT = "/etc/pxed/install"
# A oneshot unit has no start timeout, whatever DefaultTimeoutStartSec= says (systemd.service(5)); it is written out.
_TEXT = f"""\
[Unit]
Description=Install this machine (pxed)
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {_AT}/run
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""


_SCRIPT = f"""#!/bin/sh
# Installs this machine and tells pxed about it. Made by pxed.
at={_AT}
. "$at/settings"
{ASKING}{INSTALL}"""


@dataclass(frozen=True, slots=True)
class Job:
    """One machine's installation."""

    machine: str
    report_url: str  # with a query, to which the script adds &stage=...
    config_url: str  # of the installed system's config; "": it gets none
    disk: str  # a path, or smallest, or largest
    mirror_url: str  # flatcar-install's -b: VERSION/flatcar_production_image.bin.bz2 follows it
    version: str
    key: bytes  # that the release is signed with (OpenPGP, armoured or not)
    reboot: bool = True
    ca: bytes = b""  # PEM: trusted for the URLs of reports and config instead of the system's


def installer_config(job: Job) -> Config:
    """The installer of a machine, to be merged into its profile's own config. Raises SnippetError."""
    files = [
        File(f"{_AT}/run", _SCRIPT.encode(), 0o755),
        File(f"{_AT}/settings", _settings(job).encode(), 0o600),
        File(f"{_AT}/report-url", curl_url(job.report_url), 0o600),
        File(f"{_AT}/key.asc", job.key),
    ]
    if job.config_url:
        files.append(File(f"{_AT}/config-url", curl_url(job.config_url), 0o600))
    if job.ca:
        files.append(File(f"{_AT}/ca.pem", job.ca))
    return addition(SPEC, Unit(UNIT, _TEXT), files)


def _settings(job: Job) -> str:
    """Assignments for the shell: what the script, which is the same for all, has to know of a machine."""
    settings = {
        "machine": job.machine,
        "disk": job.disk,
        "mirror": job.mirror_url,
        "version": job.version,
        "reboot": "yes" if job.reboot else "no",
    }
    for name, value in settings.items():
        if not value.isprintable():
            raise SnippetError(f"found {value[:60]!r} as the {name} of an installation, expected one line of text")
    return "".join(f"{name}={quote(value)}\n" for name, value in settings.items())
