"""What pxed adds to the configs of a profile: the installer, and the unit that reports.

A machine with `boot: install` gets the installer, in its profile's own config if it has one; the system that is
installed gets the config of `install`. With `report: true` the one that runs in the end reports.
"""

from __future__ import annotations

from functools import cache

from pxed.boot.endpoint import Endpoint
from pxed.ignition.document import Config
from pxed.ignition.installer import Job, installer_config
from pxed.ignition.report import reports
from pxed.ignition.snippet import SnippetError, grafted, refusal
from pxed.inventory.lookup import Match
from pxed.inventory.model import Boot, Profile
from pxed.inventory.targets import Target

INSTALL = "boot: install"
REPORT = "report: true"
_NOBODY = "http://pxed.invalid/report?token="


def job_of(
    match: Match,
    target: Target,
    version: str,
    endpoint: Endpoint,
    *,
    report_url: str,
    config_url: str,
    key: bytes,
    ca: bytes = b"",
) -> Job:
    """The installation of a machine from pxed's own mirror. `config_url` counts only where the system has a config."""
    install, flatcar = match.profile.installation, target.flatcar
    has_config = install.butane or install.ignition or match.profile.report
    return Job(
        machine=match.name,
        report_url=report_url,
        config_url=config_url if has_config else "",
        disk=install.disk or "",
        mirror_url=f"{endpoint.url}/flatcar/{flatcar.channel}/{flatcar.arch}-usr",
        version=version,
        key=key,
        reboot=install.reboot,
        ca=ca,
    )


def live_config(own: Config | None, profile: Profile, report_url: str, job: Job | None, ca: bytes = b"") -> Config:
    """What a machine that is booted from memory gets: its profile's own config, with the installer of `job`, or with
    the unit that reports where the profile wants it. Raises SnippetError."""
    if job is not None:
        return _with(own, installer_config(job), INSTALL)
    return _reporting(own, profile, report_url, ca)


def system_config(own: Config | None, profile: Profile, report_url: str, ca: bytes = b"") -> Config:
    """What the installed system gets: its own config, with the unit that reports where the profile wants it.

    Raises SnippetError.
    """
    return _reporting(own, profile, report_url, ca)


def _reporting(own: Config | None, profile: Profile, report_url: str, ca: bytes) -> Config:
    if profile.report:
        return _with(own, reports(report_url, ca), REPORT)
    if own is None:
        raise SnippetError("there is no config: the profile names none and wants no report")
    return own


def _with(own: Config | None, added: Config, what: str) -> Config:
    return grafted(own, added, what) if own is not None else added


def refusals(profile: Profile, config: Config, *, installed: bool, installs: bool) -> list[tuple[str, str]]:
    """What keeps pxed's additions out of a config: the profile's field that asks for them, and why.

    `installed`: it is the config of the system on the disk; `installs`: the machine installs Flatcar.
    """
    found = []
    if installs and profile.boot is Boot.INSTALL and not installed:
        found.append(("boot", refusal(config, _installer(), INSTALL)))
    if profile.report and (installed or not installs):
        found.append(("report", refusal(config, _reports(), REPORT)))
    return [(field, text) for field, text in found if text]


@cache
def _installer() -> Config:
    return installer_config(Job("x", _NOBODY, _NOBODY, "smallest", "http://pxed.invalid", "0.0.0", b"", ca=b"x"))


@cache
def _reports() -> Config:
    return reports(_NOBODY, b"x")
